import { and, asc, desc, eq, inArray, ne, type SQL, sql } from "drizzle-orm";
import { newId, newKey } from "../../domain/ids.ts";
import type { TaskObject } from "../../domain/task.ts";
import type { ExecutionStatus } from "../../domain/vocabulary.ts";
import { auditBy, type By, changedBy } from "../audit.ts";
import { syncCursors } from "../pending/cursors.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { startsWith } from "../prefix.ts";
import { newestRecordBytes, type RecordBytes } from "../records/records.ts";
import { eventCursor, project, repository } from "../schema/content.ts";
import { cluster, task, taskCluster, taskObject } from "../schema/tasks.ts";
import { artifactTotal, runTotal } from "../schema/totals.ts";

export type TaskRow = typeof task.$inferSelect;
type NewTask = Pick<
  typeof task.$inferInsert,
  | "name"
  | "kind"
  | "projectId"
  | "replicaObjectType"
  | "replicaType"
  | "setting"
  | "description"
  | "enabled"
  | "record"
  | "recordReserveDays"
  | "nextExecutionTime"
>;
/** A task as the API returns it, with its clusters' names and the bytes of its newest execution. */
export type TaskView = TaskRow &
  RecordBytes & { clusters: { id: string; name: string }[] };

/** Inserts a task and returns its key, or null when the name is taken. */
export function insertTask(
  db: Db,
  values: NewTask,
  objects: readonly TaskObject[],
  clusterIds: readonly string[],
  by: By,
): string | null {
  const key = newKey();
  return write(db, (tx) => {
    if (isNameTaken(tx, values.name)) return null;
    tx.insert(task)
      .values({ ...values, ...auditBy(by), key, id: newId(by.now) })
      .run();
    insertParts(tx, key, objects, clusterIds);
    syncCursors(tx, key);
    return key;
  });
}

type TaskChanges = Partial<Omit<NewTask, "kind">>;

/** Updates a task with its objects and clusters; returns false when another task has the name. */
export function updateTask(
  db: Db,
  key: string,
  changes: TaskChanges,
  objects: readonly TaskObject[],
  clusterIds: readonly string[],
  by: By,
): boolean {
  return write(db, (tx) => {
    if (changes.name !== undefined && isNameTaken(tx, changes.name, key)) return false;
    tx.update(task)
      .set({ ...changes, ...changedBy(by) })
      .where(eq(task.key, key))
      .run();
    tx.delete(taskObject).where(eq(taskObject.taskKey, key)).run();
    tx.delete(taskCluster).where(eq(taskCluster.taskKey, key)).run();
    insertParts(tx, key, objects, clusterIds);
    syncCursors(tx, key);
    return true;
  });
}

function insertParts(
  tx: DbOrTx,
  taskKey: string,
  objects: readonly TaskObject[],
  clusterIds: readonly string[],
): void {
  // One statement inserts all objects, because a task may have ten thousand.
  tx.run(sql`
    INSERT INTO task_object (
      task_key, position, local_repo_name, repo_type, remote_project_id, remote_repo_name,
      package_constraints, path_constraints
    )
    SELECT ${taskKey}, key, value ->> 'localRepoName', value ->> 'repoType',
      value ->> 'remoteProjectId', value ->> 'remoteRepoName',
      value ->> 'packageConstraints', value ->> 'pathConstraints'
    FROM json_each(${JSON.stringify(objects)})`);
  for (const [position, clusterId] of clusterIds.entries())
    tx.insert(taskCluster).values({ taskKey, position, clusterId }).run();
}

export function isNameTaken(db: DbOrTx, name: string, butBy = ""): boolean {
  return (
    db
      .select({ key: task.key })
      .from(task)
      .where(and(eq(task.name, name), ne(task.key, butBy)))
      .get() !== undefined
  );
}

export function setTaskEnabled(
  db: DbOrTx,
  key: string,
  values: { enabled: boolean; nextExecutionTime: number | null },
  by: By,
): void {
  db.update(task)
    .set({ ...values, ...changedBy(by) })
    .where(eq(task.key, key))
    .run();
}

export function findTask(db: DbOrTx, key: string): TaskRow | null {
  return db.select().from(task).where(eq(task.key, key)).get() ?? null;
}

export function readTask(db: DbOrTx, key: string): TaskView | null {
  const row = findTask(db, key);
  return row === null ? null : (toViews(db, [row])[0] ?? null);
}

export function readObjects(db: DbOrTx, key: string): TaskObject[] {
  const rows = db
    .select()
    .from(taskObject)
    .where(eq(taskObject.taskKey, key))
    .orderBy(asc(taskObject.position))
    .all();
  return rows.map(({ taskKey: _key, position: _position, ...object }) => object);
}

