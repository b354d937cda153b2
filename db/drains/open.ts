import { and, eq, sql } from "drizzle-orm";
import { newId } from "../../domain/ids.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { haltReason } from "../records/halts.ts";
import { insertPlanObjects, readSnapshot, startRecord } from "../runs/open.ts";
import { snapshotOf } from "../records/snapshots.ts";
import { type Target, targetWriter } from "../runs/targets.ts";
import { eventCursor } from "../schema/content.ts";
import { planObject } from "../schema/plans.ts";
import { record } from "../schema/records.ts";
import { task } from "../schema/tasks.ts";
import { type CursorKey, cursorOf, findCursor, nextPending } from "../pending/cursors.ts";
import { addWaiting, type News, readDue, readEvents, type Waiting } from "./news.ts";
import { type Drain, planNews } from "./plan.ts";

/** A drain with at least this many artifacts takes no more changes. */
const MOST_FILES = 10_000;
/** A drain with at least this many plan objects takes no more changes. */
const MOST_OBJECTS = 200;

/**
 * What the workflow of a task and cluster does next.
 * - gone: the task does not follow uploads to this cluster, or not at present.
 * - idle: nothing to do; `wait`: ask again in so many ms, null = when the doorbell rings.
 * - look: nothing found so far, but there are more events to read.
 * - drain: `targets` have something to be cut, null = ask for them; `plan`: the plan must be made
 *   first; `more`: there are more changes to add.
 */
export type DrainStep =
  | { kind: "gone" }
  | { kind: "look" }
  | { kind: "idle"; wait: number | null }
  | {
      kind: "drain";
      recordId: string;
      targets: Target[] | null;
      plan: boolean;
      more: boolean;
    };

type Opening = CursorKey & { workflowId: string; localCluster: string; now: number };

/**
 * Opens the record of a drain if there is something to send. If a drain is already running, returns
 * the step that continues it. Takes one transaction.
 */
export function beginDrain(db: Db, opening: Opening): DrainStep {
  const { now, taskKey, clusterId } = opening;
  return write(db, (tx) => {
    const cursor = findCursor(tx, opening);
    const running = findRunning(tx, opening);
    if (running)
      return {
        kind: "drain",
        recordId: running,
        targets: null,
        plan: cursor?.catchUpRecord === running,
        more: true,
      };
    if (!cursor || !isFollowing(tx, taskKey)) return { kind: "gone" };
    if (cursor.notBefore !== null && cursor.notBefore > now)
      return { kind: "idle", wait: cursor.notBefore - now };
    const snapshot = readSnapshot(tx, taskKey, opening.localCluster);
    const clusters = snapshot?.clusters.filter(({ id }) => id === clusterId) ?? [];
    if (!snapshot || clusters.length === 0) return { kind: "gone" };
    const drain: Drain = {
      recordId: newId(now),
      taskKey,
      clusterId,
      snapshot: { ...snapshot, clusters },
    };
    if (cursor.catchUp) return beginCatchUp(tx, opening, drain);
    const taken = takeNews(tx, drain, cursor.position, Number.MAX_SAFE_INTEGER, now);
    if (taken.takesPart) {
      insertRecord(tx, opening, drain);
      tx.update(eventCursor).set({ planned: taken.upTo }).where(cursorOf(opening)).run();
      return {
        kind: "drain",
        recordId: drain.recordId,
        targets: toTargets(drain, taken.gained),
        plan: false,
        more: taken.more,
      };
    }
    tx.update(eventCursor)
      .set({ position: taken.upTo, planned: taken.upTo })
      .where(cursorOf(opening))
      .run();
    return taken.more
      ? { kind: "look" }
      : { kind: "idle", wait: nextPending(tx, opening, now) };
  });
}

/**
 * Begins a drain of everything that the task covers, instead of a drain of changes; changes from
 * now on belong to the next drain.
 */
function beginCatchUp(tx: DbOrTx, opening: Opening, drain: Drain): DrainStep {
  const { recordId, snapshot } = drain;
  insertRecord(tx, opening, drain);
  insertPlanObjects(tx, recordId, snapshot.objects.length);
  tx.update(eventCursor).set({ catchUpRecord: recordId }).where(cursorOf(opening)).run();
  return { kind: "drain", recordId, targets: null, plan: true, more: false };
}

/**
 * The result of adding changes to a running drain. `full`: the drain accepts nothing more, so
 * another attempt is useless.
 */
export type Grown = { targets: Target[]; more: boolean; full: boolean };

const FULL: Grown = { targets: [], more: false, full: true };

/**
 * Adds to a running drain the changes that it has not read yet, in one transaction. Returns `full` if
 * the drain takes no more: it has enough artifacts or objects, it must stop, one full plan replaces
 * the changes (`catchUp`), its task has changed, or a repository did not exist when it began.
 */
