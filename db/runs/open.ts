import { createHash } from "node:crypto";
import { and, asc, eq, inArray, sql } from "drizzle-orm";
import { newId } from "../../domain/ids.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { repository } from "../schema/content.ts";
import { cluster, planObject, record, task, taskCluster, taskObject } from "../schema/replication.ts";

export type OpenedRecord =
  | { kind: "opened"; recordId: string; workflowId: string }
  | { kind: "running" | "disabled" | "unknown" };

type Opening = {
  taskKey: string;
  localCluster: string;
  now: number;
  workflowId: (recordId: string) => string;
};

/** Opens the RUNNING record of a manual or immediate start; the partial unique index allows one for a task. */
export function openRecord(db: Db, opening: Opening): OpenedRecord {
  const recordId = newId();
  return write(db, (tx) => insertRecord(tx, opening, recordId, opening.workflowId(recordId)));
}

/** The record of a schedule's firing has an id drawn from its workflow id, so that a repeated first activity finds it again. */
export function openFiring(db: Db, opening: Omit<Opening, "workflowId">, workflowId: string): OpenedRecord {
  const recordId = createHash("sha256").update(workflowId).digest("hex").slice(0, 24);
  return write(db, (tx) => {
    const known = tx.select({ id: record.id }).from(record).where(eq(record.id, recordId)).get();
    if (known) return { kind: "opened", recordId, workflowId };
    return insertRecord(tx, { ...opening, workflowId: () => workflowId }, recordId, workflowId);
  });
}

function insertRecord(tx: DbOrTx, opening: Opening, recordId: string, workflowId: string): OpenedRecord {
  const { taskKey, now } = opening;
  const snapshot = readSnapshot(tx, taskKey, opening.localCluster);
  if (!snapshot) return { kind: "unknown" };
  const found = tx.select({ enabled: task.enabled }).from(task).where(eq(task.key, taskKey)).get();
  if (!found?.enabled) return { kind: "disabled" };
  const inserted = tx
    .insert(record)
    .values({ id: recordId, taskKey, workflowId, status: "RUNNING", startTime: now, snapshot })
    .onConflictDoNothing()
    .run();
  if (inserted.changes === 0) return { kind: "running" };
  tx.insert(planObject)
    .values(snapshot.objects.map((_, object) => ({ recordId, object })))
    .run();
  tx.update(task)
    .set({
      lastExecutionStatus: "RUNNING",
      lastExecutionTime: now,
      executionTimes: sql`${task.executionTimes} + 1`,
    })
    .where(eq(task.key, taskKey))
    .run();
  return { kind: "opened", recordId, workflowId };
}

/** Counts a firing that found a run going on. */
export function countSkipped(db: Db, taskKey: string, now: number): void {
  db.update(task)
    .set({ skippedTimes: sql`${task.skippedTimes} + 1`, lastSkippedTime: now })
    .where(eq(task.key, taskKey))
    .run();
}

function readSnapshot(tx: DbOrTx, taskKey: string, localCluster: string): RunSnapshot | null {
  const row = tx.select().from(task).where(eq(task.key, taskKey)).get();
  if (!row) return null;
  const objects = tx
    .select({ object: taskObject, category: repository.category })
    .from(taskObject)
    .leftJoin(repository, and(eq(repository.projectId, row.projectId), eq(repository.name, taskObject.localRepoName)))
    .where(eq(taskObject.taskKey, taskKey))
    .orderBy(asc(taskObject.position))
    .all();
  return {
    taskName: row.name,
    projectId: row.projectId,
    replicaObjectType: row.replicaObjectType,
    replicaType: row.replicaType,
    setting: row.setting,
    record: row.record,
    localCluster,
    clusters: readClusters(tx, taskKey),
    objects: objects.map(({ object, category }) => ({
      localRepoName: object.localRepoName,
      repoType: object.repoType,
      remoteProjectId: object.remoteProjectId,
      remoteRepoName: object.remoteRepoName,
      packageConstraints: object.packageConstraints,
      pathConstraints: object.pathConstraints,
      category,
    })),
  };
}

function readClusters(tx: DbOrTx, taskKey: string): RunSnapshot["clusters"] {
  const ids = tx
    .select({ id: taskCluster.clusterId })
    .from(taskCluster)
    .where(eq(taskCluster.taskKey, taskKey))
    .orderBy(asc(taskCluster.position))
    .all()
    .map((row) => row.id);
  const rows = tx
    .select({ id: cluster.id, name: cluster.name, type: cluster.type })
    .from(cluster)
    .where(inArray(cluster.id, ids))
    .all();
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

