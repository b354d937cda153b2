import { and, asc, eq } from "drizzle-orm";
import { type ClusterRow, findCluster } from "./clusters.ts";
import type { DbOrTx } from "../open.ts";
import { startsWith } from "../prefix.ts";
import { cluster, task } from "../schema/tasks.ts";
import { readClusterIds, readObjects, type TaskRow } from "./tasks.ts";
import type { TaskObject } from "../../domain/task.ts";

/**
 * Finds a task, such as that of a distribution, by its name, which is unique among all tasks; null
 * when there is none.
 */
export function findTaskByName(db: DbOrTx, name: string): TaskRow | null {
  return db.select().from(task).where(eq(task.name, name)).get() ?? null;
}

/**
 * Returns the distribution configurations of a repository, ordered by name. `prefix`:
 * `project/repository/`.
 */
export function listConfigs(db: DbOrTx, prefix: string): TaskRow[] {
  return db
    .select()
    .from(task)
    .where(and(eq(task.kind, "config"), startsWith(task.name, prefix)))
    .orderBy(asc(task.name))
    .all();
}

export function findOwnedCluster(db: DbOrTx, taskKey: string): ClusterRow | null {
  return db.select().from(cluster).where(eq(cluster.ownerTaskKey, taskKey)).get() ?? null;
}

export function ownCluster(db: DbOrTx, id: string, ownerTaskKey: string): void {
  db.update(cluster).set({ ownerTaskKey }).where(eq(cluster.id, id)).run();
}

export function deleteOwnedCluster(db: DbOrTx, taskKey: string): void {
  db.delete(cluster).where(eq(cluster.ownerTaskKey, taskKey)).run();
}

/**
 * Returns the object and the cluster of a task made by remote distribution, which has one of each;
 * null for one that no longer exists.
 */
export function distributionParts(
  db: DbOrTx,
  key: string,
): { object: TaskObject | null; cluster: ClusterRow | null } {
  const [clusterId] = readClusterIds(db, key);
  return {
    object: readObjects(db, key)[0] ?? null,
    cluster: clusterId === undefined ? null : findCluster(db, clusterId),
  };
}