export function growDrain(db: Db, recordId: string, now: number): Grown {
  return write(db, (tx) => {
    const { taskKey, clusterId, startTime } = record;
    const row = tx
      .select({ taskKey, clusterId, startTime })
      .from(record)
      .where(eq(record.id, recordId))
      .get();
    const snapshot = snapshotOf(tx, recordId);
    const cursor = row && findCursor(tx, row);
    if (
      !row ||
      !snapshot ||
      !cursor ||
      cursor.catchUp ||
      haltReason(tx, recordId, row.clusterId) !== null
    )
      return FULL;
    // If a repository did not exist when the drain began, its changes wait for the next drain.
    const lacking = snapshot.objects.some(({ category }) => category === null);
    if (lacking || !isFollowing(tx, row.taskKey, row.startTime) || isFull(tx, recordId))
      return FULL;
    const drain: Drain = {
      recordId,
      taskKey: row.taskKey,
      clusterId: row.clusterId,
      snapshot,
    };
    const taken = takeNews(tx, drain, cursor.planned, 0, now);
    tx.update(eventCursor).set({ planned: taken.upTo }).where(cursorOf(row)).run();
    return { targets: toTargets(drain, taken.gained), more: taken.more, full: false };
  });
}

/**
 * Plans the next events after the seq `after`, and the waiting changes that are due and were tried
 * at most `mostTries` times.
 */
function takeNews(
  tx: DbOrTx,
  drain: Drain,
  after: number,
  mostTries: number,
  now: number,
): News & ReturnType<typeof planNews> {
  const news = readEvents(tx, drain.snapshot, after);
  const waiting = addWaiting(news, drain.snapshot, readDue(tx, drain, mostTries, now));
  tx.run(sql`
    UPDATE pending SET record_id = ${drain.recordId}
    WHERE ${among(drain, [...waiting.taken, ...waiting.idle])}`);
  const planned = planNews(tx, drain, news, now);
  tx.run(sql`
    DELETE FROM pending
    WHERE record_id = ${drain.recordId}
      AND NOT EXISTS (
        SELECT 1 FROM plan p
        WHERE p.record_id = ${drain.recordId}
          AND p.name = pending.path
          AND p.version = pending.version
          AND p.object IN (SELECT object FROM plan_object WHERE record_id = ${drain.recordId}))`);
  return { ...news, ...planned };
}

const among = ({ taskKey, clusterId }: CursorKey, waiting: readonly Waiting[]) => sql`
  task_key = ${taskKey} AND cluster_id = ${clusterId}
  AND (repo_name, path, version) IN (
    SELECT value ->> 'repoName', value ->> 'path', value ->> 'version'
    FROM json_each(${JSON.stringify(waiting)}))`;

function insertRecord(
  tx: DbOrTx,
  { workflowId, now }: Opening,
  { recordId, taskKey, clusterId, snapshot }: Drain,
): void {
  startRecord(tx, {
    id: recordId,
    taskKey,
    clusterId,
    workflowId,
    startTime: now,
    snapshot,
  });
}

function findRunning(tx: DbOrTx, { taskKey, clusterId }: CursorKey): string | null {
  const where = and(
    eq(record.taskKey, taskKey),
    eq(record.clusterId, clusterId),
    eq(record.status, "RUNNING"),
  );
  return tx.select({ id: record.id }).from(record).where(where).get()?.id ?? null;
}

/**
 * Whether a task is enabled and follows uploads; with `since`, also whether it has not changed from
 * this time on.
 */
function isFollowing(
  tx: DbOrTx,
  taskKey: string,
  since = Number.MAX_SAFE_INTEGER,
): boolean {
  const row = tx.select().from(task).where(eq(task.key, taskKey)).get();
  return (
    row !== undefined &&
    row.enabled &&
    row.replicaType === "REAL_TIME" &&
    row.lastModifiedDate < since
  );
}

function isFull(tx: DbOrTx, recordId: string): boolean {
  const sums = tx
    .select({
      files: sql<number>`total(${planObject.planned})`,
      objects: sql<number>`count(*)`,
    })
    .from(planObject)
    .where(eq(planObject.recordId, recordId))
    .get();
  return (sums?.files ?? 0) >= MOST_FILES || (sums?.objects ?? 0) >= MOST_OBJECTS;
}

/** Builds the targets that the sending child workflows get. */
function toTargets({ clusterId, snapshot }: Drain, objects: readonly number[]): Target[] {
  const target = targetWriter(snapshot);
  return objects.map((objectIndex) =>
    target(objectIndex, { id: clusterId, name: snapshot.clusters[0]?.name ?? clusterId }),
  );
}
