import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createFiller } from "../rigs/api/packages-fixture.ts";
import { npmTarball } from "../rigs/api/tarball.ts";
import { authorizationOf } from "../rigs/runs/instance.ts";
import { listImages } from "../rigs/runs/run-judge.ts";
import { sha256, type RecordInfo } from "../rigs/runs/run-fixture.ts";
import type { Listing } from "../rigs/runs/run-sources.ts";
import { makeImage, pushImage } from "../rigs/servers/images.ts";
import { integrity } from "../rigs/servers/npm-publication.ts";
import { digestsOf, statusOf } from "./converge.ts";
import type { LyingWay } from "./trouble-lies.ts";
import { PROJECT, type World } from "./world.ts";
import { listNpm } from "./verify.ts";

/** A source that changes all the time, and a task to send it over connections on which ends lie. */
export type Lied = {
  name: string;
  task: string;
  ways: LyingWay[];
  /** What the source has. */
  wanted: Listing;
  found: () => Promise<Listing>;
  /** Whether an operator was told something of the task since the last call. */
  wasTold: () => boolean;
  /** Stops changes and executions; resolves once those under way have ended. */
  pause: () => Promise<void>;
  resume: () => void;
};

type Kind = Pick<Lied, "name" | "task" | "ways" | "wanted" | "found"> & {
  everyMs: number;
  change: () => Promise<void>;
};

const EXECUTED_AFTER_MS = 4_000;
const SLOTS = { files: 60, images: 24 };
const OVERWRITE = { conflictStrategy: "OVERWRITE" };

export async function startLied(world: World, until: AbortSignal): Promise<Lied[]> {
  const kinds = [await files(world), await images(world), await npm(world)];
  return kinds.map((kind) => startOne(world, kind, until));
}

async function files({ product, partner, clusters, random }: World): Promise<Kind> {
  const name = "lied-files";
  await product.hosted(PROJECT, name);
  const wanted: Listing = new Map();
  const task = await product.run({
    projectId: PROJECT,
    objects: [{ localRepoName: name, repoType: "GENERIC" }],
    clusters: [clusters.liar],
    setting: OVERWRITE,
  });
  return {
    name,
    task,
    ways: ["liar"],
    wanted,
    found: () => digestsOf(partner, name),
    everyMs: 700,
    async change() {
      const path = `/slot-${Math.floor(random() * SLOTS.files)}.bin`;
      const bytes = randomBytes(random() < 0.9 ? 2_000 : 400_000);
      await product.upload(PROJECT, name, path, bytes, { "X-BKREPO-OVERWRITE": "true" });
      wanted.set(path, sha256(bytes));
    },
  };
}

async function images(world: World): Promise<Kind> {
  const { product, clusters, ways, source, target, random } = world;
  const name = "lied-images";
  const wanted: Listing = new Map();
  const change = async () => {
    const slot = Math.floor(random() * SLOTS.images);
    const [image, tag] = [`app-${slot % 3}`, `v${slot}`];
    const made = makeImage({ layers: [3_000, 200] });
    await pushImage(source.url, `lied/${image}`, tag, made);
    wanted.set(`${image}:${tag}`, made.digest);
  };
  // All images must exist, because the task names them.
  while (new Set([...wanted.keys()].map((key) => key.split(":")[0])).size < 3)
    await change();
  await product.linked(PROJECT, name, ways.liarSource.url);
  const packageConstraints = [0, 1, 2].map((at) => ({
    packageKey: `oci://lied/app-${at}`,
  }));
  const task = await product.run({
    projectId: PROJECT,
    objects: [{ localRepoName: name, repoType: "OCI", packageConstraints }],
    clusters: [clusters.liarTarget],
    type: "PACKAGE",
    setting: OVERWRITE,
  });
  return {
    name,
    task,
    ways: ["liarSource", "liarTarget"],
    wanted,
    found: () => listImages(target.host, "lied"),
    everyMs: 2_000,
    change,
  };
}

