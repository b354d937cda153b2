import { and, eq, sql } from "drizzle-orm";
import { noParts } from "../../domain/outcome.ts";
import type { ArtifactReport, BatchArtifact } from "../../domain/worker-messages.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { dispatch } from "../schema/plans.ts";
import { takeBatch } from "./batch.ts";
import { insertDispatch } from "./cut-rows.ts";
import { type BatchRow, findBatch } from "./end-batch.ts";
import { takeReports } from "./outcomes.ts";
import { snapshotOf } from "../records/snapshots.ts";

export type BatchCounts = { total: number; again: number; failed: number; rest?: number };
/**
 * The result of halving a batch. `halves`: numbers of the batches that replace it; `failed`: the
 * batch had at most one artifact left, which has failed, or it could not be taken any more.
 */
export type Split =
  { kind: "halves"; numbers: number[] } | { kind: "failed"; counts: BatchCounts };

/**
 * Moves a batch to the lane ALONE, which runs it in a process of its own. It no longer counts among
 * the batches that share slots.
 */
export function isolateBatch(db: Db, recordId: string, number: number): void {
  db.update(dispatch)
    .set({ lane: "ALONE" })
    .where(and(eq(dispatch.recordId, recordId), eq(dispatch.number, number)))
    .run();
}

/**
 * Divides a batch in which a process has died into halves of its artifacts without an outcome; if
 * only one is left, that artifact fails with `reason`.
 */
export function splitBatch(
  db: Db,
  recordId: string,
  number: number,
  reason: string,
  now: number,
): Split {
  const before = halvesOf(db, recordId, number);
  if (before.length > 0) return { kind: "halves", numbers: before };
  const batch = takeBatch(db, recordId, number, now);
  if (batch.kind !== "batch") return { kind: "failed", counts: NONE };
  const { artifacts } = batch;
  const middle = artifacts.map(({ seq }) => seq).toSorted((a, b) => a - b)[
    Math.ceil(artifacts.length / 2) - 1
  ];
  if (artifacts.length > 1 && middle !== undefined)
    return { kind: "halves", numbers: halve(db, recordId, number, middle) };
  return {
    kind: "failed",
    counts: failAll(db, { recordId, number, epoch: batch.epoch }, artifacts, reason, now),
  };
}

/**
 * Returns the numbers of the halves of a batch; empty if it is not halved yet. So the halving can
 * be repeated.
 */
function halvesOf(db: Db, recordId: string, number: number): number[] {
  const rows = db.all<{ number: number }>(sql`
    SELECT number FROM dispatch
    WHERE record_id = ${recordId} AND half_of = ${number}
    ORDER BY number`);
  return rows.map((row) => row.number);
}

const NONE: BatchCounts = { total: 0, again: 0, failed: 0 };

/**
 * Replaces a batch by two: one with the artifacts up to and including `middle`, one with those
 * after it. Returns their numbers; none when the batch has ended.
 */
function halve(db: Db, recordId: string, number: number, middle: number): number[] {
  return write(db, (tx) => {
    const batch = findBatch(tx, recordId, number);
    const snapshot = snapshotOf(tx, recordId);
    if (!batch || !snapshot || batch.done) return [];
    const half = (
      fromSeq: number | null,
      toSeq: number | null,
      which: ReturnType<typeof sql>,
    ) => {
      // An artifact may already be at the target without a report: the epoch tells this to the next
      // worker.
      const row = {
        object: batch.object,
        lane: "ALONE",
        fromSeq,
        toSeq,
        epoch: batch.epoch,
        halfOf: number,
      } as const;
      const half = insertDispatch(tx, { ...batch, snapshot }, row);
      moveBegun(tx, batch, half, which);
      return half;
    };
    const isRange = batch.fromSeq !== null;
    const numbers = [
      half(batch.fromSeq, isRange ? middle : null, sql`seq <= ${middle}`),
      half(isRange ? middle + 1 : null, batch.toSeq, sql`seq > ${middle}`),
    ];
    tx.update(dispatch)
      .set({ done: true })
      .where(and(eq(dispatch.recordId, recordId), eq(dispatch.number, number)))
      .run();
    return numbers;
  });
}

function moveBegun(
  tx: DbOrTx,
  { recordId, number, clusterId }: BatchRow,
  to: number,
  which: ReturnType<typeof sql>,
): void {
  tx.run(sql`
    UPDATE detail SET dispatch = ${to}, epoch = 0
    WHERE record_id = ${recordId}
      AND dispatch = ${number}
      AND cluster_id = ${clusterId}
      AND status = 'RUNNING'
      AND again = 0
      AND ${which}`);
}

/** Fails artifacts of a batch in the same way as a worker's report, and ends the batch. */
export function failAll(
  db: Db,
  batch: { recordId: string; number: number; epoch: number },
  artifacts: BatchArtifact[],
  reason: string,
  now: number,
): BatchCounts {
  const reports = artifacts.map(
    ({ seq, name, version, size, plannedSize, uploads }): ArtifactReport => ({
      seq,
      name,
      version,
      sizePlanned: plannedSize !== null,
      size: size ?? plannedSize,
      startTime: now,
      bytesSent: 0,
      uploads,
      outcome: {
        result: { kind: "failed", reason, conflict: false, stopsCluster: false },
        digest: null,
        size: null,
        parts: noParts(),
        bytesSent: 0,
      },
    }),
  );
  takeReports(db, { ...batch, reports, done: { interrupted: false } }, 0, now);
  return { total: reports.length, again: 0, failed: reports.length };
}
