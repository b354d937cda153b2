import { sql } from "drizzle-orm";
import { type Db, write } from "./open.ts";

const BATCH = 1_000;

/** One step of deleting events that every cursor has passed, or all when there is no cursor; answers how many went. */
export function deletePassedEvents(db: Db): number {
  return write(db, (tx) =>
    tx.run(sql`
      DELETE FROM event WHERE seq IN (
        SELECT seq FROM event WHERE seq <= coalesce((SELECT min(position) FROM event_cursor), 9223372036854775807) ORDER BY seq LIMIT ${BATCH}
      )`),
  ).changes;
}
