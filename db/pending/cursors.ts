import { and, eq, sql } from "drizzle-orm";
import { type Db, type DbOrTx, write } from "../open.ts";
import { inPages } from "../pages.ts";
import { eventCursor } from "../schema/content.ts";
import { record } from "../schema/records.ts";
import { task } from "../schema/tasks.ts";
import { inTurn } from "../turns.ts";

type CursorRow = typeof eventCursor.$inferSelect;
/** Identifies a cursor, which belongs to one task at one cluster. */
export type CursorKey = { taskKey: string; clusterId: string };

export const cursorOf = ({ taskKey, clusterId }: CursorKey) =>
  and(eq(eventCursor.taskKey, taskKey), eq(eventCursor.clusterId, clusterId));

/**
 * Returns the seq of the newest event that ever existed, even if that event was deleted; 0 if there
 * was none.
 */
export function newestEvent(db: DbOrTx): number {
  return (
    db.get<{ seq: number } | undefined>(
      sql`SELECT seq FROM sqlite_sequence WHERE name = 'event'`,
    )?.seq ?? 0
  );
}

export function findCursor(db: DbOrTx, key: CursorKey): CursorRow | null {
  return db.select().from(eventCursor).where(cursorOf(key)).get() ?? null;
}

/**
 * Brings the cursors of a task in line with its clusters. Call it in the transaction that changes
 * the task: a cluster that joins begins with the next event, the cursor of one that has left is
 * deleted.
 */
export function syncCursors(tx: DbOrTx, taskKey: string): void {
  const newest = newestEvent(tx);
  const wanted = sql`
    SELECT c.cluster_id FROM task_cluster c
    JOIN task t ON t.key = c.task_key
    WHERE t.key = ${taskKey} AND t.replica_type = 'REAL_TIME'`;
  tx.run(sql`
    DELETE FROM event_cursor
    WHERE task_key = ${taskKey} AND cluster_id NOT IN (${wanted})`);
  tx.run(sql`
    INSERT INTO event_cursor (task_key, cluster_id, position, planned)
    SELECT ${taskKey}, cluster_id, ${newest}, ${newest} FROM (${wanted}) WHERE true
    ON CONFLICT DO NOTHING`);
}

/**
 * Ends the backoff of drains at a cluster whose stored status is UNHEALTHY. Call it when the
 * cluster was found healthy, before that is stored.
 */
export function forgetAbsence(db: DbOrTx, clusterId: string): void {
  db.run(sql`
    UPDATE event_cursor SET not_before = NULL
    WHERE cluster_id = ${clusterId}
      AND EXISTS (SELECT 1 FROM cluster WHERE id = ${clusterId} AND status = 'UNHEALTHY')`);
}

/** Maximum number of rows that one transaction deletes. */
const PAGE = 1_000;
/** Maximum number of cursors that one transaction handles. */
const CURSORS = 100;

/**
 * Deletes the waiting files and versions of a task at clusters for which it has no cursor any more.
 * Yields between transactions.
 */
export async function dropLeftPending(db: Db, taskKey: string): Promise<void> {
  await inPages(
    () =>
      db.run(sql`
        DELETE FROM pending WHERE rowid IN (
          SELECT rowid FROM pending p
          WHERE p.task_key = ${taskKey}
            AND NOT EXISTS (
              SELECT 1 FROM event_cursor c
              WHERE c.task_key = p.task_key AND c.cluster_id = p.cluster_id)
          LIMIT ${PAGE})`).changes,
  );
}

/** Deletes a task's cursors, and its files and versions that wait for a later drain. */
export async function dropCursors(db: Db, taskKey: string): Promise<void> {
  db.delete(eventCursor).where(eq(eventCursor.taskKey, taskKey)).run();
  await dropLeftPending(db, taskKey);
}

/** A cursor with facts about its task. */
type Follower = { cursor: CursorRow; enabled: boolean; projectId: string };

/**
 * Moves cursors forward that have nothing to send, past the events of repositories that their task
 * does not follow. A cursor that is more than `mostLag` events behind is moved past all events, and
 * a full plan of the task replaces them. So the log stays bounded. Yields between transactions.
 */
