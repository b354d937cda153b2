import { and, eq, inArray, sql } from "drizzle-orm";
import { keepUnfinished, settleDrain } from "../drains/settle.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { inPages } from "../pages.ts";
import { detail, halt, planObject, record, tally, task } from "../schema/replication.ts";
import { runTargets } from "./targets.ts";

/** Rows changed in one transaction, so that other answers need not wait long. */
const PAGE = 5_000;
const MIN_RANGE = 100;

export type Closed = { status: "SUCCESS" | "FAILED"; errorReason: string | null; planned: number; success: number; failed: number };

/** Writes once why the run must end; the first reason stays. */
export function requestStop(db: DbOrTx, recordId: string, reason: string): boolean {
  const set = db
    .update(record)
    .set({ stopReason: reason })
    .where(and(eq(record.id, recordId), eq(record.status, "RUNNING"), sql`stop_reason IS NULL`))
    .run();
  return set.changes > 0;
}

/**
 * Ends a run for good: what had begun and has no outcome becomes FAILED, then the record gets its status, in this order, so that no closed
 * record has a RUNNING detail. Closing a closed record changes nothing. Yields between transactions.
 */
export async function closeRecord(db: Db, recordId: string, interrupted: string | null, now: () => number): Promise<Closed | null> {
  if (interrupted !== null) requestStop(db, recordId, interrupted);
  await keepUnfinished(db, recordId, now);
  const reasons = haltReasons(db, recordId);
  await inPages(() => failUnfinished(db, recordId, reasons, now()));
  const closed = write(db, (tx) => closeByRows(tx, recordId, now()));
  await dropLeftovers(db, recordId);
  return closed;
}

/** What a closed record needs no more. Yields between transactions. */
export async function dropLeftovers(db: Db, recordId: string): Promise<void> {
  await dropPlan(db, recordId);
  await inPages(() => dropDispatches(db, recordId));
  await inPages(() => dropUnwantedDetails(db, recordId));
}

function haltReasons(db: DbOrTx, recordId: string): Map<string, string> {
  const rows = db.select().from(halt).where(eq(halt.recordId, recordId)).all();
  return new Map(rows.map((row) => [row.clusterId, row.reason]));
}

function failUnfinished(db: Db, recordId: string, reasons: Map<string, string>, now: number): number {
  return write(db, (tx) => {
    const stop = tx.select({ reason: record.stopReason }).from(record).where(eq(record.id, recordId)).get()?.reason;
    const rows = tx
      .select({ id: detail.id, clusterId: detail.clusterId, last: detail.errorReason })
      .from(detail)
      .where(and(eq(detail.recordId, recordId), eq(detail.status, "RUNNING")))
      .limit(PAGE)
      .all();
    for (const { id, clusterId, last } of rows) {
      const reason = stop ?? reasons.get(clusterId) ?? "the run ended before this artifact did";
      const errorReason = last ? `${reason}; before that: ${last}` : reason;
      tx.update(detail).set({ status: "FAILED", endTime: now, errorReason, again: false, uploads: null }).where(eq(detail.id, id)).run();
    }
    return rows.length;
  });
}

function closeByRows(tx: DbOrTx, recordId: string, now: number): Closed | null {
  const row = tx.select().from(record).where(eq(record.id, recordId)).get();
  if (!row) return null;
  const counts = runCounts(tx, recordId, row.snapshot.clusters.length);
  if (row.status !== "RUNNING") return { ...counts, status: row.status, errorReason: row.errorReason };
  const errorReason = row.stopReason ?? failureSummary(tx, recordId, counts);
  const status = errorReason === null ? "SUCCESS" : "FAILED";
  closeRow(tx, recordId, { status, errorReason, endTime: now, problem: null });
  return { ...counts, status, errorReason };
}

type End = Pick<typeof record.$inferSelect, "errorReason" | "problem"> & { status: Closed["status"]; endTime: number };

/** Ends a RUNNING record, with what else shows it. */
export function closeRow(tx: DbOrTx, recordId: string, { status, errorReason, endTime, problem }: End): void {
  const row = tx.update(record).set({ status, errorReason, endTime, problem }).where(and(eq(record.id, recordId), eq(record.status, "RUNNING"))).returning().get();
  if (!row) return;
  tx.update(task).set({ lastExecutionStatus: status }).where(and(eq(task.key, row.taskKey), isNewest(row))).run();
  settleDrain(tx, row, endTime);
}

