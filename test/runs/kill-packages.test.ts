import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { integrity } from "../rigs/servers/npm-publication.ts";
import { createFiller, mavenPath, pom } from "../rigs/api/packages-fixture.ts";
import { authorizationOf } from "../rigs/runs/instance.ts";
import {
  closed,
  createGate,
  follow,
  randomOf,
  sha256,
  unique,
} from "../rigs/runs/run-fixture.ts";
import { listFiles, sorted } from "../rigs/runs/run-judge.ts";
import { startFileRig, type FileRig } from "../rigs/runs/run-rig.ts";
import { each, type Listing } from "../rigs/runs/run-sources.ts";
import { makeBlob, makeImage } from "../rigs/servers/images.ts";
import { mvnClient } from "../rigs/servers/mvn.ts";
import { npmClient } from "../rigs/servers/npm-client.ts";
import { CRANE } from "../rigs/servers/oci-tools.ts";
import { findTool } from "../rigs/servers/tools.ts";
import { npmTarball } from "../rigs/api/tarball.ts";

const execute = promisify(execFile);

/** Seed of the random moments and samples; the same seed in KILL_SEED repeats a run of the test. */
const SEED = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const random = randomOf(SEED);
const [IMAGES, MAVEN, NPM] = [200, 300, 300];
const ALL = IMAGES + MAVEN + NPM;
const SAMPLE = 10;
const GROUP = "org.example.killed";
/** Minimum duration of the run in seconds on any machine, enforced by its rate limit. */
const LEAST_SECONDS = 20;
const WITHIN_MS = 300_000;

/** A run that ended, and the project at the target to which it sent. */
type Copy = { task: string; target: string };
type Seeded = { images: Listing; maven: Listing; npm: Listing; bytes: number };
let rig: FileRig;
let seeded: Seeded;
let copied: Copy | undefined;
let letGo = () => {};
const home = mkdtempSync(join(tmpdir(), "kill-packages-"));

beforeAll(async () => {
  console.log(`kill test of packages: KILL_SEED=${SEED}`);
  rig = await startFileRig({ embedded: true });
  for (const type of ["OCI", "MAVEN", "NPM"])
    await rig.product.hosted(rig.projectId, type.toLowerCase(), type);
  seeded = await seed();
});
afterEach(() => letGo());
afterAll(async () => {
  rmSync(home, { recursive: true, force: true });
  await rig.end();
});

/**
 * Publishes all packages as clients do, and returns what must arrive: digests of tags, sha256 of files, integrity of
 * versions.
 */
async function seed(): Promise<Seeded> {
  const { center, projectId } = rig;
  const filler = createFiller({
    url: center.url,
    authorization: authorizationOf(center),
  });
  const listings: Seeded = {
    images: new Map(),
    maven: new Map(),
    npm: new Map(),
    bytes: 0,
  };
  const base = makeBlob(4_000);
  const image = async (at: number) => {
    const made = await filler.push(
      `${projectId}/oci`,
      `team/app-${at % 10}`,
      `v${at}`,
      makeImage({ layers: [base, 3_000] }),
    );
    listings.images.set(`team/app-${at % 10}:v${at}`, made.digest);
    listings.bytes += 3_000;
  };
  const deploy = async (at: number) => {
    const [name, version] = [`${GROUP}:lib-${at % 30}`, `1.${at}`];
    const files = {
      ".jar": randomBytes(4_000),
      ".pom": pom(name, version),
      ...(at % 3 === 0 ? { "-sources.jar": randomBytes(1_000) } : {}),
    };
    await filler.deploy(`${projectId}/maven`, name, version, files);
    for (const [end, content] of Object.entries(files))
      listings.maven.set(mavenPath(name, version, end), sha256(Buffer.from(content)));
    listings.bytes += 4_500;
  };
  const publish = async (at: number) => {
    const [name, version] = [
      at % 2 ? `@team/pkg-${at % 30}` : `pkg-${at % 30}`,
      `1.${at}.0`,
    ];
    const tarball = npmTarball({
      "package.json": JSON.stringify({ name, version }),
      "index.js": `module.exports = ${JSON.stringify(randomBytes(2_000).toString("hex"))};\n`,
    });
    await filler.publish(`${projectId}/npm`, name, version, { tarball });
    listings.npm.set(`${name}@${version}`, integrity(tarball));
    listings.bytes += tarball.length;
  };
  const work = [
    ...range(IMAGES).map((at) => () => image(at)),
    ...range(MAVEN).map((at) => () => deploy(at)),
    ...range(NPM).map((at) => () => publish(at)),
  ];
  await each(work, 16, (one) => one());
  return listings;
}

