import { afterEach, beforeEach, expect, test } from "vitest";
import type { Db } from "../../db/open.ts";
import { takeBatch } from "../../db/runs/batch.ts";
import { cutBatches } from "../../db/runs/cut.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { findRecord, newestRecordBytes, pageRecords } from "../../db/records/records.ts";
import { takeAllReports } from "../../db/runs/take-reports.ts";
import { detail } from "../../db/schema/records.ts";
import { inTurn } from "../../db/turns.ts";
import { noParts } from "../../domain/outcome.ts";
import type { ArtifactReport } from "../../domain/worker-messages.ts";
import { addCluster, addRepository, talliesOf } from "../rigs/db/rows.ts";
import { FILES } from "../rigs/db/drain-fixture.ts";
import { addFiles, addManyNodes, openRun } from "../rigs/db/planned-run.ts";
import { openTestDb, removeTestDb } from "../rigs/db/test-db.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");
const COUNT = 1_000;

let db: Db;

beforeEach(() => {
  db = openTestDb();
  addRepository(db, "p", "files", "GENERIC");
});
afterEach(() => removeTestDb(db));

const sent = (seq: number, name: string): ArtifactReport => {
  const outcome: ArtifactReport["outcome"] = {
    result: { kind: "sent" },
    digest: null,
    size: 10,
    parts: noParts(),
    bytesSent: 10,
  };
  return {
    seq,
    name,
    version: "",
    sizePlanned: true,
    size: 10,
    startTime: NOW,
    bytesSent: 10,
    uploads: [],
    outcome,
  };
};

test("a worker's report of a thousand artifacts is recorded 50 at a time, and then its batch is done", async () => {
  addManyNodes(db, "files", 8 * COUNT);
  const clusterId = addCluster(db, "one");
  const recordId = openRun(db, FILES, [clusterId], NOW);
  while (!planHostedPage(db, recordId, 0, { ...FILES, projectId: "p" }, NOW));
  const [cut] = cutBatches(
    db,
    { recordId, object: 0, clusterId, cut: 1, most: 1 },
    NOW,
  ).batches;
  const number = cut?.number ?? 0;
  const batch = takeBatch(db, recordId, number, NOW);
  const artifacts = batch.kind === "batch" ? batch.artifacts : [];
  const epoch = batch.kind === "batch" ? batch.epoch : 0;
  expect(artifacts).toHaveLength(COUNT);
  const reports = artifacts.map(({ seq, name }) => sent(seq, name));
  const seen: number[] = [];
  const over = new Set<string>();
  const taken = takeAllReports(
    db,
    { recordId, number, epoch, reports, done: { interrupted: false } },
    0,
    () => NOW,
  ).finally(() => over.add("taken"));
  while (over.size === 0)
    await inTurn(() => seen.push(talliesOf(db, recordId)[0]?.success ?? 0));
  expect(await taken).toMatchObject({ stop: null, rest: 0 });
  expect([...new Set([...seen, COUNT])]).toEqual(
    Array.from({ length: COUNT / 50 + 1 }, (_, at) => at * 50).slice(
      seen[0] === 0 ? 0 : 1,
    ),
  );
  expect(talliesOf(db, recordId)).toMatchObject([
    { success: COUNT, failed: 0, running: 0 },
  ]);
  expect(takeBatch(db, recordId, number, NOW)).toEqual({ kind: "done" });
});

test("the answer to a worker's empty report says whether its batch may go on", async () => {
  expect(
    await takeAllReports(
      db,
      { recordId: "none", number: 1, epoch: 1, reports: [] },
      0,
      () => NOW,
    ),
  ).toEqual({
    stop: "the run is over",
  });
});

test("a record stays readable when its sizes, reported now or before, add up to more than 64 bits", async () => {
  const clusters = ["one", "two"].map((name) => addCluster(db, name));
  addFiles(db, ["/a", "/b"], NOW);
  const recordId = openRun(db, FILES, clusters, NOW);
  while (!planHostedPage(db, recordId, 0, { ...FILES, projectId: "p" }, NOW));
  for (const clusterId of clusters) {
    const [cut] = cutBatches(
      db,
      { recordId, object: 0, clusterId, cut: 1, most: 1 },
      NOW,
    ).batches;
    const number = cut?.number ?? 0;
    const batch = takeBatch(db, recordId, number, NOW);
    if (batch.kind !== "batch") throw new Error(`the batch is ${batch.kind}`);
    const reports = batch.artifacts.map(({ seq, name }) => huge(seq, name));
    await takeAllReports(
      db,
      { recordId, number, epoch: batch.epoch, reports },
      0,
      () => NOW,
    );
  }
  const most = Number.MAX_SAFE_INTEGER;
  expect(db.select({ size: detail.size }).from(detail).all()).toEqual(
    Array.from({ length: 4 }, () => ({ size: most })),
  );
  expect(findRecord(db, recordId)).toMatchObject({
    replicatedBytes: 4 * most,
    totalBytes: 4 * most,
  });
  db.update(detail)
    .set({ size: 600 * most })
    .run();
  const bytes = 4 * 600 * most;
  const view = findRecord(db, recordId);
  expect(view).toMatchObject({ replicatedBytes: bytes, totalBytes: bytes });
  expect(pageRecords(db, view?.taskKey ?? "", undefined, 0, 10).records).toEqual([view]);
  expect([...newestRecordBytes(db, [view?.taskKey ?? ""]).values()]).toEqual([
    { replicatedBytes: bytes, totalBytes: bytes },
  ]);
});

function huge(seq: number, name: string): ArtifactReport {
  const { outcome, ...report } = sent(seq, name);
  return {
    ...report,
    sizePlanned: false,
    bytesSent: 2 ** 70,
    outcome: outcome && { ...outcome, size: 600 * Number.MAX_SAFE_INTEGER },
  };
}
