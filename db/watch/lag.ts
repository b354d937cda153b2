import { eq, sql } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { eventCursor } from "../schema/content.ts";
import { task } from "../schema/tasks.ts";

export type Followed = ReturnType<typeof readFollowed>[number];

/** Returns the cursors of all enabled REAL_TIME tasks. */
export function readFollowed(db: DbOrTx) {
  const { taskKey, clusterId, position, catchUp, answeredTime } = eventCursor;
  return db
    .select({
      taskKey,
      clusterId,
      position,
      catchUp,
      answeredTime,
      projectId: task.projectId,
    })
    .from(eventCursor)
    .innerJoin(task, eq(task.key, eventCursor.taskKey))
    .where(sql`${task.enabled} = 1 AND ${task.replicaType} = 'REAL_TIME'`)
    .all();
}

const MOST = 10_000;
const LONGEST_DUE = 100;

/**
 * Returns about when the oldest upload happened that a cluster lacks (`oldest`, epoch ms; null: it
 * lacks none), judged by the events after the cursor, the waiting files that are due first, and, if
 * the task catches up, the cluster's last answer. `held`: how many files and versions wait in table
 * `pending`, counted up to 10,000.
 */
export function readBehind(
  db: DbOrTx,
  { taskKey, clusterId, projectId, position, catchUp, answeredTime }: Followed,
): { oldest: number | null; held: number } {
  const event = db.get<{ oldest: number | null }>(sql`
    SELECT min((
      SELECT e.created_date FROM event e
      WHERE e.project_id = ${projectId}
        AND e.repo_name = o.local_repo_name
        AND e.seq > ${position}
      ORDER BY e.seq LIMIT 1)) AS oldest
    FROM (SELECT DISTINCT local_repo_name FROM task_object WHERE task_key = ${taskKey}) o`);
  const waiting = sql`FROM pending WHERE task_key = ${taskKey} AND cluster_id = ${clusterId}`;
  const { held } = db.get<{ held: number }>(
    sql`SELECT count(*) AS held FROM (SELECT 1 ${waiting} LIMIT ${MOST})`,
  );
  const kept =
    held === 0
      ? null
      : db.get<{ oldest: number | null }>(sql`
          SELECT min(since) AS oldest FROM (
            SELECT since ${waiting} ORDER BY not_before LIMIT ${LONGEST_DUE})`).oldest;
  const known = [event.oldest, kept, catchUp ? answeredTime : null].filter(
    (time) => time !== null,
  );
  return { oldest: known.length === 0 ? null : Math.min(...known), held };
}
