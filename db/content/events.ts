import { and, eq, sql } from "drizzle-orm";
import { type Db, type DbOrTx, write } from "../open.ts";
import { prepared } from "../prepared.ts";
import { event, eventCursor } from "../schema/content.ts";
import { task } from "../schema/tasks.ts";

const BATCH = 1_000;

/**
 * Whether a REAL_TIME task follows the project, which stays so within the caller's write transaction. Nobody reads
 * events of others.
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

/** Writes into the log of REAL_TIME, in the transaction that changes something; nothing where nobody follows. */
export function tell(tx: DbOrTx, news: typeof event.$inferInsert): void {
  if (isFollowed(tx, news.projectId)) tx.insert(event).values(news).run();
}

/** One step of deleting events that every cursor has passed, or all when there is no cursor; answers how many went. */
export function deletePassedEvents(db: Db): number {
  return write(db, (tx) =>
    tx.run(sql`
      DELETE FROM event WHERE seq IN (
        SELECT seq FROM event WHERE seq <= coalesce((SELECT min(position) FROM event_cursor), 9223372036854775807) ORDER BY seq LIMIT ${BATCH}
      )`),
  ).changes;
}
