import { and, eq } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { readObjects } from "../tasks.ts";
import { eventCursor } from "../schema/content.ts";
import { task } from "../schema/replication.ts";
import type { CursorKey } from "./cursors.ts";
import { readEvents } from "./news.ts";

/** Looked at for each task; where there are more, the drain looks for itself. */
const PAGE = 1_000;

/** The clusters of enabled tasks that mean something of what happened after the event `after`; not those that wait after a failure. */
export function findConcerned(db: DbOrTx, after: number, now: number): CursorKey[] {
  const tasks = db
    .select({ key: task.key, projectId: task.projectId })
    .from(task)
    .where(and(eq(task.replicaType, "REAL_TIME"), eq(task.enabled, true)))
    .all();
  return tasks.flatMap(({ key, projectId }) => {
    const { paths, more } = readEvents(db, { projectId, objects: readObjects(db, key) }, after, PAGE);
    return paths.size > 0 || more ? cursorsOf(db, key).filter(({ notBefore }) => (notBefore ?? 0) <= now) : [];
  });
}

export function cursorsOf(db: DbOrTx, taskKey: string): (CursorKey & { notBefore: number | null })[] {
  const { clusterId, notBefore } = eventCursor;
  return db.select({ taskKey: eventCursor.taskKey, clusterId, notBefore }).from(eventCursor).where(eq(eventCursor.taskKey, taskKey)).all();
}
