import { asc, eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Db } from "../../db/open.ts";
import { deleteRecord, findRecord } from "../../db/records/records.ts";
import { closeRecord, requestStop } from "../../db/runs/close.ts";
import { takeReports } from "../../db/runs/outcomes.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { PAGE } from "../../db/plan/rows.ts";
import { listingRequest, takeListingFailure, takePage } from "../../db/plan/listed.ts";
import { snapshotOf } from "../../db/records/snapshots.ts";
import { runTargets } from "../../db/runs/targets.ts";
import { dispatch, plan } from "../../db/schema/plans.ts";
import { detail } from "../../db/schema/records.ts";
import { newId } from "../../domain/ids.ts";
import {
  addCluster,
  addManyDetails,
  addRepository,
  setPlanned,
} from "../rigs/db/rows.ts";
import { FILES, paths } from "../rigs/db/drain-fixture.ts";
import { addFiles, openRun } from "../rigs/db/planned-run.ts";
import { openTestDb, removeTestDb } from "../rigs/db/test-db.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");

let db: Db;

beforeEach(() => {
  db = openTestDb();
  addRepository(db, "p", "files", "GENERIC");
  addRepository(db, "p", "images", "OCI", "REMOTE");
});
afterEach(() => removeTestDb(db));

/** Opens a run of a new task, to a new cluster unless `clusterIds` names others. */
const open = (
  object: typeof FILES,
  clusterIds = [
    addCluster(db, newId(), object.repoType === "OCI" ? "REMOTE" : "STANDALONE"),
  ],
) => openRun(db, object, clusterIds, NOW);
const upload = (...list: string[]) => addFiles(db, list, NOW);

const page = (recordId: string, object: typeof FILES) =>
  planHostedPage(db, recordId, 0, { ...object, projectId: "p" }, NOW);

function planned(object: typeof FILES): { name: string; problem: string | null }[] {
  const recordId = open(object);
  while (!page(recordId, object));
  return rowsOf(recordId).map(({ name, problem }) => ({ name, problem }));
}

const rowsOf = (recordId: string) =>
  db.select().from(plan).where(eq(plan.recordId, recordId)).orderBy(asc(plan.seq)).all();
const found = (...names: string[]) => names.map((name) => ({ name, problem: null }));

test("a file that matches several paths is planned once, and only paths without a match are reported", () => {
  upload("/a/x.bin", "/a/y.txt", "/a/deep/z.bin");
  expect(planned(paths("/a", "/a/*.bin", "/a/y.txt"))).toEqual(
    found("/a/deep/z.bin", "/a/x.bin", "/a/y.txt"),
  );
  expect(planned(paths("/a/x.bin", "/a/*"))).toEqual(found("/a/x.bin", "/a/y.txt"));
  expect(planned(paths("/a/*.zip", "/a/y.txt"))).toEqual([
    { name: "/a/*.zip", problem: "nothing matches path /a/*.zip in p/files" },
    ...found("/a/y.txt"),
  ]);
});

test("a folder of many files is searched to its end, even if only one file matches", () => {
  upload(
    ...Array.from(
      { length: 5_001 },
      (_, at) => `/many/${String(at).padStart(5, "0")}.bin`,
    ),
    "/many/zz.txt",
  );
  expect(planned(paths("/many/*.txt"))).toEqual(found("/many/zz.txt"));
  expect(planned(paths("/many/*0.bin", "/many/*.bin"))).toHaveLength(5_001);
});

test("a run that was stopped or has ended is not planned any further", async () => {
  upload(...Array.from({ length: 6_000 }, (_, at) => `/${at}`));
  const stopped = open(FILES);
  expect(page(stopped, FILES)).toBe(false);
  requestStop(db, stopped, "stopped by tester");
  expect(page(stopped, FILES)).toBe(true);
  expect(rowsOf(stopped)).toHaveLength(PAGE);
  await closeRecord(db, stopped, null, () => NOW);
  expect(page(stopped, FILES)).toBe(true);
  expect(rowsOf(stopped)).toEqual([]);
  expect(findRecord(db, stopped)).toMatchObject({
    status: "FAILED",
    errorReason: "stopped by tester",
    overview: { planned: PAGE, notDone: PAGE },
  });

  const images = { ...FILES, localRepoName: "images", repoType: "OCI" } as const;
  const listed = open(images);
  takePage(db, listed, 0, 0, [{ name: "a", version: "1" }], "more");
  requestStop(db, listed, "stopped by tester");
  expect(listingRequest(db, listed, 0)).toEqual({ kind: "over" });
});