export async function forwardCursors(db: Db, mostLag: number): Promise<void> {
  const newest = newestEvent(db);
  await eachFollower(db, (tx, { cursor, projectId }) => {
    if (cursor.position >= newest) return;
    const far = newest - cursor.position > mostLag;
    if (!far && (isDraining(tx, cursor) || hasEvents(tx, { ...cursor, projectId })))
      return;
    const catchUp = far ? { catchUp: true, catchUpRecord: null } : {};
    tx.update(eventCursor)
      .set({ position: newest, planned: newest, ...catchUp })
      .where(cursorOf(cursor))
      .run();
  });
}

/**
 * Returns the cursors of enabled tasks that have something to send now and need not wait: `due`
 * have to begin a drain, `draining` have one that is running. Yields now and then.
 */
export async function listDue(
  db: Db,
  now: number,
): Promise<{ due: CursorKey[]; draining: CursorKey[] }> {
  const [due, draining]: [CursorKey[], CursorKey[]] = [[], []];
  await eachFollower(db, (tx, { cursor, enabled, projectId }) => {
    if (!enabled || (cursor.notBefore ?? 0) > now) return;
    if (
      !cursor.catchUp &&
      !hasEvents(tx, { ...cursor, projectId }) &&
      nextPending(tx, cursor, now) !== 0
    )
      return;
    const { taskKey, clusterId } = cursor;
    (isDraining(tx, cursor) ? draining : due).push({ taskKey, clusterId });
  });
  return { due, draining };
}

/** Calls `look` for each cursor with facts about its task, for some cursors in each transaction. */
async function eachFollower(
  db: Db,
  look: (tx: DbOrTx, follower: Follower) => void,
): Promise<void> {
  for (
    let after: CursorKey | undefined = { taskKey: "", clusterId: "" };
    after !== undefined;
  ) {
    const from: CursorKey = after;
    const some = await inTurn(() =>
      write(db, (tx) => {
        const rows = nextFollowers(tx, from);
        for (const row of rows) look(tx, row);
        return rows;
      }),
    );
    after = some.length === CURSORS ? some.at(-1)?.cursor : undefined;
  }
}

function nextFollowers(db: DbOrTx, after: CursorKey): Follower[] {
  const { taskKey, clusterId } = eventCursor;
  return db
    .select({ cursor: eventCursor, enabled: task.enabled, projectId: task.projectId })
    .from(eventCursor)
    .innerJoin(task, eq(task.key, taskKey))
    .where(sql`(${taskKey}, ${clusterId}) > (${after.taskKey}, ${after.clusterId})`)
    .orderBy(taskKey, clusterId)
    .limit(CURSORS)
    .all();
}

function hasEvents(
  db: DbOrTx,
  { taskKey, projectId, position }: CursorRow & { projectId: string },
): boolean {
  const row = db.get(sql`
    SELECT 1 FROM task_object o
    WHERE o.task_key = ${taskKey}
      AND EXISTS (
        SELECT 1 FROM event e
        WHERE e.project_id = ${projectId}
          AND e.repo_name = o.local_repo_name
          AND e.seq > ${position})
    LIMIT 1`);
  return row !== undefined;
}

function isDraining(db: DbOrTx, { taskKey, clusterId }: CursorKey): boolean {
  const where = and(
    eq(record.taskKey, taskKey),
    eq(record.clusterId, clusterId),
    eq(record.status, "RUNNING"),
  );
  return db.select({ id: record.id }).from(record).where(where).get() !== undefined;
}

/**
 * Returns in how many ms the first file or version that waits outside of a drain is due: 0 = now;
 * null = none waits.
 */
export function nextPending(
  db: DbOrTx,
  { taskKey, clusterId }: CursorKey,
  now: number,
): number | null {
  const row = db.get<{ due: number | null }>(sql`
    SELECT min(not_before) AS due FROM pending
    WHERE task_key = ${taskKey} AND cluster_id = ${clusterId} AND record_id IS NULL`);
  const due = row?.due ?? null;
  return due === null ? null : Math.max(0, due - now);
}
