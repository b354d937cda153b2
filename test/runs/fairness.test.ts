import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  FILES,
  holdBefore,
  IMAGES,
  PROJECT,
  REPOSITORIES,
  repositories,
  startFairRig,
  type FairRig,
  type Held,
  type SmallWork,
} from "../rigs/runs/fairness-rig.ts";
import {
  closed,
  newest,
  unique,
  until,
  type TaskDraft,
  type TaskObject,
} from "../rigs/runs/run-fixture.ts";
import { each } from "../rigs/runs/run-sources.ts";

/**
 * Number of clusters whose transfers never end and so keep all that they use; no test here depends on
 * how long anything takes.
 */

const MANY_CLUSTERS = 40;
const REAL_TIME_CLUSTERS = 10;
const LINKED = 20;
const LISTED_TASKS = 10;

let rig: FairRig;
beforeAll(async () => {
  rig = await startFairRig();
});
afterAll(() => rig.end());

/**
 * The tasks and held connections of one test, ended after it. Tasks end first, so that no work goes on once a
 * connection is released.
 */
const begun: { tasks: string[]; held: Held[] } = { tasks: [], held: [] };
afterEach(async () => {
  const { tasks, held } = { tasks: begun.tasks.splice(0), held: begun.held.splice(0) };
  for (const key of tasks) await rig.product.stop(key).catch(() => undefined);
  for (const one of held) one.letGo();
  for (const key of tasks)
    await until(`the runs of ${key} end`, async () =>
      (await rig.product.records(key)).every(({ status }) => status !== "RUNNING"),
    );
  for (const key of tasks) await rig.product.remove(key);
  for (const one of held) await one.stop();
});

async function hold(...args: Parameters<typeof holdBefore>): Promise<Held> {
  const held = await holdBefore(...args);
  begun.held.push(held);
  return held;
}

async function run(draft: TaskDraft): Promise<string> {
  const key = await rig.product.run(draft);
  begun.tasks.push(key);
  return key;
}

/** Creates clusters that all lead to the same server, whose requests are held. */
const clusters = (
  count: number,
  url: string,
  type: "instance" | "registry",
): Promise<string[]> =>
  Promise.all(
    Array.from({ length: count }, () => {
      const name = unique("held-");
      return type === "instance"
        ? rig.product.partner(name, rig.edge, url)
        : rig.product.registry(name, url);
    }),
  );

const WORKS = [
  "a one-file run",
  "a REAL_TIME upload",
  "a one-image run",
] as const satisfies SmallWork[];
const ALL_WELL = {
  small: WORKS.map((work) => `${work} ended`),
  somethingIsHeld: true,
  heldRuns: "RUNNING",
};

/** Runs every kind of small work while the held requests stay held, and returns how each ended. */
async function besides(
  held: Held,
  tasks: string[],
): Promise<{ small: string[]; somethingIsHeld: boolean; heldRuns: string }> {
  console.log(`${await held.settled()} requests are held`);
  const small = await Promise.all(
    WORKS.map((work) =>
      rig.small[work]().then(
        () => `${work} ended`,
        (error: unknown) => `${work}: ${String(error)}`,
      ),
    ),
  );
  const somethingIsHeld = held.open() > 0;
  const runs = await Promise.all(
    tasks.map(async (key) => (await newest(rig.product, key)).status),
  );
  return { small, somethingIsHeld, heldRuns: [...new Set(runs)].join() };
}

describe("small work beside transfers that hang", { timeout: 900_000 }, () => {
  test(`small runs and uploads end while ${REPOSITORIES * FILES} files wait for a silent cluster`, async () => {
    const held = await hold(rig.edge.url);
    const [cluster = ""] = await clusters(1, held.proxy.url, "instance");
    const key = await run({
      projectId: PROJECT,
      objects: repositories,
      clusters: [cluster],
      setting: { conflictStrategy: "OVERWRITE" },
    });
    expect(await besides(held, [key])).toEqual(ALL_WELL);
    held.letGo();
    const all = REPOSITORIES * FILES;
    expect(await closed(rig.product, key)).toMatchObject({
      status: "SUCCESS",
      counts: { planned: all, success: all, failed: 0, notDone: 0 },
    });
  });

  test(`small runs and uploads end while ${FILES} files wait for ${MANY_CLUSTERS} silent clusters`, async () => {
    const held = await hold(rig.edge.url);
    const to = await clusters(MANY_CLUSTERS, held.proxy.url, "instance");
    const key = await run({
      projectId: PROJECT,
      objects: repositories.slice(0, 1),
      clusters: to,
      setting: { conflictStrategy: "OVERWRITE" },
    });
    expect(await besides(held, [key])).toEqual(ALL_WELL);
  });

  test(`small runs and uploads end while a REAL_TIME task sends to ${REAL_TIME_CLUSTERS} silent clusters`, async () => {
    const held = await hold(rig.edge.url);
    const projectId = unique("followed");
    await rig.product.project(projectId);
    for (const { localRepoName } of repositories)
      await rig.product.hosted(projectId, localRepoName);
    const to = await clusters(REAL_TIME_CLUSTERS, held.proxy.url, "instance");
    const key = await run({
      projectId,
      objects: repositories,
      clusters: to,
      replicaType: "REAL_TIME",
    });
    await each(repositories, 5, async ({ localRepoName }) => {
      for (let at = 0; at < 20; at += 1)
        await rig.product.upload(
          projectId,
          localRepoName,
          `/file-${at}.bin`,
          Buffer.from(`${at}`),
        );
    });
    expect(await besides(held, [key])).toEqual(ALL_WELL);
  });

  test(`small runs and uploads end while images wait for ${REAL_TIME_CLUSTERS} silent registries`, async () => {
    const held = await hold(rig.target.url);
    const to = await clusters(REAL_TIME_CLUSTERS, held.proxy.url, "registry");
    const objects = await linked(LINKED, rig.source.url);
    const key = await run({ ...objects, clusters: to });
    expect(await besides(held, [key])).toEqual(ALL_WELL);
  });

  test(`small runs and uploads end while the listings of ${LISTED_TASKS} tasks wait for a silent source`, async () => {
    const held = await hold(rig.source.url);
    const keys: string[] = [];
    for (let at = 0; at < LISTED_TASKS; at += 1)
      keys.push(
        await run({
          ...(await linked(REPOSITORIES, held.proxy.url)),
          clusters: [rig.registryCluster],
        }),
      );
    expect(await besides(held, keys)).toEqual(ALL_WELL);
  });

  test(`small runs and uploads end while ${LINKED * IMAGES} images wait for a source that sends no blob`, async () => {
    const held = await hold(rig.source.url, (path) => path.includes("/blobs/"));
    const key = await run({
      ...(await linked(LINKED, held.proxy.url)),
      clusters: [rig.registryCluster],
    });
    expect(await besides(held, [key])).toEqual(ALL_WELL);
  });
});

/**
 * Creates a project of linked repositories. Each of them is the whole source and has a place of its own
 * at the target.
 */
async function linked(
  count: number,
  url: string,
): Promise<{ projectId: string; objects: TaskObject[] }> {
  const projectId = unique("images");
  await rig.product.project(projectId);
  const names = Array.from({ length: count }, (_, at) => `images-${at}`);
  for (const name of names) await rig.product.linked(projectId, name, url);
  return {
    projectId,
    objects: names.map((name): TaskObject => ({
      localRepoName: name,
      repoType: "OCI",
      remoteProjectId: projectId,
      remoteRepoName: name,
    })),
  };
}