export function readClusterIds(db: DbOrTx, key: string): string[] {
  const rows = db
    .select({ id: taskCluster.clusterId })
    .from(taskCluster)
    .where(eq(taskCluster.taskKey, key));
  return rows
    .orderBy(asc(taskCluster.position))
    .all()
    .map(({ id }) => id);
}

type TaskFilter = {
  projectId: string;
  /** Prefix of the task's name. */
  name?: string | undefined;
  lastExecutionStatus?: ExecutionStatus | undefined;
  enabled?: boolean | undefined;
};
export type TaskOrder = {
  by: "createdDate" | "lastExecutionTime" | "nextExecutionTime";
  descending: boolean;
};

export function pageTasks(
  db: DbOrTx,
  filter: TaskFilter,
  order: TaskOrder,
  offset: number,
  limit: number,
): { total: number; tasks: TaskView[] } {
  const conditions: (SQL | undefined)[] = [eq(task.projectId, filter.projectId)];
  if (filter.name !== undefined) conditions.push(startsWith(task.name, filter.name));
  if (filter.lastExecutionStatus !== undefined)
    conditions.push(eq(task.lastExecutionStatus, filter.lastExecutionStatus));
  if (filter.enabled !== undefined) conditions.push(eq(task.enabled, filter.enabled));
  const where = and(...conditions);
  const direction = order.descending ? desc : asc;
  const rows = db
    .select()
    .from(task)
    .where(where)
    .orderBy(direction(task[order.by]), direction(task.key))
    .limit(limit)
    .offset(offset)
    .all();
  const counted = db
    .select({ n: sql<number>`count(*)` })
    .from(task)
    .where(where)
    .get();
  return { total: counted?.n ?? 0, tasks: toViews(db, rows) };
}

function toViews(db: DbOrTx, rows: readonly TaskRow[]): TaskView[] {
  const keys = rows.map(({ key }) => key);
  const bytes = newestRecordBytes(db, keys);
  const clusters = db
    .select({
      taskKey: taskCluster.taskKey,
      id: taskCluster.clusterId,
      name: cluster.name,
    })
    .from(taskCluster)
    .innerJoin(cluster, eq(cluster.id, taskCluster.clusterId))
    .where(inArray(taskCluster.taskKey, keys))
    .orderBy(asc(taskCluster.taskKey), asc(taskCluster.position))
    .all();
  const byTask = new Map<string, TaskView["clusters"]>(keys.map((key) => [key, []]));
  for (const { taskKey, id, name } of clusters) byTask.get(taskKey)?.push({ id, name });
  return rows.map((row) => ({
    ...row,
    ...(bytes.get(row.key) ?? { replicatedBytes: 0, totalBytes: 0 }),
    clusters: byTask.get(row.key) ?? [],
  }));
}

type LocalRepository = Pick<
  typeof repository.$inferSelect,
  "name" | "type" | "category" | "protocol" | "url"
>;

const LOCAL_SIDE = {
  name: repository.name,
  type: repository.type,
  category: repository.category,
  protocol: repository.protocol,
  url: repository.url,
};

/** Returns those of the named repositories that exist; null when the project does not exist. */
export function readLocalSide(
  db: DbOrTx,
  projectId: string,
  names: readonly string[],
): Map<string, LocalRepository> | null {
  if (
    db
      .select({ name: project.name })
      .from(project)
      .where(eq(project.name, projectId))
      .get() === undefined
  )
    return null;
  const rows = db
    .select(LOCAL_SIDE)
    .from(repository)
    .where(and(eq(repository.projectId, projectId), inArray(repository.name, [...names])))
    .all();
  return new Map(rows.map((row) => [row.name, row]));
}

/** Returns the names of the tasks that send to a cluster, for the error that lists them. */
export function tasksOfCluster(db: DbOrTx, clusterId: string): string[] {
  const rows = db
    .select({ name: task.name })
    .from(taskCluster)
    .innerJoin(task, eq(task.key, taskCluster.taskKey));
  return rows
    .where(eq(taskCluster.clusterId, clusterId))
    .orderBy(asc(task.name))
    .all()
    .map(({ name }) => name);
}

/**
 * Deletes a task's rows and the clusters that it owns. The task's records must be deleted before
 * (`deleteRecords`).
 */
export function deleteTask(db: Db, key: string): void {
  write(db, (tx) => {
    tx.delete(taskObject).where(eq(taskObject.taskKey, key)).run();
    tx.delete(taskCluster).where(eq(taskCluster.taskKey, key)).run();
    tx.delete(eventCursor).where(eq(eventCursor.taskKey, key)).run();
    for (const table of [runTotal, artifactTotal])
      tx.delete(table).where(eq(table.taskKey, key)).run();
    tx.delete(cluster).where(eq(cluster.ownerTaskKey, key)).run();
    tx.delete(task).where(eq(task.key, key)).run();
  });
}
