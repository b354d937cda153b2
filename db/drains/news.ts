import { sql } from "drizzle-orm";
import { objectMatcher } from "../../domain/object-matcher.ts";
import type { TaskObject } from "../../domain/task.ts";
import type { DbOrTx } from "../open.ts";
import { type CursorKey, newestEvent } from "./cursors.ts";

/** Events looked at, and files that wait, in one transaction. */
export const NEWS_PAGE = 5_000;
/** Objects that one page of news may concern, so that what is answered about it stays small. */
const MOST_OBJECTS = 20;

export type Objects = { projectId: string; objects: readonly TaskObject[] };

/**
 * What a cluster has to be sent next: paths by the number of their object. `upTo`: all events up to this one are in here; `more`: that was
 * not all there is. Several events of a path are one.
 */
export type News = { paths: Map<number, Set<string>>; upTo: number; more: boolean };

type Event = { seq: number; repoName: string; path: string };

/** The events after `after` that the objects mean. */
export function readEvents(db: DbOrTx, { projectId, objects }: Objects, after: number, page = NEWS_PAGE): News {
  const byRepository = new Map<string, { object: number; matches: (path: string) => boolean }[]>();
  for (const [object, from] of objects.entries()) {
    const known = byRepository.get(from.localRepoName) ?? [];
    byRepository.set(from.localRepoName, [...known, { object, matches: objectMatcher(from) }]);
  }
  const { events, upTo, more } = pageOfEvents(db, projectId, [...byRepository.keys()], after, page);
  const news: News = { paths: new Map(), upTo, more };
  for (const { seq, repoName, path } of events) {
    const concerned = (byRepository.get(repoName) ?? []).filter(({ matches }) => matches(path)).map(({ object }) => object);
    if (!hasRoom(news, concerned)) return { ...news, upTo: seq - 1, more: true };
    for (const object of concerned) addPath(news.paths, object, path);
  }
  return news;
}

/** In the order of their numbers, over all the repositories. */
function pageOfEvents(db: DbOrTx, projectId: string, repositories: string[], after: number, page: number): { events: Event[]; upTo: number; more: boolean } {
  const each = Math.ceil(page / Math.max(1, repositories.length));
  const upTo = newestEvent(db);
  const pages = repositories.map((name) =>
    db.all<Event>(sql`
      SELECT seq, repo_name AS repoName, subject AS path FROM event
      WHERE project_id = ${projectId} AND repo_name = ${name} AND seq > ${after} AND kind = 'node' ORDER BY seq LIMIT ${each}`),
  );
  const ends = pages.filter((events) => events.length === each).map((events) => events.at(-1)?.seq ?? 0);
  const end = Math.min(upTo, ...ends);
  const events = pages.flat().filter(({ seq }) => seq <= end);
  return { events: events.sort((a, b) => a.seq - b.seq), upTo: end, more: end < upTo };
}

export type Waiting = { repoName: string; path: string };

/** The files that wait for the cluster and are due, the longest due first; of them those that were tried at most `mostTries` times. */
export function readDue(db: DbOrTx, { taskKey, clusterId }: CursorKey, mostTries: number, now: number): Waiting[] {
  return db.all<Waiting>(sql`
    SELECT repo_name AS repoName, path FROM pending
    WHERE task_key = ${taskKey} AND cluster_id = ${clusterId} AND not_before <= ${now} AND tries <= ${mostTries} AND record_id IS NULL ORDER BY not_before LIMIT ${NEWS_PAGE}`);
}

/** Adds files that wait, as far as there is room. `taken`: those it added; `idle`: those that no object means any more. */
export function addWaiting(news: News, { objects }: Objects, waiting: readonly Waiting[]): { taken: Waiting[]; idle: Waiting[] } {
  const matchers = objects.map(objectMatcher);
  const taken: Waiting[] = [];
  const idle: Waiting[] = [];
  for (const each of waiting) {
    const concerned = objects.flatMap((from, object) => (from.localRepoName === each.repoName && matchers[object]?.(each.path) ? [object] : []));
    if (concerned.length === 0) {
      idle.push(each);
    } else if (hasRoom(news, concerned)) {
      taken.push(each);
      for (const object of concerned) addPath(news.paths, object, each.path);
    } else news.more = true;
  }
  return { taken, idle };
}

function hasRoom({ paths }: News, objects: readonly number[]): boolean {
  const joining = objects.filter((object) => !paths.has(object)).length;
  return joining === 0 || paths.size === 0 || paths.size + joining <= MOST_OBJECTS;
}

function addPath(paths: News["paths"], object: number, path: string): void {
  const known = paths.get(object);
  if (known) known.add(path);
  else paths.set(object, new Set([path]));
}
