import { and, eq, getTableColumns, sql } from "drizzle-orm";
import { keepUnfinished, settleDrain } from "../pending/settle.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { inPages } from "../pages.ts";
import { planObject } from "../schema/plans.ts";
import { detail, halt, record, tally } from "../schema/records.ts";
import { task } from "../schema/tasks.ts";
import { inTurn } from "../turns.ts";
import { dropLeftovers } from "./leftovers.ts";
import { runTargets } from "./targets.ts";

/**
 * Maximum number of rows changed in one transaction. A transaction of this size takes some
 * milliseconds, in which no request is answered.
 */
const PAGE = 1_000;
const NOT_ENDED = "the run ended before this artifact did";

export type Closed = {
  status: "SUCCESS" | "FAILED";
  errorReason: string | null;
  planned: number;
  success: number;
  failed: number;
};

/** Maximum length of a run's reason in a workflow history; the record has the whole reason. */
const TOLD_REASON = 1_000;

/** Shortens the result of a closed run for the history of its workflow; null stays null. */
export function toldClosed(closed: Closed | null): Closed | null {
  return (
    closed && {
      ...closed,
      errorReason: closed.errorReason?.slice(0, TOLD_REASON) ?? null,
    }
  );
}

/**
 * Stores the reason why a run must end; the first reason stays, and a closed run gets none. Returns
 * whether this one was stored.
 */
export function requestStop(db: DbOrTx, recordId: string, reason: string): boolean {
  const set = db
    .update(record)
    .set({ stopReason: reason })
    .where(
      and(
        eq(record.id, recordId),
        eq(record.status, "RUNNING"),
        sql`stop_reason IS NULL`,
      ),
    )
    .run();
  return set.changes > 0;
}

/**
 * Ends a run for good: artifacts that have begun without an outcome become FAILED, then the record
 * gets its status. In this order no closed record has a RUNNING detail. `interrupted`: why the run
 * ends early, null: it does not. Closing a closed record changes no outcome. Returns the result,
 * null when the record is gone. Yields between transactions.
 */
export async function closeRecord(
  db: Db,
  recordId: string,
  interrupted: string | null,
  now: () => number,
): Promise<Closed | null> {
  if (interrupted !== null) requestStop(db, recordId, interrupted);
  await keepUnfinished(db, recordId, now);
  await inPages(() => failUnfinished(db, recordId, now()));
  const closed = await inTurn(() => write(db, (tx) => closeByRows(tx, recordId, now())));
  await dropLeftovers(db, recordId);
  return closed;
}

function haltReasons(db: DbOrTx, recordId: string): Map<string, string> {
  const rows = db.select().from(halt).where(eq(halt.recordId, recordId)).all();
  return new Map(rows.map((row) => [row.clusterId, row.reason]));
}

/**
 * Fails up to PAGE artifacts that have begun and have no outcome; returns how many. The reason of
 * each is that of the run's stop, else that of the halt at its cluster, else NOT_ENDED, followed by
 * the error of its last try.
 */
function failUnfinished(db: Db, recordId: string, now: number): number {
  return db.run(sql`
    UPDATE detail SET
      status = 'FAILED', end_time = ${now}, again = 0, uploads = NULL,
      error_reason = coalesce(
        (SELECT stop_reason FROM record WHERE id = ${recordId}),
        (SELECT reason FROM halt h
          WHERE h.record_id = ${recordId} AND h.cluster_id = detail.cluster_id),
        ${NOT_ENDED}
      ) || coalesce('; before that: ' || nullif(error_reason, ''), '')
    WHERE id IN (
      SELECT id FROM detail
      WHERE record_id = ${recordId} AND status = 'RUNNING'
      LIMIT ${PAGE})`).changes;
}

const { snapshot: _snapshot, ...WITHOUT_SNAPSHOT } = getTableColumns(record);

function closeByRows(tx: DbOrTx, recordId: string, now: number): Closed | null {
  const row = tx
    .select(WITHOUT_SNAPSHOT)
    .from(record)
    .where(eq(record.id, recordId))
    .get();
  if (!row) return null;
  const counts = runCounts(tx, recordId, row.clusters);
  if (row.status !== "RUNNING")
    return { ...counts, status: row.status, errorReason: row.errorReason };
  const errorReason = row.stopReason ?? failureSummary(tx, recordId, counts);
  const status = errorReason === null ? "SUCCESS" : "FAILED";
  closeRow(tx, recordId, { status, errorReason, endTime: now, problem: null });
  return { ...counts, status, errorReason };
}

type End = Pick<typeof record.$inferSelect, "errorReason" | "problem"> & {
  status: Closed["status"];
  endTime: number;
};

/**
 * Ends a RUNNING record, and updates its task and, for a drain, its cursor; any other record stays.
 */
export function closeRow(
  tx: DbOrTx,
  recordId: string,
  { status, errorReason, endTime, problem }: End,
): void {
  const row = tx
    .update(record)
    .set({ status, errorReason, endTime, problem })
    .where(and(eq(record.id, recordId), eq(record.status, "RUNNING")))
    .returning(WITHOUT_SNAPSHOT)
    .get();
  if (!row) return;
  tx.update(task)
    .set({ lastExecutionStatus: status })
    .where(and(eq(task.key, row.taskKey), isNewest(row)))
    .run();
  settleDrain(tx, row, endTime);
}

/**
 * SQL: whether a record is the newest of its task. Drains of several clusters overlap; the task
 * shows the one that began last.
 */
const isNewest = ({
  id,
  taskKey,
  startTime,
}: Pick<typeof record.$inferSelect, "id" | "taskKey" | "startTime">) =>
  sql`NOT EXISTS (
    SELECT 1 FROM record r
    WHERE r.task_key = ${taskKey} AND (r.start_time, r.id) > (${startTime}, ${id}))`;

/**
 * Returns how many artifacts were planned, over all clusters, and how many succeeded and failed.
 */
export function runCounts(
  db: DbOrTx,
  recordId: string,
  clusters: number,
): { planned: number; success: number; failed: number } {
  const plan = db
    .select({ n: sql<number>`total(${planObject.planned})` })
    .from(planObject)
    .where(eq(planObject.recordId, recordId))
    .get();
  const sums = db
    .select({
      success: sql<number>`total(${tally.success})`,
      failed: sql<number>`total(${tally.failed})`,
    })
    .from(tally)
    .where(eq(tally.recordId, recordId))
    .get();
  return {
    planned: (plan?.n ?? 0) * clusters,
    success: sums?.success ?? 0,
    failed: sums?.failed ?? 0,
  };
}

function failureSummary(
  tx: DbOrTx,
  recordId: string,
  { planned, success, failed }: { planned: number; success: number; failed: number },
): string | null {
  const reasons = [
    ...runTargets(tx, recordId).problems,
    ...haltReasons(tx, recordId).values(),
  ];
  if (failed > 0 && reasons.length === 0)
    reasons.push(firstFailure(tx, recordId, failed, planned));
  const notDone = planned - success - failed;
  if (notDone > 0 && reasons.length === 0)
    reasons.push(`${notDone} of ${planned} artifacts were not handled`);
  return reasons.length === 0 ? null : reasons.slice(0, 3).join("; ").slice(0, 2_000);
}

function firstFailure(
  tx: DbOrTx,
  recordId: string,
  failed: number,
  planned: number,
): string {
  const row = tx
    .select({
      name: detail.artifactName,
      version: detail.version,
      reason: detail.errorReason,
    })
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
