import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTargetPages } from "../../activities/control/target-pages.ts";
import { type Db, write } from "../../db/open.ts";
import { deleteRecord, findRecord } from "../../db/records/records.ts";
import { takeBatch } from "../../db/runs/batch.ts";
import { closeRecord, requestStop, toldClosed } from "../../db/runs/close.ts";
import { cutBatches } from "../../db/runs/cut.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { snapshotOf } from "../../db/records/snapshots.ts";
import { runTargets } from "../../db/runs/targets.ts";
import { insertTask, readObjects } from "../../db/tasks/tasks.ts";
import type { TaskObject } from "../../domain/task.ts";
import { addCluster, addRecord, addRepository } from "../rigs/db/rows.ts";
import { FILES } from "../rigs/db/drain-fixture.ts";
import { addManyNodes, TASK } from "../rigs/db/planned-run.ts";
import { openTestDb, removeTestDb } from "../rigs/db/test-db.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");
const OBJECTS = 10_000;
const CLUSTERS = 20;

let db: Db;

beforeEach(() => {
  db = openTestDb();
  addRepository(db, "p", "files", "GENERIC");
  addRepository(db, "p", "npm", "NPM");
});
afterEach(() => removeTestDb(db));

const by = { user: "tester", now: NOW };
const saved = (name: string, objects: readonly TaskObject[], clusterIds: string[]) =>
  insertTask(db, { ...TASK, name }, objects, clusterIds, by) ??
  expect.fail("the name is taken");

describe("a run of 10,000 objects for 20 clusters", () => {
  const objects = Array.from({ length: OBJECTS }, (_, at): TaskObject => ({
    ...FILES,
    remoteRepoName: `copy-${at}`,
    pathConstraints: [{ path: `/folder-${at % 50}/file-${at}` }],
  }));

  test("a run of 10,000 objects is planned, cut into batches, handed out and closed, object by object", async () => {
    addManyNodes(db, "files", OBJECTS);
    const clusterIds = Array.from({ length: CLUSTERS }, (_, at) =>
      addCluster(db, `cluster-${at}`),
    );
    const key = saved("big", objects, clusterIds);
    expect(readObjects(db, key)).toEqual(objects);
    const recordId = addRecord(db, key, NOW);
    expect(snapshotOf(db, recordId)?.objects).toEqual(
      objects.map((object) => ({ ...object, category: "LOCAL" })),
    );
    expect(runTargets(db, recordId)).toEqual({
      problems: [],
      targets: clusterIds.map((clusterId, at) => ({
        object: null,
        clusterId,
        label: `p → cluster-${at}`,
        id: `cluster-${at}`,
        cluster: `cluster-${at}`,
        files: true,
        soon: true,
      })),
    });
    for (const at of [0, OBJECTS - 1]) {
      const object = {
        ...FILES,
        pathConstraints: [{ path: `/folder-${at % 50}/file-${at}` }],
      };
      while (!planHostedPage(db, recordId, at, { ...object, projectId: "p" }, NOW));
      const [batch] = cutBatches(
        db,
        { recordId, object: at, clusterId: clusterIds[0] ?? "", cut: at + 1, most: 4 },
        NOW,
      ).batches;
      expect(takeBatch(db, recordId, batch?.number ?? 0, NOW)).toMatchObject({
        kind: "batch",
        artifacts: [{ name: `/folder-${at % 50}/file-${at}` }],
      });
    }
    expect(findRecord(db, recordId)?.overview).toMatchObject({
      planned: 2 * CLUSTERS,
      notDone: 2 * CLUSTERS,
    });
    expect(await closeRecord(db, recordId, null, () => NOW)).toMatchObject({
      status: "FAILED",
      planned: 2 * CLUSTERS,
      errorReason: `${2 * CLUSTERS} of ${2 * CLUSTERS} artifacts were not handled`,
    });
  });

  test("a run that cannot send anything names only the first 10 reasons", () => {
    const clusterIds = Array.from({ length: CLUSTERS }, (_, at) =>
      addCluster(db, `registry-${at}`, "REMOTE"),
    );
    const recordId = addRecord(db, saved("unsuited", objects, clusterIds), NOW);
    const { targets, problems } = runTargets(db, recordId);
    expect([targets, problems.length]).toEqual([[], 10]);
    expect(problems[0]).toMatch(
      /^files → registry-0: files of a hosted GENERIC repository can be sent to another instance/,
    );
  });
});

describe("the targets of a run", () => {
  test("a run's targets are returned in pages, each once, also to a caller that starts in the middle", () => {
    const clusterIds = Array.from({ length: 30 }, (_, at) =>
      addCluster(db, `cluster-${at}`),
    );
    const recordId = addRecord(db, saved("paged", [FILES], clusterIds), NOW);
    const read = (page: ReturnType<typeof createTargetPages>, begin: number) => {
      const told: string[] = [];
      for (let from: number | null = begin; from !== null;) {
        const { targets, next } = page(recordId, from);
        told.push(...targets.map(({ clusterId }) => clusterId));
        from = next;
      }
      return told;
    };
    const page = createTargetPages(db);
    expect(read(page, 0)).toEqual(clusterIds);
    expect(read(page, 0)).toEqual(clusterIds);
    expect(read(createTargetPages(db), 24)).toEqual(clusterIds.slice(24));
  });
});

describe("the snapshot that a run keeps of its task", () => {
  const packageConstraints = Array.from({ length: 10_000 }, (_, at) => ({
    packageKey: `npm://package-${at}`,
    versions: ["1.0.0"],
  }));
  const open = (now: number) =>
    addRecord(
      db,
      saved(
        `task ${now}`,
        [{ ...FILES, localRepoName: "npm", repoType: "NPM", packageConstraints }],
        [addCluster(db, `cluster ${now}`)],
      ),
      now,
    );

  test("a run's snapshot of its task is parsed once for all reads, inside and outside of transactions", () => {
    const recordId = open(NOW);
    const first = snapshotOf(db, recordId);
    expect(first?.objects[0]?.packageConstraints).toEqual(packageConstraints);
    expect(snapshotOf(db, recordId)).toBe(first);
    write(db, (tx) => expect(snapshotOf(tx, recordId)).toBe(first));
  });

  test("a run's snapshot is parsed again after many others were read, and is deleted with its record", async () => {
    const recordId = open(NOW);
    const others = Array.from({ length: 8 }, (_, at) => open(NOW + at + 1));
    const first = snapshotOf(db, recordId);
    for (const other of others)
      expect(snapshotOf(db, other)?.taskName).not.toBe(first?.taskName);
    expect(snapshotOf(db, recordId)).not.toBe(first);
    expect(snapshotOf(db, recordId)).toEqual(first);
    await deleteRecord(db, recordId);
    expect(snapshotOf(db, recordId)).toBeNull();
    write(db, (tx) => expect(snapshotOf(tx, recordId)).toBeNull());
  });
});

test("a long reason for the end of a run is shortened for the workflow, and complete in the record", async () => {
  const recordId = addRecord(db, saved("stopped", [FILES], [addCluster(db, "one")]), NOW);
  requestStop(db, recordId, "x".repeat(1_900));
  expect(toldClosed(await closeRecord(db, recordId, null, () => NOW))?.errorReason).toBe(
    "x".repeat(1_000),
  );
  expect(findRecord(db, recordId)?.errorReason).toBe("x".repeat(1_900));
});
