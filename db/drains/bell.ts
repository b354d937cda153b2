import { and, eq, sql } from "drizzle-orm";
import { type Changed, meansFilesOfVersions, objectMatcher } from "../../domain/object-matcher.ts";
import type { TaskObject } from "../../domain/task.ts";
import type { DbOrTx } from "../open.ts";
import { eventCursor } from "../schema/content.ts";
import { task } from "../schema/replication.ts";
import { readObjects } from "../tasks.ts";
import type { CursorKey } from "./cursors.ts";
import { toChanged } from "./news.ts";

/** Events looked at; where there are more, every task is told to look for itself. */
const PAGE = 5_000;

/** The clusters of enabled tasks that mean something of what happened after the event `after`; not those that wait after a failure. */
export function findConcerned(db: DbOrTx, after: number, now: number, page = PAGE): CursorKey[] {
  const { changes, full } = readChanges(db, after, page);
  const tasks = db
    .select({ key: task.key, projectId: task.projectId })
    .from(task)
    .where(and(eq(task.replicaType, "REAL_TIME"), eq(task.enabled, true)))
    .all();
  const isConcerned = (projectId: string, object: TaskObject) => changes.get(`${projectId}/${object.localRepoName}`)?.some(mayMean(object)) ?? false;
  const concerned = tasks.filter(({ key, projectId }) => full || readObjects(db, key).some((object) => isConcerned(projectId, object)));
  return concerned.flatMap(({ key }) => cursorsOf(db, key).filter(({ notBefore }) => (notBefore ?? 0) <= now));
}

/** Which of a version's files changed is found out later. */
function mayMean(object: TaskObject): (changed: Changed) => boolean {
  const means = objectMatcher(object);
  const byFiles = meansFilesOfVersions(object);
  return (changed) => means(changed) || (byFiles && changed.version !== "");
}

/** By project/repository. */
function readChanges(db: DbOrTx, after: number, page: number): { changes: Map<string, Changed[]>; full: boolean } {
  const events = db.all<{ place: string; subject: string; version: string | null }>(
    sql`SELECT project_id || '/' || repo_name AS place, subject, version FROM event WHERE seq > ${after} ORDER BY seq LIMIT ${page}`,
  );
  const changes = new Map<string, Changed[]>();
  for (const { place, ...event } of events) {
    const known = changes.get(place);
    const changed = toChanged(event);
    if (known) known.push(changed);
    else changes.set(place, [changed]);
  }
  return { changes, full: events.length === page };
}

export function cursorsOf(db: DbOrTx, taskKey: string): (CursorKey & { notBefore: number | null })[] {
  const { clusterId, notBefore } = eventCursor;
  return db.select({ taskKey: eventCursor.taskKey, clusterId, notBefore }).from(eventCursor).where(eq(eventCursor.taskKey, taskKey)).all();
}
