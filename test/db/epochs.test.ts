import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Db } from "../../db/open.ts";
import { takeBatch } from "../../db/runs/batch.ts";
import { cutBatches } from "../../db/runs/cut.ts";
import { takeReports } from "../../db/runs/outcomes.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { detail } from "../../db/schema/records.ts";
import { noParts, type ArtifactResult } from "../../domain/outcome.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import { FILES } from "../rigs/db/drain-fixture.ts";
import { addFiles, openRun } from "../rigs/db/planned-run.ts";
import { openTestDb, removeTestDb } from "../rigs/db/test-db.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");
const WINDOW = 60_000;

let db: Db;
let recordId: string;
let clusterId: string;

beforeEach(() => {
  db = openTestDb();
  addRepository(db, "p", "files", "GENERIC");
  addFiles(db, ["/a", "/b"], NOW);
  clusterId = addCluster(db, "target");
  recordId = openRun(db, FILES, [clusterId], NOW);
  while (!planHostedPage(db, recordId, 0, { ...FILES, projectId: "p" }, NOW));
});
afterEach(() => removeTestDb(db));

const cut = (number: number, now = NOW) =>
  cutBatches(db, { recordId, object: 0, clusterId, cut: number, most: 4 }, now);
const take = (number = 1) => {
  const batch = takeBatch(db, recordId, number, NOW);
  if (batch.kind !== "batch") throw new Error(JSON.stringify(batch));
  return batch;
};
const tell = (
  number: number,
  epoch: number,
  seq: number,
  result: ArtifactResult | null,
  now = NOW,
  more: { unsent?: true } = {},
) => {
  const outcome = result && {
    ...more,
    result,
    digest: null,
    size: 0,
    parts: noParts(),
    bytesSent: 0,
  };
  const report = {
    seq,
    name: seq === 1 ? "/a" : "/b",
    version: "",
    sizePlanned: true,
    size: 0,
    startTime: NOW,
    bytesSent: 0,
    uploads: [],
    outcome,
  };
  return takeReports(db, { recordId, number, epoch, reports: [report] }, WINDOW, now);
};
const again = (more: object = {}): ArtifactResult => ({
  kind: "again",
  reason: "it answered 503",
  notBefore: null,
  uploads: [],
  throttled: false,
  ...more,
});
const rows = () =>
  db.select().from(detail).where(eq(detail.recordId, recordId)).orderBy(detail.seq).all();

test("reports about a batch that another worker has taken over are refused, and their worker is stopped", () => {
  cut(1);
  const first = take();
  const second = take();
  expect(tell(1, first.epoch, 1, { kind: "sent" })).toEqual({
    stop: "another worker has taken the batch over",
  });
  expect(rows()).toEqual([]);
  expect(tell(1, second.epoch, 1, { kind: "sent" })).toEqual({ stop: null });
  expect(rows()).toMatchObject([{ seq: 1, status: "SUCCESS" }]);
});

test("a worker that takes a batch again gets only artifacts without outcome, and learns which had begun", () => {
  cut(1);
  const { epoch, artifacts } = take();
  expect(artifacts).toMatchObject([
    { name: "/a", begun: false },
    { name: "/b", begun: false },
  ]);
  tell(1, epoch, 1, { kind: "sent" });
  tell(1, epoch, 2, null);
  expect(take().artifacts).toMatchObject([{ name: "/b", begun: true }]);
});

test("an artifact whose tries changed nothing at the target has not begun, until a worker of its batch dies", () => {
  cut(1);
  tell(1, take().epoch, 1, again(), NOW, { unsent: true });
  cut(2, NOW + 5_000);
  const second = take(2);
  expect(second.artifacts).toMatchObject([{ name: "/a", begun: false }]);
  tell(2, second.epoch, 1, again(), NOW + 5_000, { unsent: true });
  cut(3, NOW + 20_000);
  take(3);
  expect(take(3).artifacts).toMatchObject([{ name: "/a", begun: true }]);
});

test("an artifact has begun after a try that may have sent it, and after one whose end is unknown", () => {
  cut(1);
  const { epoch } = take();
  tell(1, epoch, 1, again());
  tell(1, epoch, 2, again(), NOW, { unsent: true });
  cut(2, NOW + 5_000);
  const second = take(2);
  expect(second.artifacts).toMatchObject([
    { name: "/a", begun: true },
    { name: "/b", begun: false },
  ]);
  tell(2, second.epoch, 2, null, NOW + 5_000);
  expect(take(2).artifacts.map(({ begun }) => begun)).toEqual([true, true]);
});

test("a recorded outcome never changes, and a try that is reported twice counts once", () => {
  cut(1);
  const { epoch } = take();
  tell(1, epoch, 1, { kind: "sent" });
  tell(1, epoch, 1, {
    kind: "failed",
    reason: "late",
    conflict: false,
    stopsCluster: false,
  });
  tell(1, epoch, 2, again());
  tell(1, epoch, 2, again(), NOW + 1_000);
  expect(rows()).toMatchObject([
    { status: "SUCCESS", errorReason: null },
    { status: "RUNNING", again: true, tries: 1, notBefore: NOW + 2_000 },
  ]);
});

test("an artifact returned untried keeps its number of tries, is due sooner, and is sent before tried ones", () => {
  cut(1);
  const { epoch } = take();
  tell(1, epoch, 1, again());
  tell(1, epoch, 2, again({ untried: true }));
  expect(rows()).toMatchObject([
    { tries: 1, notBefore: NOW + 2_000 },
    { tries: 0, notBefore: NOW + 1_000 },
  ]);
  expect(cut(2)).toMatchObject({ batches: [], left: true, due: NOW + 1_000 });
  expect(cut(3, NOW + 5_000)).toMatchObject({
    batches: [{ summary: "files: 2 files → target, again: it answered 503" }],
    left: false,
  });
  expect(take(2).artifacts.map(({ name }) => name)).toEqual(["/b", "/a"]);
});

test("a repeated cut returns the same batches, and reports that a later cut found more", () => {
  const before = cut(1);
  const { epoch } = take();
  tell(1, epoch, 1, again());
  cut(2, NOW + 5_000);
  expect(cut(1)).toEqual({ ...before, left: true });
  expect(cut(2).batches).toHaveLength(1);
});
