import { authorizationOf } from "../rigs/runs/instance.ts";
import { sha256, type RecordDetail, type RecordInfo } from "../rigs/runs/run-fixture.ts";
import { listFiles, listImages } from "../rigs/runs/run-judge.ts";
import { each, type Listing } from "../rigs/runs/run-sources.ts";
import {
  differences,
  digestsOf,
  type Get,
  json,
  lackedRoom,
  listNpm,
  statusOf,
} from "./listings.ts";
import { crowdTargets, type RoundRun } from "./load-crowd.ts";
import type { Kept } from "./load-kept.ts";
import type { Followed } from "./load-slots.ts";
import type { Round } from "./load-round.ts";
import { PROJECT, type World } from "./world.ts";

/** Number of newest records of each followed repository whose details are checked. */
const NEWEST = 15;

/** Compares both ends byte by byte with what was uploaded, and every record of the round with its expected content. */
export async function verifyRound(
  world: World,
  round: Round,
  runs: readonly RoundRun[],
  { followed, kept }: { followed: readonly Followed[]; kept: Kept },
): Promise<void> {
  const all = new Map([...kept.paths].map(([digest, path]) => [path, digest]));
  for (const [end, of] of [
    ["source", world.product],
    ["target", world.partner],
  ] as const)
    same(world, `${kept.name} at the ${end}`, all, await digestsOf(of, kept.name));
  for (const run of runs) await verifyRun(world, run);
  for (const one of followed) await verifyFollowed(world, one);
  await verifyContents(world, round);
  for (const [name, count] of crowdTargets(round.name)) {
    const source = await digestsOf(world.product, name.slice(round.name.length + 1));
    same(world, `${name}, ${count} files`, source, await digestsOf(world.partner, name));
  }
}

function same({ journal }: World, what: string, wanted: Listing, found: Listing): void {
  journal.count("artifacts compared at a target", wanted.size);
  const difference = differences(wanted, found);
  if (difference !== null)
    journal.violated("nothing is lost, foreign or different", `${what}: ${difference}`);
}

/** Checks that a run succeeded despite the troubles, with exactly one detail for each artifact and cluster. */
async function verifyRun(
  { product, journal }: World,
  { name, task, details, again }: RoundRun,
): Promise<void> {
  const records = await product.records(task);
  const [record] = records;
  if (records.length !== (again ? 2 : 1))
    journal.violated("an execution has one record", `${name}: ${records.length}`);
  if (record?.status !== "SUCCESS")
    return journal.violated(
      "runs succeed once troubles have passed",
      `${name}: ${statusOf(record)}`,
    );
  const rows = await product.details(record.id);
  once(journal, name, rows);
  if (rows.length !== details || record.replicaOverview?.planned !== details)
    journal.violated(
      "every artifact is recorded once",
      `${name}: ${rows.length} details, planned ${record.replicaOverview?.planned}, wanted ${details}`,
    );
  const open = rows.filter(
    ({ status, endTime }) => status !== "SUCCESS" || endTime === null,
  );
  if (open.length > 0)
    journal.violated(
      "details agree with their record",
      `${name}: ${open.length} are not SUCCESS: ${JSON.stringify(open[0])}`,
    );
}

const keyOf = ({ remoteCluster, localRepoName, artifactName, version }: RecordDetail) =>
  `${remoteCluster} ${localRepoName} ${artifactName} ${version}`;

function once(journal: World["journal"], name: string, rows: RecordDetail[]): void {
  journal.count("details looked at", rows.length);
  const doubled = rows.length - new Set(rows.map(keyOf)).size;
  if (doubled > 0)
    journal.violated(
      "every artifact is recorded once",
      `${name}: ${doubled} rows are there twice`,
    );
}

/**
 * Checks that source and target have exactly the acknowledged contents, and that records name only contents that
 * existed.
 */
async function verifyFollowed(
  world: World,
  { name, task, contents, ever }: Followed,
): Promise<void> {
  const { product, partner, journal } = world;
  same(
    world,
    `${name} at the source`,
    contents,
    await listFiles(product, PROJECT, name, sha256),
  );
  same(
    world,
    `${name} at the target`,
    contents,
    await listFiles(partner, PROJECT, name, sha256),
  );
  const { records } = await product.call<{ records: RecordInfo[] }>(
    "GET",
    `/replication/api/task/record/page/${task}?pageNumber=1&pageSize=${NEWEST}`,
  );
  for (const record of records) {
    const rows = await product.details(record.id);
    once(journal, `${name} ${record.id}`, rows);
    const unknown = rows.find(
      ({ artifactName, sha256: digest, status }) =>
        status === "SUCCESS" && digest !== null && !ever.get(artifactName)?.has(digest),
    );
    if (unknown)
      journal.violated(
        "only contents that existed are sent",
        `${name}: ${JSON.stringify(unknown)}`,
      );
    // The task `live` may have failed records: a drain gives up after a minute, and another follows. A
    // scheduled run must not fail, except where a full disk refuses what the next run sends.
    if (record.status === "FAILED" && name !== "live" && !lackedRoom(rows))
      journal.violatedOnce(
        "runs succeed once troubles have passed",
        record.id,
        `${name}: ${statusOf(record)}`,
      );
  }
}

async function verifyContents(world: World, round: Round): Promise<void> {
  const { product, partner, target, ends } = world;
  const { name } = round;
  for (const [end, of] of [
    ["source", product],
    ["target", partner],
  ] as const) {
    same(
      world,
      `${name} files at the ${end}`,
      round.files,
      await listFiles(of, PROJECT, `${name}-files`, sha256),
    );
    same(
      world,
      `${name} Maven at the ${end}`,
      round.maven,
      await listFiles(of, PROJECT, `${name}-maven`, sha256),
    );
  }
  const { instance } = ends.second;
  const headers = { authorization: authorizationOf(instance) };
  const get = async (path: string) => fetch(instance.url + path, { headers });
  same(
    world,
    `${name} npm at the target`,
    round.npm,
    await listNpm(`${PROJECT}/${name}-npm`, round.npm.keys(), get),
  );
  same(
    world,
    `${name} hosted images at the target`,
    round.hostedImages,
    await listHostedImages(round, get),
  );
  const images = await listImages(target.host, name);
  same(
    world,
    `${name} images at the target`,
    round.images,
    new Map([...images].map(([image, digest]) => [`${name}/${image}`, digest])),
  );
}

async function listHostedImages(
  { name, hostedImages }: Round,
  get: Get,
): Promise<Listing> {
  const found: Listing = new Map();
  await each(
    [...new Set([...hostedImages.keys()].map((key) => key.split(":")[0]))],
    4,
    async (image) => {
      const { tags = [] } = await json<{ tags?: string[] }>(
        get(`/v2/${PROJECT}/${name}-oci/${image}/tags/list`),
      );
      for (const tag of tags) {
        const bytes = await (
          await get(`/v2/${PROJECT}/${name}-oci/${image}/manifests/${tag}`)
        ).arrayBuffer();
        found.set(`${image}:${tag}`, `sha256:${sha256(Buffer.from(bytes))}`);
      }
    },
  );
  return found;
}
