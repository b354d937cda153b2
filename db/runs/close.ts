import { and, eq, getTableColumns, sql } from "drizzle-orm";
import { keepUnfinished, settleDrain } from "../pending/settle.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { inPages } from "../pages.ts";
import { planObject } from "../schema/plans.ts";
import { detail, halt, record, tally } from "../schema/records.ts";
import { task } from "../schema/tasks.ts";
import { inTurn } from "../turns.ts";
import { snapshotOf } from "../records/snapshots.ts";
import { runTargets } from "./targets.ts";

/** Rows changed in one transaction: some milliseconds, because no request is answered meanwhile. */
const PAGE = 1_000;
const MIN_ROWS = 100;
const NOT_ENDED = "the run ended before this artifact did";

export type Closed = {
  status: "SUCCESS" | "FAILED";
  errorReason: string | null;
  planned: number;
  success: number;
  failed: number;
};

/** Maximum length of a run's reason in a workflow history; the record has all of it. */
const TOLD_REASON = 1_000;

/** Returns what a workflow learns about a closed run. */
export function toldClosed(closed: Closed | null): Closed | null {
  return closed && { ...closed, errorReason: closed.errorReason?.slice(0, TOLD_REASON) ?? null };
}

/** Writes why the run must end; the first reason stays. Returns whether this one was written. */
export function requestStop(db: DbOrTx, recordId: string, reason: string): boolean {
  const set = db
    .update(record)
    .set({ stopReason: reason })
    .where(and(eq(record.id, recordId), eq(record.status, "RUNNING"), sql`stop_reason IS NULL`))
    .run();
  return set.changes > 0;
}

/**
 * Ends a run for good: artifacts that have begun without an outcome become FAILED, then the record
 * gets its status, in this order, so that no closed record has a RUNNING detail. Closing a closed
 * record changes nothing. Yields between transactions.
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

/** Deletes the rows that a closed record no longer needs. Yields between transactions. */
export async function dropLeftovers(db: Db, recordId: string): Promise<void> {
  await dropPlan(db, recordId);
  await inPages(() => dropDispatches(db, recordId));
  await inPages(() => dropUnwantedDetails(db, recordId));
}

function haltReasons(db: DbOrTx, recordId: string): Map<string, string> {
  const rows = db.select().from(halt).where(eq(halt.recordId, recordId)).all();
  return new Map(rows.map((row) => [row.clusterId, row.reason]));
}

/**
 * Fails unfinished artifacts in one statement: the reason of each is that of the run, of its
 * cluster, or the general one.
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
  const row = tx.select(WITHOUT_SNAPSHOT).from(record).where(eq(record.id, recordId)).get();
  if (!row) return null;
  const counts = runCounts(tx, recordId, row.clusters);
  if (row.status !== "RUNNING") return { ...counts, status: row.status, errorReason: row.errorReason };
  const errorReason = row.stopReason ?? failureSummary(tx, recordId, counts);
  const status = errorReason === null ? "SUCCESS" : "FAILED";
  closeRow(tx, recordId, { status, errorReason, endTime: now, problem: null });
  return { ...counts, status, errorReason };
}

type End = Pick<typeof record.$inferSelect, "errorReason" | "problem"> & { status: Closed["status"]; endTime: number };

/** Ends a RUNNING record, and updates the task and the cursor that depend on it. */
export function closeRow(tx: DbOrTx, recordId: string, { status, errorReason, endTime, problem }: End): void {
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
 * SQL: whether no later record of the task exists. Drains of several clusters overlap; the task
 * shows the one that began last.
 */
const isNewest = ({ id, taskKey, startTime }: Pick<typeof record.$inferSelect, "id" | "taskKey" | "startTime">) =>
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
    .select({ n: sql<number>`coalesce(sum(${planObject.planned}), 0)` })
    .from(planObject)
    .where(eq(planObject.recordId, recordId))
    .get();
  const sums = db
    .select({
      success: sql<number>`coalesce(sum(${tally.success}), 0)`,
      failed: sql<number>`coalesce(sum(${tally.failed}), 0)`,
    })
    .from(tally)
    .where(eq(tally.recordId, recordId))
    .get();
  return { planned: (plan?.n ?? 0) * clusters, success: sums?.success ?? 0, failed: sums?.failed ?? 0 };
}

function failureSummary(
  tx: DbOrTx,
  recordId: string,
  { planned, success, failed }: { planned: number; success: number; failed: number },
): string | null {
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

type PlanKey = { object: number; seq: number };

/**
 * Deletes a run's plan except the rows of failed artifacts, which stay as long as the record, so
 * that they can be retried. Walks the plan from key to key, over all its objects; an index finds
 * the failed ones, however many they are.
 */
async function dropPlan(db: Db, recordId: string): Promise<void> {
  const { clusters, failed } = db.get<{ clusters: number; failed: number }>(sql`
    SELECT count(*) AS clusters, coalesce(sum(failed), 0) AS failed FROM tally
    WHERE record_id = ${recordId}`);
  const rows = failed === 0 ? PAGE : Math.max(MIN_ROWS, Math.ceil(PAGE / clusters));
  const drop = failed === 0 ? dropRange : dropRangeButFailed;
  for (let from: PlanKey = { object: -1, seq: 0 }, last: PlanKey | undefined; ; from = last) {
    last = await inTurn(() => {
      const end = endOfPage(db, recordId, from, rows);
      if (end) drop(db, recordId, from, end);
      return end;
    });
    if (last === undefined) return;
  }
}

/** Returns the last key of the next page after `from`. */
const endOfPage = (db: Db, recordId: string, from: PlanKey, rows: number) =>
  db
    .all<PlanKey>(
      sql`
        SELECT object, seq FROM plan
        WHERE ${behind(recordId, from)}
        ORDER BY object, seq LIMIT ${rows}`,
    )
    .at(-1);

const behind = (recordId: string, { object, seq }: PlanKey) =>
  sql`record_id = ${recordId} AND (object, seq) > (${object}, ${seq})`;
const between = (recordId: string, from: PlanKey, to: PlanKey) =>
  sql`${behind(recordId, from)} AND (object, seq) <= (${to.object}, ${to.seq})`;

function dropRange(db: Db, recordId: string, from: PlanKey, to: PlanKey): void {
  db.run(sql`DELETE FROM plan WHERE ${between(recordId, from, to)}`);
}

function dropRangeButFailed(db: Db, recordId: string, from: PlanKey, to: PlanKey): void {
  db.run(sql`
    DELETE FROM plan
    WHERE ${between(recordId, from, to)}
      AND NOT EXISTS (
        SELECT 1 FROM tally t
        CROSS JOIN detail d
          ON d.record_id = t.record_id
          AND d.cluster_id = t.cluster_id
          AND d.object = plan.object
          AND d.seq = plan.seq
        WHERE t.record_id = ${recordId} AND d.status = 'FAILED')`);
}

function dropDispatches(db: Db, recordId: string): number {
  return db.run(sql`
    DELETE FROM dispatch WHERE rowid IN (
      SELECT rowid FROM dispatch WHERE record_id = ${recordId} LIMIT ${PAGE})`).changes;
}

/**
 * Deletes the details of a task with `record: false`, which keeps only the record and its overview.
 */
function dropUnwantedDetails(db: Db, recordId: string): number {
  const kept = snapshotOf(db, recordId)?.record ?? true;
  if (kept) return 0;
  return db.run(sql`
    DELETE FROM detail WHERE id IN (
      SELECT id FROM detail WHERE record_id = ${recordId} LIMIT ${PAGE})`).changes;
}
