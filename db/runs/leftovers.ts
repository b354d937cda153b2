import { sql } from "drizzle-orm";
import type { Db } from "../open.ts";
import { inPages } from "../pages.ts";
import { snapshotOf } from "../records/snapshots.ts";
import { inTurn } from "../turns.ts";

/**
 * Maximum number of rows deleted in one transaction. A transaction of this size takes some
 * milliseconds, in which no request is answered.
 */
const PAGE = 1_000;
const MIN_ROWS = 100;

/**
 * Deletes the rows that a closed record no longer needs: those of its plan, except of failed
 * artifacts, of its batches, and of its details if the task keeps none. Yields between
 * transactions.
 */
export async function dropLeftovers(db: Db, recordId: string): Promise<void> {
  await dropPlan(db, recordId);
  await inPages(() => dropDispatches(db, recordId));
  await inPages(() => dropUnwantedDetails(db, recordId));
}

type PlanKey = { object: number; seq: number };

/**
 * Deletes a run's plan except the rows of failed artifacts, which stay as long as the record. Walks
 * the plan in the order of its key, over all objects; an index finds the failed artifacts, however
 * many there are.
 */
async function dropPlan(db: Db, recordId: string): Promise<void> {
  const { clusters, failed } = db.get<{ clusters: number; failed: number }>(sql`
    SELECT count(*) AS clusters, total(failed) AS failed FROM tally
    WHERE record_id = ${recordId}`);
  const rows = failed === 0 ? PAGE : Math.max(MIN_ROWS, Math.ceil(PAGE / clusters));
  const drop = failed === 0 ? dropRange : dropRangeButFailed;
  for (
    let from: PlanKey = { object: -1, seq: 0 }, last: PlanKey | undefined;
    ;
    from = last
  ) {
    last = await inTurn(() => {
      const end = endOfPage(db, recordId, from, rows);
      if (end) drop(db, recordId, from, end);
      return end;
    });
    if (last === undefined) return;
  }
}

/**
 * Returns the key of the last plan row in the next page after `from`; undefined when there are no
 * more rows.
 */
const endOfPage = (db: Db, recordId: string, from: PlanKey, rows: number) =>
  db
    .all<PlanKey>(
      sql`
        SELECT object, seq FROM plan
        WHERE ${behind(recordId, from)}
        ORDER BY object, seq LIMIT ${rows}`,
    )
    .at(-1);

const behind = (recordId: string, { object: objectIndex, seq }: PlanKey) =>
  sql`record_id = ${recordId} AND (object, seq) > (${objectIndex}, ${seq})`;
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
 * Deletes up to PAGE details of a record if the task has `record: false`: then only the record and
 * its overview are kept. Returns how many were deleted.
 */
function dropUnwantedDetails(db: Db, recordId: string): number {
  const kept = snapshotOf(db, recordId)?.record ?? true;
  if (kept) return 0;
  return db.run(sql`
    DELETE FROM detail WHERE id IN (
      SELECT id FROM detail WHERE record_id = ${recordId} LIMIT ${PAGE})`).changes;
}
