import { sql } from "drizzle-orm";
import {
  type Changed,
  meansFilesOfVersions,
  objectMatcher,
} from "../../domain/object-matcher.ts";
import { packageNameOf } from "../../domain/package-key.ts";
import type { TaskObject } from "../../domain/task.ts";
import type { DbOrTx } from "../open.ts";
import { fileTypeOf } from "../packages/types.ts";
import { findRepository } from "../content/repositories.ts";
import { type CursorKey, newestEvent } from "../pending/cursors.ts";

/**
 * About how many events, and at most how many waiting files and versions, one transaction reads. Of
 * each repository it reads at least one event.
 */
const NEWS_PAGE = 1_000;
/**
 * Maximum number of objects that one page of news may concern, unless a single change concerns more, so
 * that the activity's result stays small.
 */
const MOST_OBJECTS = 20;

type Objects = { projectId: string; objects: readonly TaskObject[] };

/**
 * What has to be sent to a cluster next. `changes`: files and versions, by object index; several
 * events of the same file or version count once. `upTo`: every event up to this seq is included;
 * `more`: there are more events.
 */
export type News = {
  changes: Map<number, Map<string, Changed>>;
  upTo: number;
  more: boolean;
};

type Event = Changed & { seq: number; repoName: string };

/** Turns an event into a change; the event of a version names its package by key. */
export function toChanged({
  subject,
  version,
}: {
  subject: string;
  version: string | null;
}): Changed {
  return version === null
    ? { path: subject, version: "" }
    : { path: packageNameOf(subject), version };
}

/** Reads the next events after the seq `after` and returns what the objects cover of them. */
export function readEvents(
  db: DbOrTx,
  { projectId, objects }: Objects,
  after: number,
  page = NEWS_PAGE,
): News {
  const byRepository = new Map<string, Follower[]>();
  for (const [objectIndex, from] of objects.entries()) {
    const known = byRepository.get(from.localRepoName) ?? [];
    byRepository.set(from.localRepoName, [
      ...known,
      {
        object: objectIndex,
        means: objectMatcher(from),
        byFiles: meansFilesOfVersions(from),
      },
    ]);
  }
  const { events, upTo, more } = pageOfEvents(
    db,
    projectId,
    [...byRepository.keys()],
    after,
    page,
  );
  const news: News = { changes: new Map(), upTo, more };
  for (const event of events) {
    const meant = (byRepository.get(event.repoName) ?? []).flatMap((follower) =>
      meantBy(db, projectId, follower, event),
    );
    if (!hasRoom(news, [...new Set(meant.map(({ object: objectIndex }) => objectIndex))]))
      return { ...news, upTo: event.seq - 1, more: true };
    for (const { object: objectIndex, changed } of meant)
      addChange(news.changes, objectIndex, changed);
  }
  return news;
}

type Follower = {
  object: number;
  means: (changed: Changed) => boolean;
  byFiles: boolean;
};

/**
 * Returns what an object covers of a changed file or version: the file or version itself, those
 * files of the version that match the object's paths, or nothing.
 */
function meantBy(
  db: DbOrTx,
  projectId: string,
  { object: objectIndex, means, byFiles }: Follower,
  { repoName, path, version }: Event,
): { object: number; changed: Changed }[] {
  if (means({ path, version }))
    return [{ object: objectIndex, changed: { path, version } }];
  const repository =
    byFiles && version !== "" ? findRepository(db, projectId, repoName) : null;
  if (!repository) return [];
  const paths =
    fileTypeOf(repository.type)?.pathsOfVersion(db, repository.id, path, version) ?? [];
  return paths
    .map((each): Changed => ({ path: each, version: "" }))
    .filter(means)
    .map((changed) => ({ object: objectIndex, changed }));
}

/** Reads a page of events of several repositories, ordered by seq. */
function pageOfEvents(
  db: DbOrTx,
  projectId: string,
  repositories: string[],
  after: number,
  page: number,
): { events: Event[]; upTo: number; more: boolean } {
  const each = Math.ceil(page / Math.max(1, repositories.length));
  const upTo = newestEvent(db);
  const pages = repositories.map((name) =>
    db.all<{
      seq: number;
      repoName: string;
      subject: string;
      version: string | null;
    }>(sql`
      SELECT seq, repo_name AS repoName, subject, version FROM event
      WHERE project_id = ${projectId} AND repo_name = ${name} AND seq > ${after}
      ORDER BY seq LIMIT ${each}`),
  );
  const ends = pages
    .filter((events) => events.length === each)
    .map((events) => events.at(-1)?.seq ?? 0);
  const end = Math.min(upTo, ...ends);
  const events = pages
    .flat()
    .flatMap(({ seq, repoName, ...event }): Event[] =>
      seq <= end ? [{ seq, repoName, ...toChanged(event) }] : [],
    );
  return { events: events.sort((a, b) => a.seq - b.seq), upTo: end, more: end < upTo };
}

export type Waiting = Changed & { repoName: string };

/**
 * Returns the next files and versions that wait for a cluster and are due, the longest due first,
 * if they were tried at most `mostTries` times.
 */
export function readDue(
  db: DbOrTx,
  { taskKey, clusterId }: CursorKey,
  mostTries: number,
  now: number,
): Waiting[] {
  return db.all<Waiting>(sql`
    SELECT repo_name AS repoName, path, version FROM pending
    WHERE task_key = ${taskKey}
      AND cluster_id = ${clusterId}
      AND not_before <= ${now}
      AND tries <= ${mostTries}
      AND record_id IS NULL
    ORDER BY not_before LIMIT ${NEWS_PAGE}`);
}

/**
 * Adds waiting files and versions to the news as far as there is room. `taken`: the added ones;
 * `idle`: those that no object covers any more.
 */
export function addWaiting(
  news: News,
  { objects }: Objects,
  waiting: readonly Waiting[],
): { taken: Waiting[]; idle: Waiting[] } {
  const matchers = objects.map(objectMatcher);
  const taken: Waiting[] = [];
  const idle: Waiting[] = [];
  for (const each of waiting) {
    const concerned = objects.flatMap((from, objectIndex) =>
      from.localRepoName === each.repoName && matchers[objectIndex]?.(each)
        ? [objectIndex]
        : [],
    );
    if (concerned.length === 0) {
      idle.push(each);
    } else if (hasRoom(news, concerned)) {
      taken.push(each);
      for (const objectIndex of concerned)
        addChange(news.changes, objectIndex, { path: each.path, version: each.version });
    } else news.more = true;
  }
  return { taken, idle };
}

function hasRoom({ changes }: News, objects: readonly number[]): boolean {
  const joining = objects.filter((objectIndex) => !changes.has(objectIndex)).length;
  return joining === 0 || changes.size === 0 || changes.size + joining <= MOST_OBJECTS;
}

function addChange(
  changes: News["changes"],
  objectIndex: number,
  changed: Changed,
): void {
  const known = changes.get(objectIndex) ?? new Map<string, Changed>();
  changes.set(
    objectIndex,
    known.set(JSON.stringify([changed.path, changed.version]), changed),
  );
}
