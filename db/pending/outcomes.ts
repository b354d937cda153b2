import { and, eq, sql } from "drizzle-orm";
import { DRAIN_WINDOW, drainDelay } from "../../domain/retry.ts";
import type { Changed } from "../../domain/object-matcher.ts";
import type { ArtifactResult } from "../../domain/outcome.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import type { ArtifactReport } from "../../domain/worker-messages.ts";
import type { DbOrTx } from "../open.ts";
import { eventCursor, pending } from "../schema/content.ts";
import type { dispatch } from "../schema/plans.ts";
import { halt, record } from "../schema/records.ts";
import { type CursorKey, cursorOf, findCursor } from "./cursors.ts";

/** The state of one transaction that records a worker's reports about a drain's batch. */
export type DrainReports = CursorKey & {
  recordId: string;
  projectId: string;
  repoName: string;
  now: number;
  /**
   * When the cluster last accepted or refused something (epoch ms), 0: never yet; null: its cursor
   * is gone, so nothing has to be kept.
   */
  answeredTime: number | null;
  /** Whether the drain has taken any file or version that waited in table `pending`. */
  waited: boolean;
};

/**
 * Prepares the recording of reports; returns null when the run is not a drain. Notes the time if
 * some reported artifact has a result other than *again*, because then the cluster has answered.
 */
export function openReports(
  tx: DbOrTx,
  batch: typeof dispatch.$inferSelect,
  snapshot: RunSnapshot,
  reports: readonly ArtifactReport[],
  now: number,
): DrainReports | null {
  if (snapshot.replicaType !== "REAL_TIME") return null;
  const { recordId, clusterId } = batch;
  const taskKey =
    tx.select({ key: record.taskKey }).from(record).where(eq(record.id, recordId)).get()
      ?.key ?? "";
  const key = { taskKey, clusterId };
  const answered = reports.some(
    ({ outcome }) => outcome && outcome.result.kind !== "again",
  );
  if (answered)
    tx.update(eventCursor).set({ answeredTime: now }).where(cursorOf(key)).run();
  const cursor = findCursor(tx, key);
  const waited =
    tx
      .select({ path: pending.path })
      .from(pending)
      .where(eq(pending.recordId, recordId))
      .limit(1)
      .get() !== undefined;
  const repoName = snapshot.objects[batch.object]?.localRepoName ?? "";
  return {
    ...key,
    recordId,
    projectId: snapshot.projectId,
    repoName,
    now,
    answeredTime: cursor && (cursor.answeredTime ?? 0),
    waited,
  };
}

/**
 * Halts a drain whose cluster is away. A cluster counts as away if a file failed to reach it since
 * `firstFailure`, for at least DRAIN_WINDOW, and the cluster has accepted or refused nothing
 * meanwhile. All that the drain had to send is kept.
 */
export function noteUnreachable(
  tx: DbOrTx,
  drain: DrainReports,
  result: ArtifactResult,
  firstFailure: number | null,
): void {
  if (
    result.kind !== "again" ||
    !result.unreachable ||
    firstFailure === null ||
    drain.now - firstFailure < DRAIN_WINDOW
  )
    return;
  if (drain.answeredTime === null || drain.answeredTime >= firstFailure) return;
  const seconds = Math.round((drain.now - firstFailure) / 1000);
  const reason =
    `the cluster took nothing for ${seconds} s: ${result.reason}; its uploads are kept for the next drain`.slice(
      0,
      2_000,
    );
  tx.insert(halt)
    .values({ recordId: drain.recordId, clusterId: drain.clusterId, reason, away: true })
    .onConflictDoNothing()
    .run();
}

/**
 * Notes that a file or version has ended in this drain, so it no longer waits. If it only ran out
 * of time, or the target had no room for it, it waits for a later drain.
 */
export function noteEnded(
  tx: DbOrTx,
  drain: DrainReports,
  ended: Changed,
  result: ArtifactResult,
): void {
  const waits = result.kind === "again" || (result.kind === "failed" && result.full);
  if (!waits) return drain.waited ? pass(tx, drain, ended) : undefined;
  if (drain.answeredTime !== null && !isAway(tx, drain.recordId)) keep(tx, drain, ended);
}

/**
 * Deletes the row of a waiting file or version if this drain took it. A row that changed meanwhile
 * stays, and the file waits again.
 */
export function pass(
  tx: DbOrTx,
  { recordId, repoName, ...key }: CursorKey & { recordId: string; repoName: string },
  changed: Changed,
): void {
  tx.delete(pending)
    .where(and(rowOf(key, repoName, changed), eq(pending.recordId, recordId)))
    .run();
}

function keep(
  tx: DbOrTx,
  { recordId, repoName, now, ...key }: DrainReports,
  changed: Changed,
): void {
  const known = tx
    .select({ tries: pending.tries, recordId: pending.recordId })
    .from(pending)
    .where(rowOf(key, repoName, changed))
    .get();
  if (known && known.recordId !== recordId) return;
  const tries = (known?.tries ?? 0) + 1;
  const values = { tries, notBefore: now + drainDelay(tries), recordId: null };
  tx.insert(pending)
    .values({
      ...values,
      taskKey: key.taskKey,
      clusterId: key.clusterId,
      repoName,
      path: changed.path,
      version: changed.version,
      since: now,
    })
    .onConflictDoUpdate({
      target: [
        pending.taskKey,
        pending.clusterId,
        pending.repoName,
        pending.path,
        pending.version,
      ],
      set: values,
    })
    .run();
}

const rowOf = (
  { taskKey, clusterId }: CursorKey,
  repoName: string,
  { path, version }: Changed,
) =>
  and(
    eq(pending.taskKey, taskKey),
    eq(pending.clusterId, clusterId),
    eq(pending.repoName, repoName),
    eq(pending.path, path),
    eq(pending.version, version),
  );

/** Whether the drain ended, or is ending, because the cluster was away. */
export function isAway(db: DbOrTx, recordId: string): boolean {
  return (
    db.get(sql`SELECT 1 FROM halt WHERE record_id = ${recordId} AND away = 1`) !==
    undefined
  );
}