const range = (count: number) => Array.from({ length: count }, (_, at) => at);
const draw = (listing: Listing, count = SAMPLE) =>
  [...listing.keys()]
    .map((key) => ({ key, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .slice(0, count)
    .map(({ key }) => key);

const victims: Record<string, () => Promise<unknown>> = {
  "a transfer worker": () => rig.center.kill("worker"),
  "the control plane": () => rig.center.kill("control"),
  "the orchestrator": () => rig.center.kill("orchestrator"),
  "the other instance's control plane": () => rig.edge.kill("control"),
  Temporal: () => rig.center.kill("temporal"),
};

/** Holds one image until the returned function is called, so that the run has work left. */
function holdTheLast(): () => void {
  const { until, letGo: open } = createGate();
  rig.proxy.fault = ({ method, path }) =>
    method === "PUT" && path.endsWith(`/manifests/v${IMAGES - 1}`)
      ? { kind: "hold", until, breathing: true }
      : null;
  return () => {
    rig.proxy.fault = () => null;
    open();
  };
}

/** Sends everything to a new project of the target, and kills one process of every kind meanwhile. */
async function copy(): Promise<Copy> {
  const { product, projectId, cluster } = rig;
  const target = unique("copy");
  const objects = (["OCI", "MAVEN", "NPM"] as const).map((repoType) => ({
    localRepoName: repoType.toLowerCase(),
    repoType,
    remoteProjectId: target,
  }));
  letGo = holdTheLast();
  const task = await product.run({
    projectId,
    objects,
    clusters: [cluster],
    setting: { rateLimit: Math.ceil(seeded.bytes / LEAST_SECONDS) },
  });
  const moments = Object.keys(victims)
    .map(() => 0.02 + random() * 0.75)
    .toSorted((a, b) => a - b);
  for (const [at, [name, kill]] of Object.entries(victims).entries()) {
    const { counts } = await follow(
      product,
      task,
      ({ counts: { success }, status }) =>
        status !== "RUNNING" || success >= (moments[at] ?? 0) * ALL,
      WITHIN_MS,
    );
    expect(counts.notDone, `there is work left when ${name} is killed`).toBeGreaterThan(
      0,
    );
    await sleep(random() * 300);
    await kill();
    console.log(`killed ${name} after ${counts.success} of ${ALL}`);
  }
  letGo();
  await closed(product, task, WITHIN_MS);
  return { task, target };
}
/** Returns the first test's target, or that of a run of its own where this test runs alone. */
const targetOf = async () => (copied ??= await copy()).target;

describe(`a run of ${IMAGES} images, ${MAVEN} Maven and ${NPM} npm versions with kills`, () => {
  test(
    "a run sends each image and package version once although every kind of process is killed",
    { timeout: 4 * WITHIN_MS },
    async () => {
      const { product } = rig;
      copied = await copy();
      const record = await closed(product, copied.task);
      expect(record).toMatchObject({
        status: "SUCCESS",
        errorReason: null,
        counts: { planned: ALL, success: ALL, failed: 0, notDone: 0, conflict: 0 },
      });
      const details = await product.details(record.id);
      expect(details.filter(({ status }) => status !== "SUCCESS")).toEqual([]);
      expect(
        new Set(
          details.map(
            ({ localRepoName, artifactName, version }) =>
              `${localRepoName} ${artifactName} ${version}`,
          ),
        ).size,
      ).toBe(ALL);
      expect(details).toHaveLength(ALL);
    },
  );

  test("after kills every image has its digest at the target, and every file and version its content", async () => {
    const { partner, edge } = rig;
    const target = await targetOf();
    expect(sorted(await listFiles(partner, target, "maven", sha256))).toEqual(
      sorted(seeded.maven),
    );
    const get = async (path: string) =>
      fetch(edge.url + path, { headers: { authorization: authorizationOf(edge) } });
    const bytesOf = async (path: string) =>
      Buffer.from(await (await get(path)).arrayBuffer());
    const images: Listing = new Map();
    await each(range(10), 4, async (at) => {
      const { tags } = (await (
        await get(`/v2/${target}/oci/team/app-${at}/tags/list`)
      ).json()) as {
        tags: string[];
      };
      for (const tag of tags)
        images.set(
          `team/app-${at}:${tag}`,
          `sha256:${sha256(await bytesOf(`/v2/${target}/oci/team/app-${at}/manifests/${tag}`))}`,
        );
    });
    expect(sorted(images)).toEqual(sorted(seeded.images));
    const npm: Listing = new Map();
    await each(
      [
        ...new Set(
          [...seeded.npm.keys()].map((key) => key.slice(0, key.lastIndexOf("@"))),
        ),
      ],
      4,
      async (name) => {
        const { versions } = (await (
          await get(`/npm/${target}/npm/${name.replace("/", "%2f")}`)
        ).json()) as {
          versions: Record<string, { dist: { tarball: string } }>;
        };
        for (const [version, { dist }] of Object.entries(versions))
          npm.set(
            `${name}@${version}`,
            integrity(await bytesOf(new URL(dist.tarball).pathname)),
          );
      },
    );
    expect(sorted(npm)).toEqual(sorted(seeded.npm));
  });
});

describe(`clients that read ${SAMPLE} random versions of each type from the target`, () => {
  test("crane pulls the copied images with their digests", async ({ skip }) => {
    const crane = (await findTool(CRANE)) ?? skip("crane is not available");
    const { edge } = rig;
    const target = await targetOf();
    const folder = mkdtempSync(join(home, "images-"));
    const registry = new URL(edge.url).host;
    const env = { ...process.env, DOCKER_CONFIG: home };
    await execute(
      crane,
      ["auth", "login", registry, "-u", edge.username, "-p", edge.password],
      { env },
    );
    await each(draw(seeded.images), 2, async (image) => {
      const [name = "", tag = ""] = image.split(":");
      const reference = `${registry}/${target}/oci/${name}`;
      await execute(
        crane,
        ["pull", "--insecure", "--format=oci", `${reference}:${tag}`, join(folder, tag)],
        { env },
      );
      const index = JSON.parse(readFileSync(join(folder, tag, "index.json"), "utf8")) as {
        manifests: { digest: string }[];
      };
      expect(index.manifests.map(({ digest }) => digest)).toEqual([
        seeded.images.get(image),
      ]);
    });
  });

  test("npm installs the copied packages with their integrity", async () => {
    const { edge } = rig;
    const client = npmClient(`${edge.url}/npm/${await targetOf()}/npm`, edge);
    try {
      const sample = draw(seeded.npm);
      const aliased = sample.map((key, at) => `drawn-${at}@npm:${key}`);
      const folder = client.folder("project", { name: "project", version: "1.0.0" });
      await client.run(folder, "install", "--no-audit", ...aliased);
      const lock = JSON.parse(
        readFileSync(join(client.home, folder, "package-lock.json"), "utf8"),
      ) as {
        packages: Record<string, { integrity?: string }>;
      };
      expect(
        sample.map((_, at) => lock.packages[`node_modules/drawn-${at}`]?.integrity),
      ).toEqual(sample.map((key) => seeded.npm.get(key)));
    } finally {
      client.remove();
    }
  });

  test("mvn resolves the copied artifacts with their content", async ({ skip }) => {
    const { edge } = rig;
    const url = `${edge.url}/maven/${await targetOf()}/maven`;
    const mvn =
      (await mvnClient({
        url,
        username: edge.username,
        password: edge.password,
        group: GROUP,
      })) ?? skip("Maven is not available");
    try {
      const jars = new Map(
        [...seeded.maven].filter(
          ([path]) => path.endsWith(".jar") && !path.endsWith("-sources.jar"),
        ),
      );
      // Takes only one version of each artifact, because a Maven build cannot resolve two.
      const sample = new Map(
        draw(jars, jars.size).map((path) => [path.split("/").at(-3), path]),
      );
      const drawn = [...sample.values()].slice(0, SAMPLE);
      const folder = await mvn.resolveAll(
        drawn.map((path) => path.split("/").slice(-3, -1).join(":")),
      );
      const got = drawn.map((path) => [
        path,
        sha256(readFileSync(join(folder, path.split("/").at(-1) ?? ""))),
      ]);
      expect(got).toEqual(drawn.map((path) => [path, seeded.maven.get(path)]));
    } finally {
      mvn.close();
    }
  });
});
