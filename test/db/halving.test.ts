import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Db } from "../../db/open.ts";
import { takeBatch } from "../../db/runs/batch.ts";
import { cutBatches } from "../../db/runs/cut.ts";
import { takeReports } from "../../db/runs/outcomes.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { isolateBatch, splitBatch } from "../../db/runs/split-batch.ts";
import { detail } from "../../db/schema/records.ts";
import { noParts } from "../../domain/outcome.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import { FILES } from "../rigs/db/drain-fixture.ts";
import { addFiles, openRun } from "../rigs/db/planned-run.ts";
import { openTestDb, removeTestDb } from "../rigs/db/test-db.ts";

const NOW = Date.parse("2030-01-01T00:00:00Z");
const RUNNING = { sizePlanned: true, size: 0, startTime: NOW, bytesSent: 0, uploads: [] };
const KILLER = "/file-13";
const DEATH = "the batch's own process ended with SIGKILL";

let db: Db;
let recordId: string;
let clusterId: string;

beforeEach(() => {
  db = openTestDb();
  addRepository(db, "p", "files", "GENERIC");
  addFiles(
    db,
    Array.from({ length: 20 }, (_, at) => `/file-${at}`),
    NOW,
  );
  clusterId = addCluster(db, "target");
  recordId = openRun(db, FILES, [clusterId], NOW);
  while (!planHostedPage(db, recordId, 0, { ...FILES, projectId: "p" }, NOW));
});
afterEach(() => removeTestDb(db));

const cut = (number: number) =>
  cutBatches(db, { recordId, object: 0, clusterId, cut: number, most: 1 }, NOW).batches[0]
    ?.number ?? 0;

function take(number: number) {
  const batch = takeBatch(db, recordId, number, NOW);
  if (batch.kind !== "batch") throw new Error(JSON.stringify(batch));
  return batch;
}

/**
 * Acts as a process that sends a whole batch, or dies if the artifact KILLER is in it; returns whether
 * it survived.
 */
function send(number: number): boolean {
  const { artifacts, epoch } = take(number);
  if (artifacts.some(({ name }) => name === KILLER)) return false;
  const reports = artifacts.map(({ seq, name, version }) => ({
    ...RUNNING,
    seq,
    name,
    version,
    outcome: {
      result: { kind: "sent" as const },
      digest: null,
      size: 0,
      parts: noParts(),
      bytesSent: 0,
    },
  }));
  takeReports(
    db,
    { recordId, number, epoch, reports, done: { interrupted: false } },
    60_000,
    NOW,
  );
  return true;
}

function sendAlone(number: number): number {
  if (send(number)) return 0;
  const split = splitBatch(db, recordId, number, DEATH, NOW);
  expect(splitBatch(db, recordId, number, "asked twice", NOW)).toEqual(
    split.kind === "halves"
      ? split
      : { kind: "failed", counts: { total: 0, again: 0, failed: 0 } },
  );
  return split.kind === "failed"
    ? split.counts.failed
    : split.numbers.reduce((sum, half) => sum + sendAlone(half), 0);
}

const rows = () => db.select().from(detail).where(eq(detail.recordId, recordId)).all();

test("halving a batch that kills its processes fails only the artifact that kills them and sends all others", () => {
  const number = cut(1);
  expect(send(number)).toBe(false);
  isolateBatch(db, recordId, number);
  expect(sendAlone(number)).toBe(1);
  expect(rows().filter(({ status }) => status === "SUCCESS")).toHaveLength(19);
  expect(rows().filter(({ status }) => status === "FAILED")).toMatchObject([
    { artifactName: KILLER, errorReason: DEATH },
  ]);
});

test("halving a batch of artifacts that are tried again keeps their unfinished uploads", () => {
  const number = cut(1);
  const { artifacts, epoch } = take(number);
  const again = {
    kind: "again" as const,
    reason: "503",
    notBefore: null,
    uploads: [],
    throttled: false,
    untried: true,
  };
  const reports = artifacts.map(({ seq, name, version }) => ({
    ...RUNNING,
    seq,
    name,
    version,
    outcome: {
      result: {
        ...again,
        uploads: [{ digest: "sha256:1", location: "there", offset: 7 }],
      },
      digest: null,
      size: null,
      parts: noParts(),
      bytesSent: 0,
    },
  }));
  takeReports(
    db,
    { recordId, number, epoch, reports, done: { interrupted: false } },
    60_000,
    NOW,
  );
  const second =
    cutBatches(db, { recordId, object: 0, clusterId, cut: 2, most: 1 }, NOW + 60_000)
      .batches[0]?.number ?? 0;
  const split = splitBatch(db, recordId, second, "died", NOW);
  const [first = 0, other = 0] = split.kind === "halves" ? split.numbers : [];
  const halves = [take(first), take(other)];
  expect(halves.map((half) => half.artifacts.length)).toEqual([10, 10]);
  expect(
    new Set(halves.flatMap((half) => half.artifacts.map(({ seq }) => seq))).size,
  ).toBe(20);
  expect(
    halves.every((half) =>
      half.artifacts.every(({ uploads, begun }) => begun && uploads[0]?.offset === 7),
    ),
  ).toBe(true);
});

test("the worker that takes half of a batch learns that its artifacts may have been sent before", () => {
  const number = cut(1);
  take(number);
  take(number);
  const split = splitBatch(db, recordId, number, "died", NOW);
  const [half = 0] = split.kind === "halves" ? split.numbers : [];
  expect(take(half).epoch).toBeGreaterThan(1);
});
