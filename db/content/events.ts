import { and, eq, sql } from "drizzle-orm";
import { type Db, type DbOrTx, write } from "../open.ts";
import { prepared } from "../prepared.ts";
import { event, eventCursor } from "../schema/content.ts";
import { task } from "../schema/tasks.ts";

const BATCH = 1_000;

/**
 * Whether a REAL_TIME task, enabled or not, follows the project; inside a write transaction the
 * answer holds until that ends. Nobody reads the events of other projects.
 */
export function isFollowed(db: DbOrTx, projectId: string): boolean {
  return followerOf(db).get({ projectId }) !== undefined;
}

const followerOf = prepared((db) => {
  const hasCursor = sql`EXISTS (SELECT 1 FROM ${eventCursor} WHERE ${eventCursor.taskKey} = ${task.key})`;
  return db
    .select({ key: task.key })
    .from(task)
    .where(and(eq(task.projectId, sql.placeholder("projectId")), hasCursor))
    .limit(1)
    .prepare();
});

/**
 * Writes an event into the log of REAL_TIME, in the transaction of the change, if any task follows
 * the project.
 */
export function tell(tx: DbOrTx, news: typeof event.$inferInsert): void {
  if (isFollowed(tx, news.projectId)) tx.insert(event).values(news).run();
}

/**
 * Deletes some of the events that every cursor has passed (all events when there is no cursor) and
 * returns how many.
 */
export function deletePassedEvents(db: Db): number {
  return write(db, (tx) =>
    tx.run(sql`
      DELETE FROM event WHERE seq IN (
        SELECT seq FROM event
        WHERE seq <= coalesce((SELECT min(position) FROM event_cursor), 9223372036854775807)
        ORDER BY seq LIMIT ${BATCH}
      )`),
  ).changes;
}