test("artifacts of an incomplete listing are not planned, and none of them counts as not done", async () => {
  const recordId = open({ ...FILES, localRepoName: "images", repoType: "OCI" });
  takePage(db, recordId, 0, 0, [{ name: "a", version: "1" }], "more");
  takeListingFailure(
    db,
    recordId,
    0,
    { reason: "it answered 401", retryable: false, notBefore: null },
    () => null,
    NOW,
  );
  await closeRecord(db, recordId, null, () => NOW);
  expect(findRecord(db, recordId)).toMatchObject({
    status: "FAILED",
    errorReason: "it answered 401",
    overview: { planned: 0, notDone: 0 },
  });
  expect(rowsOf(recordId)).toEqual([]);
});

test("closing a large run keeps only the plan rows of failed artifacts", async () => {
  const clusterIds = [
    addCluster(db, "one", "STANDALONE"),
    addCluster(db, "two", "STANDALONE"),
  ];
  const recordId = open(FILES, clusterIds);
  upload(...Array.from({ length: 20_000 }, (_, at) => `/f/${at}`));
  while (!page(recordId, FILES));
  for (const clusterId of clusterIds) addManyDetails(db, recordId, clusterId, 20_000);
  setPlanned(db, recordId, 20_000, 0);
  await closeRecord(db, recordId, null, () => NOW);
  const kept = rowsOf(recordId).map(({ seq }) => seq);
  expect(kept).toHaveLength(5_000);
  expect(kept.every((seq) => seq % 4 === 0)).toBe(true);
});

test("plan pages and reports that arrive while their record is being deleted leave no rows", async () => {
  upload(...Array.from({ length: 12_000 }, (_, at) => `/${at}`));
  const recordId = open(FILES);
  const clusterId = snapshotOf(db, recordId)?.clusters[0]?.id ?? "";
  expect(page(recordId, FILES)).toBe(false);
  db.insert(dispatch)
    .values({
      recordId,
      number: 1,
      object: 0,
      clusterId,
      cut: 1,
      fromSeq: 1,
      toSeq: 5_000,
      epoch: 1,
    })
    .run();
  addManyDetails(db, recordId, clusterId, 3_000);
  const waiting = new Set([recordId]);
  const deleted = deleteRecord(db, recordId).finally(() => waiting.delete(recordId));
  const report = {
    seq: 4_000,
    name: "/late",
    version: "",
    sizePlanned: true,
    size: 1,
    startTime: NOW,
    bytesSent: 0,
    uploads: [],
    outcome: null,
  };
  while (waiting.size > 0) {
    page(recordId, FILES);
    takeReports(db, { recordId, number: 1, epoch: 1, reports: [report] }, 0, NOW);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await deleted;
  expect(rowsOf(recordId)).toEqual([]);
  expect(db.select().from(detail).where(eq(detail.recordId, recordId)).all()).toEqual([]);
});

test("the targets of a run have different ids, for any names of clusters and repositories", () => {
  const clusterIds = ["edge/1", "edge_1", "edge/2"].map((name) =>
    addCluster(db, name, "STANDALONE"),
  );
  addRepository(db, "p", "others", "GENERIC");
  const recordId = openRun(
    db,
    [FILES, { ...FILES, remoteRepoName: "again" }, { ...FILES, localRepoName: "others" }],
    clusterIds,
    NOW,
  );
  const { targets } = runTargets(db, recordId);
  expect(targets.map(({ id }) => id)).toEqual(
    ["edge_1~1", "edge_1~2", "edge_2"].flatMap((to) => [
      `${to}/files~1`,
      `${to}/files~2`,
      `${to}/others`,
    ]),
  );
  expect(new Set(targets.map(({ cluster }) => cluster))).toEqual(
    new Set(["edge/1", "edge_1", "edge/2"]),
  );
});

test("a run of more than 300 pairs of object and cluster has one target for each cluster", () => {
  const clusterIds = Array.from({ length: 301 }, (_, at) =>
    addCluster(db, `cluster-${at}`, "STANDALONE"),
  );
  const recordId = open(FILES, clusterIds);
  const { targets, problems } = runTargets(db, recordId);
  expect(problems).toEqual([]);
  expect(targets.map(({ clusterId, object }) => [clusterId, object])).toEqual(
    clusterIds.map((id) => [id, null]),
  );
});