async function npm(world: World): Promise<Kind> {
  const { product, partner, clusters, ways, ends, random } = world;
  const { instance } = ends.second;
  const [name, origin] = ["lied-npm", "lied-npm-source"];
  await partner.hosted(PROJECT, origin, "NPM");
  const filler = createFiller({
    url: instance.url,
    authorization: authorizationOf(instance),
  });
  const wanted: Listing = new Map();
  let number = 0;
  const change = async () => {
    const [pkg, version] = [`pkg-${Math.floor(random() * 4)}`, `1.${(number += 1)}.0`];
    const tarball = npmTarball({
      "package.json": JSON.stringify({ name: pkg, version }),
      "index.js": `module.exports = "${randomBytes(500).toString("hex")}";\n`,
    });
    await filler.publish(`${PROJECT}/${origin}`, pkg, version, { tarball });
    wanted.set(`${pkg}@${version}`, integrity(tarball));
  };
  await change();
  const url = `${ways.liarNpm.url}/npm/${PROJECT}/${origin}`;
  await product.linked(PROJECT, name, url, instance, "NPM");
  const task = await product.run({
    projectId: PROJECT,
    objects: [{ localRepoName: name, repoType: "NPM" }],
    clusters: [clusters.direct],
  });
  const headers = { authorization: authorizationOf(instance) };
  const get = (path: string) => fetch(instance.url + path, { headers });
  return {
    name,
    task,
    ways: ["liarNpm"],
    wanted,
    found: () => listNpm(`${PROJECT}/${name}`, wanted.keys(), get),
    everyMs: 12_000,
    change,
  };
}

function startOne(
  world: World,
  { everyMs, change, ...kind }: Kind,
  until: AbortSignal,
): Lied {
  const { product, journal } = world;
  let [paused, told] = [false, false];
  let [changing, executing] = [Promise.resolve(), Promise.resolve()];
  const changeOnce = () =>
    journal.persist(`a change of ${kind.name}`, change).catch(() => undefined);
  const executeOnce = async () => {
    const record = await product.newestRecord(kind.task);
    if (record?.status === "RUNNING") told ||= record.waitingFor !== null;
    else if (record !== undefined) {
      told ||= await judgeEnded(world, kind, record);
      await product.execute(kind.task);
      journal.count(`executions of ${kind.name}`);
    }
  };
  void (async () => {
    for (; !until.aborted; await sleep(everyMs))
      if (!paused) await (changing = changeOnce());
  })();
  void (async () => {
    for (; !until.aborted; await sleep(EXECUTED_AFTER_MS))
      if (!paused) await (executing = executeOnce().catch(() => undefined));
  })();
  return {
    ...kind,
    wasTold() {
      const was = told;
      told = false;
      return was;
    },
    async pause() {
      paused = true;
      await Promise.all([changing, executing]);
    },
    resume: () => void (paused = false),
  };
}

/** Checks that a run that failed says why, in its record or in each failed detail; returns whether it failed. */
export async function judgeEnded(
  { product, journal }: World,
  { name }: Pick<Lied, "name">,
  record: RecordInfo,
): Promise<boolean> {
  journal.count(`${name}: runs that ended ${record.status}`);
  if (record.status !== "FAILED") return false;
  const rows = await product.details(record.id);
  const silent = rows.find(
    ({ status, errorReason }) => status === "FAILED" && errorReason === null,
  );
  if (silent !== undefined || (rows.length === 0 && record.errorReason === null))
    journal.violatedOnce(
      "a run that failed says why",
      record.id,
      `${name}: ${statusOf(record)} ${JSON.stringify(silent)}`,
    );
  return true;
}

/** Number of lies that bite for sure. */
const ENOUGH = 5;

/** Checks that lies were reported (`before`: how many of each way were told until then), and gave away no login. */
export function judgeLies(
  { journal, lied, elsewhere }: World,
  { name, ways, wasTold }: Lied,
  before: readonly number[],
): void {
  const lies = ways.map((way, at) => lied[way] - (before[at] ?? 0));
  if (!wasTold() && Math.max(...lies) >= ENOUGH)
    journal.violated("what is wrong is reported", `${name}: ${lies.join(" and ")} lies`);
  for (const login of elsewhere.logins.splice(0))
    journal.violated("no login goes elsewhere", login);
}
