import { and, eq, sql } from "drizzle-orm";
import { objectMatcher } from "../../domain/object-matcher.ts";
import type { TaskObject } from "../../domain/task.ts";
import type { DbOrTx } from "../open.ts";
import { eventCursor } from "../schema/content.ts";
import { task } from "../schema/replication.ts";
import { readObjects } from "../tasks.ts";
import type { CursorKey } from "./cursors.ts";

/** Events looked at; where there are more, every task is told to look for itself. */
const PAGE = 5_000;

/** The clusters of enabled tasks that mean something of what happened after the event `after`; not those that wait after a failure. */
export function findConcerned(db: DbOrTx, after: number, now: number, page = PAGE): CursorKey[] {
  const { uploads, full } = readUploads(db, after, page);
  const tasks = db
    .select({ key: task.key, projectId: task.projectId })
    .from(task)
    .where(and(eq(task.replicaType, "REAL_TIME"), eq(task.enabled, true)))
    .all();
  const isConcerned = (projectId: string, object: TaskObject) => uploads.get(`${projectId}/${object.localRepoName}`)?.some(objectMatcher(object)) ?? false;
  const concerned = tasks.filter(({ key, projectId }) => full || readObjects(db, key).some((object) => isConcerned(projectId, object)));
  return concerned.flatMap(({ key }) => cursorsOf(db, key).filter(({ notBefore }) => (notBefore ?? 0) <= now));
}

/** Paths by project/repository. */
function readUploads(db: DbOrTx, after: number, page: number): { uploads: Map<string, string[]>; full: boolean } {
  const events = db.all<{ place: string; path: string }>(
    sql`SELECT project_id || '/' || repo_name AS place, subject AS path FROM event WHERE seq > ${after} AND kind = 'node' ORDER BY seq LIMIT ${page}`,
  );
  const uploads = new Map<string, string[]>();
  for (const { place, path } of events) {
    const known = uploads.get(place);
    if (known) known.push(path);
    else uploads.set(place, [path]);
  }
  return { uploads, full: events.length === page };
}

export function cursorsOf(db: DbOrTx, taskKey: string): (CursorKey & { notBefore: number | null })[] {
  const { clusterId, notBefore } = eventCursor;
  return db.select({ taskKey: eventCursor.taskKey, clusterId, notBefore }).from(eventCursor).where(eq(eventCursor.taskKey, taskKey)).all();
}
