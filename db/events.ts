import { sql } from "drizzle-orm";
import { type Db, type DbOrTx, write } from "./open.ts";
import { event } from "./schema/content.ts";

const BATCH = 1_000;

/** Whether a REAL_TIME task follows the project, which stays so within the caller's write transaction. Nobody reads events of others. */
export function isFollowed(db: DbOrTx, projectId: string): boolean {
  const follower = db.get(sql`
    SELECT 1 FROM task
    WHERE project_id = ${projectId} AND EXISTS (SELECT 1 FROM event_cursor WHERE event_cursor.task_key = task.key) LIMIT 1`);
  return follower !== undefined;
}

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
