import { and, eq, lte, type SQL, sql } from "drizzle-orm";
import { nextExecution } from "../../domain/plan-rules.ts";
import { type Db, write } from "../open.ts";
import { prepared } from "../prepared.ts";
import { deleteRecord } from "../records/records.ts";
import { task } from "../schema/tasks.ts";

const DAY = 86_400_000;
/** Number of records to find in one query. */
const PAGE = 100;

const strategy = sql`json_extract(${task.setting}, '$.executionStrategy')`;
const mayBeScheduled = and(
  eq(task.replicaType, "SCHEDULED"),
  sql`${strategy} <> 'IMMEDIATELY'`,
);

/**
 * Replaces every `nextExecutionTime` that has passed by the next one, null when there is none. This
 * is cheap when none has passed: the column has an index.
 */
export function advanceNextTimes(db: Db, zone: string, now: number): void {
  if (somePassed(db).get({ now }) !== undefined)
    setNextTimes(db, zone, now, lte(task.nextExecutionTime, now));
}

const somePassed = prepared((db) =>
  db
    .select({ key: task.key })
    .from(task)
    .where(lte(task.nextExecutionTime, sql.placeholder("now")))
    .limit(1)
    .prepare(),
);

/**
 * Computes the `nextExecutionTime` of every enabled task with a schedule again, because the
 * configured zone, or the zone data, may have changed.
 */
export function resetNextTimes(db: Db, zone: string, now: number): void {
  setNextTimes(db, zone, now, and(mayBeScheduled, eq(task.enabled, true)));
}

function setNextTimes(db: Db, zone: string, now: number, which: SQL | undefined): void {
  write(db, (tx) => {
    const rows = tx
      .select({ key: task.key, setting: task.setting, replicaType: task.replicaType })
      .from(task)
      .where(which)
      .all();
    for (const { key, ...row } of rows) {
      tx.update(task)
        .set({ nextExecutionTime: nextOrNone(row, zone, now) })
        .where(eq(task.key, key))
        .run();
    }
  });
}

/**
 * Computes a task's next time; null when there is none. Returns null, too, for a schedule that has
 * become invalid, for example because its zone was abolished: it must not block other tasks.
 */
function nextOrNone(
  { setting, replicaType }: Pick<typeof task.$inferSelect, "setting" | "replicaType">,
  zone: string,
  now: number,
): number | null {
  try {
    return nextExecution(setting, replicaType, zone, now);
  } catch {
    return null;
  }
}

/** Returns the keys of the tasks that may need a schedule in Temporal. */
export function scheduledTasks(db: Db): string[] {
  const rows = db.select({ key: task.key }).from(task);
  return rows
    .where(mayBeScheduled)
    .all()
    .map(({ key }) => key);
}

/**
 * Returns the keys of the tasks that should have started when they were saved and never did,
 * because the process died in between.
 */
export function forgottenStarts(db: Db): string[] {
  const rows = db.select({ key: task.key }).from(task);
  const forgotten = and(
    eq(task.enabled, true),
    eq(task.replicaType, "SCHEDULED"),
    eq(task.executionTimes, 0),
    sql`${strategy} = 'IMMEDIATELY'`,
  );
  return rows
    .where(forgotten)
    .all()
    .map(({ key }) => key);
}

/**
 * Deletes the finished records that are older than their task keeps records (at least a day), and
 * all records of deleted tasks, with everything below them, in bounded transactions between other
 * work. Returns how many records it deleted.
 */
export async function deleteOldRecords(db: Db, now: number): Promise<number> {
  let deleted = 0;
  for (let ids = oldRecords(db, now); ids.length > 0; ids = oldRecords(db, now)) {
    for (const id of ids) await deleteRecord(db, id);
    deleted += ids.length;
  }
  return deleted;
}

function oldRecords(db: Db, now: number): string[] {
  const finished = sql`
    SELECT r.id FROM record r
    JOIN task t ON t.key = r.task_key
    WHERE r.status IN ('SUCCESS', 'FAILED')
      AND r.end_time < ${now - DAY}
      AND r.end_time < ${now} - t.record_reserve_days * ${DAY}
    LIMIT ${PAGE}`;
  const orphaned = sql`SELECT id FROM record WHERE task_key NOT IN (SELECT key FROM task) LIMIT ${PAGE}`;
  return [finished, orphaned]
    .flatMap((query) => db.all<{ id: string }>(query))
    .map(({ id }) => id);
}
