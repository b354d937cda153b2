import { and, eq, isNull, lte, or, sql } from "drizzle-orm";
import {
  type Changed,
  meansFilesOfVersions,
  objectMatcher,
} from "../../domain/object-matcher.ts";
import type { TaskObject } from "../../domain/task.ts";
import type { DbOrTx } from "../open.ts";
import { eventCursor } from "../schema/content.ts";
import { task, taskObject } from "../schema/tasks.ts";
import type { CursorKey } from "../pending/cursors.ts";
import { toChanged } from "./news.ts";

/** Maximum number of events read; if there are that many, every task counts as concerned. */
const PAGE = 5_000;

/**
 * Returns the cursors of the enabled REAL_TIME tasks that may cover some change after the event
 * `after`, except cursors that wait after a failure.
 */
export function findConcerned(
  db: DbOrTx,
  after: number,
  now: number,
  page = PAGE,
): CursorKey[] {
  const { changes, full } = readChanges(db, after, page);
  const keys = full ? null : concernedTasks(db, changes);
  const { taskKey, clusterId, notBefore } = eventCursor;
  return db
    .select({ taskKey, clusterId })
    .from(eventCursor)
    .innerJoin(task, eq(task.key, taskKey))
    .where(
      and(
        FOLLOWING,
        or(isNull(notBefore), lte(notBefore, now)),
        keys === null
          ? undefined
          : sql`${taskKey} IN (SELECT value FROM json_each(${JSON.stringify(keys)}))`,
      ),
    )
    .all();
}

const FOLLOWING = and(eq(task.replicaType, "REAL_TIME"), eq(task.enabled, true));

/**
 * Returns the keys of the tasks with an object that may cover one of the changes. Reads only
 * objects of repositories with changes.
 */
function concernedTasks(db: DbOrTx, changes: Map<string, Changed[]>): string[] {
  if (changes.size === 0) return [];
  const place = sql<string>`${task.projectId} || '/' || ${taskObject.localRepoName}`;
  const names = [...changes.keys()].map((each) => each.slice(each.indexOf("/") + 1));
  const rows = db
    .select({ place, object: taskObject })
    .from(taskObject)
    .innerJoin(task, eq(task.key, taskObject.taskKey))
    .where(
      and(
        FOLLOWING,
        sql`${taskObject.localRepoName} IN (SELECT value FROM json_each(${JSON.stringify(names)}))`,
      ),
    )
    .all();
  const concerned = rows.filter(({ place: at, object }) =>
    changes.get(at)?.some(mayMean(object)),
  );
  return [...new Set(concerned.map(({ object }) => object.taskKey))];
}

/**
 * Returns a function that says whether a task object may cover a change. It may return true too
 * often: which files of a version have changed is only read later.
 */
function mayMean(object: TaskObject): (changed: Changed) => boolean {
  const means = objectMatcher(object);
  const byFiles = meansFilesOfVersions(object);
  return (changed) => means(changed) || (byFiles && changed.version !== "");
}

/**
 * Reads the changes after an event, by project/repository; `full`: the page is full, so there may
 * be more.
 */
function readChanges(
  db: DbOrTx,
  after: number,
  page: number,
): { changes: Map<string, Changed[]>; full: boolean } {
  const events = db.all<{ place: string; subject: string; version: string | null }>(sql`
    SELECT project_id || '/' || repo_name AS place, subject, version FROM event
    WHERE seq > ${after} ORDER BY seq LIMIT ${page}`);
  const changes = new Map<string, Changed[]>();
  for (const { place, ...event } of events) {
    const known = changes.get(place);
    const changed = toChanged(event);
    if (known) known.push(changed);
    else changes.set(place, [changed]);
  }
  return { changes, full: events.length === page };
}

export function cursorsOf(
  db: DbOrTx,
  taskKey: string,
): (CursorKey & { notBefore: number | null })[] {
  const { clusterId, notBefore } = eventCursor;
  return db
    .select({ taskKey: eventCursor.taskKey, clusterId, notBefore })
    .from(eventCursor)
    .where(eq(eventCursor.taskKey, taskKey))
    .all();
}