/** Drains of several clusters overlap; the task shows the one that began last. */
const isNewest = ({ id, taskKey, startTime }: typeof record.$inferSelect) =>
  sql`NOT EXISTS (SELECT 1 FROM record r WHERE r.task_key = ${taskKey} AND (r.start_time, r.id) > (${startTime}, ${id}))`;

/** Planned, over all clusters, and what became of it. */
export function runCounts(db: DbOrTx, recordId: string, clusters: number): { planned: number; success: number; failed: number } {
  const plan = db.select({ n: sql<number>`coalesce(sum(${planObject.planned}), 0)` }).from(planObject).where(eq(planObject.recordId, recordId)).get();
  const sums = db
    .select({ success: sql<number>`coalesce(sum(${tally.success}), 0)`, failed: sql<number>`coalesce(sum(${tally.failed}), 0)` })
    .from(tally)
    .where(eq(tally.recordId, recordId))
    .get();
  return { planned: (plan?.n ?? 0) * clusters, success: sums?.success ?? 0, failed: sums?.failed ?? 0 };
}

function failureSummary(tx: DbOrTx, recordId: string, { planned, success, failed }: { planned: number; success: number; failed: number }): string | null {
  const reasons = [...runTargets(tx, recordId).problems, ...haltReasons(tx, recordId).values()];
  if (failed > 0 && reasons.length === 0) reasons.push(firstFailure(tx, recordId, failed, planned));
  const notDone = planned - success - failed;
  if (notDone > 0 && reasons.length === 0) reasons.push(`${notDone} of ${planned} artifacts were not handled`);
  return reasons.length === 0 ? null : reasons.slice(0, 3).join("; ").slice(0, 2_000);
}

function firstFailure(tx: DbOrTx, recordId: string, failed: number, planned: number): string {
  const row = tx
    .select({ name: detail.artifactName, version: detail.version, reason: detail.errorReason })
    .from(detail)
    .where(and(eq(detail.recordId, recordId), eq(detail.status, "FAILED")))
    .orderBy(detail.id)
    .limit(1)
    .get();
  const { name = "", version = "", reason = null } = row ?? {};
  const names = reason?.startsWith(name) && reason.includes(version);
  const subject = version === "" ? name : `${name}:${version}`;
  return `${failed} of ${planned} artifacts failed, first ${names ? reason : `${subject}: ${reason}`}`;
}

/**
 * Plan rows of failed artifacts stay as long as the record, so that they can be retried (design.md §5.3). Goes by ranges of `seq`, in which
 * the failed ones are found by an index, however many they are.
 */
async function dropPlan(db: Db, recordId: string): Promise<void> {
  const clusters = db.get<{ n: number }>(sql`SELECT count(*) AS n FROM tally WHERE record_id = ${recordId}`).n;
  const width = Math.max(MIN_RANGE, Math.ceil(PAGE / Math.max(1, clusters)));
  const objects = db.select({ object: planObject.object }).from(planObject).where(eq(planObject.recordId, recordId)).all();
  for (const { object } of objects) {
    const last = db.get<{ seq: number | null }>(sql`SELECT max(seq) AS seq FROM plan WHERE record_id = ${recordId} AND object = ${object}`).seq ?? 0;
    for (let from = 0; from < last; from += width) {
      dropRange(db, recordId, object, { from, to: from + width });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function dropRange(db: Db, recordId: string, object: number, { from, to }: { from: number; to: number }): void {
  db.run(sql`
    DELETE FROM plan WHERE record_id = ${recordId} AND object = ${object} AND seq > ${from} AND seq <= ${to} AND seq NOT IN (
      SELECT d.seq FROM tally t
      CROSS JOIN detail d ON d.record_id = t.record_id AND d.cluster_id = t.cluster_id AND d.object = ${object} AND d.seq > ${from} AND d.seq <= ${to}
      WHERE t.record_id = ${recordId} AND d.status = 'FAILED')`);
}

function dropDispatches(db: Db, recordId: string): number {
  return db.run(sql`DELETE FROM dispatch WHERE rowid IN (SELECT rowid FROM dispatch WHERE record_id = ${recordId} LIMIT ${PAGE})`).changes;
}

/** `record: false` keeps the record and its overview only. */
function dropUnwantedDetails(db: Db, recordId: string): number {
  const kept = db.select({ snapshot: record.snapshot }).from(record).where(eq(record.id, recordId)).get()?.snapshot.record ?? true;
  if (kept) return 0;
  const ids = db.select({ id: detail.id }).from(detail).where(eq(detail.recordId, recordId)).limit(PAGE).all();
  return ids.length === 0 ? 0 : db.delete(detail).where(inArray(detail.id, ids.map((row) => row.id))).run().changes;
}
