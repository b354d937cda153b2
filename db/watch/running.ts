import { eq, sql } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { record, tally } from "../schema/records.ts";

export type RunningRecord = ReturnType<typeof readRunning>[number];
export type RunningTally = ReturnType<typeof readRunningTallies>[number];

export function readRunning(db: DbOrTx) {
  const { id, taskKey, clusterId, workflowId, startTime, problem } = record;
  return db
    .select({ id, taskKey, clusterId, workflowId, startTime, problem })
    .from(record)
    .where(sql`status = 'RUNNING'`)
    .all();
}

export function readRunningTallies(db: DbOrTx) {
  const {
    recordId,
    clusterId,
    success,
    failed,
    running,
    skip,
    conflict,
    bytesSent,
    bytesRead,
  } = tally;
  return db
    .select({
      recordId,
      taskKey: record.taskKey,
      clusterId,
      success,
      failed,
      running,
      skip,
      conflict,
      bytesSent,
      bytesRead,
    })
    .from(record)
    .innerJoin(tally, eq(tally.recordId, record.id))
    .where(sql`${record.status} = 'RUNNING'`)
    .all();
}

/** Returns the ids of the clusters that a run sends to; they never change. */
export function readRunClusters(db: DbOrTx, recordId: string): string[] {
  const rows = db.all<{ id: string }>(sql`
    SELECT value ->> 'id' AS id FROM record, json_each(snapshot, '$.clusters')
    WHERE record.id = ${recordId}`);
  return rows.map(({ id }) => id);
}

/**
 * Returns the number of artifacts in a run's plan so far. `steps`: a number that changes with each
 * planned artifact and each listed page, and so shows progress.
 */
export function readPlanned(
  db: DbOrTx,
  recordId: string,
): { planned: number; steps: number } {
  return db.get<{ planned: number; steps: number }>(sql`
    SELECT total(planned) AS planned, total(planned + pages) AS steps
    FROM plan_object
    WHERE record_id = ${recordId}`);
}

const MOST = 10_000;

/**
 * Returns how many artifacts of a run wait to be tried again at a cluster, counted up to 10,000,
 * and why the first of them waits.
 */
export function readAgain(
  db: DbOrTx,
  recordId: string,
  clusterId: string,
): { count: number; reason: string | null } {
  const waiting = sql`record_id = ${recordId} AND cluster_id = ${clusterId} AND again = 1`;
  const { count } = db.get<{ count: number }>(sql`
    SELECT count(*) AS count FROM (
      SELECT 1 FROM detail INDEXED BY detail_again WHERE ${waiting} LIMIT ${MOST})`);
  if (count === 0) return { count, reason: null };
  const first = db.get<{ reason: string | null } | undefined>(sql`
    SELECT error_reason AS reason FROM detail INDEXED BY detail_again
    WHERE ${waiting} LIMIT 1`);
  return { count, reason: first?.reason ?? null };
}

const NEWEST = 100;

/**
 * Returns when an artifact last began or ended in a run, judged by the newest 100 details (epoch
 * ms); 0 if there are no details.
 */
export function readLastOutcome(db: DbOrTx, recordId: string): number {
  const row = db.get<{ last: number | null }>(sql`
    SELECT max(max(coalesce(end_time, 0), start_time)) AS last
    FROM (
      SELECT start_time, end_time FROM detail
      WHERE record_id = ${recordId}
      ORDER BY id DESC LIMIT ${NEWEST})`);
  return row.last ?? 0;
}
