import { asc, sql } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { cluster, task } from "../schema/tasks.ts";
import { artifactTotal, runTotal } from "../schema/totals.ts";

/**
 * The columns of each task that the metrics need. The setting, which may be long, is read by
 * `readTiming` when it has changed.
 */
export type WatchedTask = ReturnType<typeof readWatchedTasks>[number];
export type RunTotal = typeof runTotal.$inferSelect;
export type ArtifactTotal = typeof artifactTotal.$inferSelect;
export type WatchedCluster = ReturnType<typeof readWatchedClusters>[number];

/** Returns all tasks, the oldest first. */
export function readWatchedTasks(db: DbOrTx) {
  const {
    key,
    name,
    enabled,
    replicaType,
    settledTime,
    lastModifiedDate,
    lastExecutionTime,
    skippedTimes,
  } = task;
  return db
    .select({
      key,
      name,
      enabled,
      replicaType,
      settledTime,
      lastModifiedDate,
      lastExecutionTime,
      skippedTimes,
    })
    .from(task)
    .orderBy(asc(task.createdDate), asc(task.key))
    .all();
}

export function readWatchedClusters(db: DbOrTx) {
  const { id, name, url, detectType, status, errorReason } = cluster;
  return db
    .select({ id, name, url, detectType, status, errorReason })
    .from(cluster)
    .orderBy(asc(cluster.name))
    .all();
}

export function readRunTotals(db: DbOrTx): RunTotal[] {
  return db.select().from(runTotal).all();
}

export function readArtifactTotals(db: DbOrTx): ArtifactTotal[] {
  return db.select().from(artifactTotal).all();
}

/** Returns the conflicts that runs left alone (SKIP), at clusters to which the task still sends. */
export function readConflictsLeft(
  db: DbOrTx,
): Pick<ArtifactTotal, "taskKey" | "clusterId" | "conflictsLeft" | "conflictsTime">[] {
  const { taskKey, clusterId, conflictsLeft, conflictsTime } = artifactTotal;
  const current = sql`
    ${artifactTotal.conflictsLeft} > 0
    AND EXISTS (
      SELECT 1 FROM task_cluster c
      WHERE c.task_key = ${taskKey} AND c.cluster_id = ${clusterId})`;
  return db
    .select({ taskKey, clusterId, conflictsLeft, conflictsTime })
    .from(artifactTotal)
    .where(current)
    .all();
}

export function readTiming(db: DbOrTx, taskKey: string) {
  const columns = { setting: task.setting, replicaType: task.replicaType };
  return (
    db
      .select(columns)
      .from(task)
      .where(sql`${task.key} = ${taskKey}`)
      .get() ?? null
  );
}
