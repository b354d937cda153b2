import { findCluster } from "../../db/tasks/clusters.ts";
import { deleteOwnedCluster, findOwnedCluster } from "../../db/tasks/distributions.ts";
import { write } from "../../db/open.ts";
import { deleteRecords } from "../../db/records/records.ts";
import type { By } from "../../db/audit.ts";
import {
  deleteTask,
  findTask,
  insertTask,
  isNameTaken,
  readClusterIds,
  readObjects,
  setTaskEnabled,
  type TaskRow,
  updateTask as updateRows,
} from "../../db/tasks/tasks.ts";
import { nextExecution } from "../../domain/plan-rules.ts";
import { checkAll, lastOf } from "../../domain/request-error.ts";
import { checkName } from "../../domain/task-rules.ts";
import { text, type Text } from "../../domain/text.ts";
import type { ApiDeps } from "../deps.ts";
import { fail } from "../http/errors.ts";
import { toSetting, type TaskCreate, type TaskUpdate } from "./shapes.ts";
import { checkDraft } from "./saving.ts";
import { taskOfKey } from "./unknown.ts";

/** How long (ms) a deletion waits for the run that it cancels (docs/decisions.md#edits). */
const CANCEL_MS = 10_000;

/**
 * Saves a new task and returns its key. Starts the task at once if it is SCHEDULED and enabled, and
 * its strategy is IMMEDIATELY.
 */
export async function createTask(
  deps: ApiDeps,
  body: TaskCreate,
  by: By,
): Promise<string> {
  const { db, zone } = deps;
  const {
    name,
    replicaObjectType,
    replicaType,
    description,
    enabled,
    record,
    recordReserveDays,
  } = body;
  const setting = toSetting(body.setting);
  const { objects, clusterIds } = lastOf(
    [() => isNameTaken(db, name) && fail(250107, name)],
    () => checkDraft(deps, { ...body, setting }),
  );
  const nextExecutionTime = enabled
    ? nextExecution(setting, replicaType, zone, by.now)
    : null;
  const key = insertTask(
    db,
    {
      name,
      kind: "task",
      projectId: body.localProjectId,
      replicaObjectType,
      replicaType,
      setting,
      description,
      enabled,
      record,
      recordReserveDays,
      nextExecutionTime,
    },
    objects,
    clusterIds,
    by,
  );
  if (key === null) return fail(250107, name);
  await deps.executions.taskSaved(key);
  return key;
}

/** Changes a task; a run that is going on keeps the settings with which it began. */
export async function updateTask(deps: ApiDeps, body: TaskUpdate, by: By): Promise<void> {
  const { db, zone } = deps;
  const {
    key,
    name,
    localProjectId: projectId,
    replicaObjectType,
    description,
    record,
    recordReserveDays,
  } = body;
  const task = taskOfKey(db, key);
  const setting = body.setting === null ? task.setting : toSetting(body.setting);
  const existing = {
    key,
    setting: task.setting,
    ...(task.kind === "task" ? {} : { longestName: task.name.length }),
  };
  const { objects, clusterIds } = lastOf(
    [
      () => isNameTaken(db, name, key) && fail(250107, name),
      () => task.kind !== "task" && checkStaysDistribution(task, body),
    ],
    () => checkDraft(deps, { ...body, setting, replicaType: task.replicaType }, existing),
  );
  const nextExecutionTime = task.enabled
    ? nextExecution(setting, task.replicaType, zone, by.now)
    : null;
  const values = {
    name,
    projectId,
    replicaObjectType,
    setting,
    description,
    record,
    recordReserveDays,
    nextExecutionTime,
  };
  write(db, (tx) => {
    if (!updateRows(db, key, values, objects, clusterIds, by)) fail(250107, name);
    const owned = findOwnedCluster(tx, key);
    if (owned && !clusterIds.includes(owned.id)) deleteOwnedCluster(tx, key);
  });
  await deps.executions.taskSaved(key);
}

/**
 * Checks that the changed task of a distribution still is what the distribution's endpoints show:
 * it sends one repository, which its name contains, to one cluster. Throws 250105 if not.
 */
function checkStaysDistribution(
  { name, kind, projectId }: TaskRow,
  body: TaskUpdate,
): void {
  const no = (field: string, what: Text) =>
    fail(
      250105,
      field,
      text(
        `this task belongs to the distribution ${name}, so it must keep ${what.en}: ` +
          "create another distribution instead",
        `此任务属于分发 ${name}，因此必须保留${what.zh}：请另建一个分发`,
      ),
    );
  const [object, ...others] = body.replicaTaskObjects;
  const isOther =
    object !== undefined &&
    (others.length > 0 || !name.startsWith(`${projectId}/${object.localRepoName}/`));
  checkAll(
    () => body.name !== name && no("name", text("its name", "其名称")),
    () =>
      body.localProjectId !== projectId &&
      no("localProjectId", text("its project", "其项目")),
    () => isOther && no("replicaTaskObjects", text("its repository", "其仓库")),
    () =>
      new Set(body.remoteClusterIds).size > 1 &&
      no("remoteClusterIds", text("exactly one cluster", "唯一的集群")),
    () =>
      (kind === "config") !== (body.replicaObjectType === "REPOSITORY") &&
      no("replicaObjectType", kind === "config" ? WHOLE : PARTS),
  );
}

const WHOLE = text("the type REPOSITORY", " REPOSITORY 类型");
const PARTS = text("the type PACKAGE or PATH", " PACKAGE 或 PATH 类型");

/**
 * Copies a task. The copy is disabled, has never run, and is a task of its own even if the original
 * is that of a distribution. Throws 250112 for a distribution with a cluster of its own.
 */
export function copyTask(
  { db }: ApiDeps,
  { key, name, description }: { key: string; name: string; description: string | null },
  by: By,
): void {
  const task = lastOf(
    [
      () => isNameTaken(db, name) && fail(250107, name),
      () => findTask(db, key) !== null && checkName(name),
    ],
    () => taskOfKey(db, key),
  );
  const clusterIds = readClusterIds(db, key);
  const owned = clusterIds
    .map((id) => findCluster(db, id))
    .find((cluster) => cluster?.ownerTaskKey === key);
  if (owned)
    fail(
      250112,
      text(
        `cluster ${owned.name} belongs to the distribution of that name, so a copy cannot use it: ` +
          "create a cluster with the same url, and a task that uses that cluster",
        `集群 ${owned.name} 属于同名的分发，复制的任务不能使用它：请用相同的 url 创建集群，再创建使用该集群的任务`,
      ),
    );
  const {
    projectId,
    replicaObjectType,
    replicaType,
    setting,
    record,
    recordReserveDays,
  } = task;
  const copied = insertTask(
    db,
    {
      name,
      kind: "task",
      projectId,
      replicaObjectType,
      replicaType,
      setting,
      description,
      enabled: false,
      record,
      recordReserveDays,
      nextExecutionTime: null,
    },
    readObjects(db, key),
    clusterIds,
    by,
  );
  if (copied === null) fail(250107, name);
}

export async function toggleTask(
  { db, zone, executions }: ApiDeps,
  key: string,
  by: By,
): Promise<void> {
  const task = taskOfKey(db, key);
  const enabled = !task.enabled;
  setTaskEnabled(
    db,
    key,
    {
      enabled,
      nextExecutionTime: enabled
        ? nextExecution(task.setting, task.replicaType, zone, by.now)
        : null,
    },
    by,
  );
  await executions.taskSaved(key);
}

export async function executeTask(
  { executions }: ApiDeps,
  { key, enabled, replicaType }: Pick<TaskRow, "key" | "enabled" | "replicaType">,
): Promise<void> {
  if (!enabled) fail(250304);
  if (replicaType === "REAL_TIME")
    fail(
      250303,
      text(
        "a REAL_TIME task cannot be executed by hand; while enabled, it sends each upload automatically",
        "REAL_TIME 任务不能手动执行；启用期间，它会自动发送每次上传的内容",
      ),
    );
  await executions.start(key);
}

/**
 * Deletes a task, its schedule and its records; does nothing for an unknown key. The task is
 * disabled first, so that nothing starts meanwhile. Its row is deleted last, so that an interrupted
 * deletion can be repeated.
 */
export async function deleteTaskWholly(
  { db, executions }: ApiDeps,
  key: string,
  by: By,
): Promise<void> {
  if (findTask(db, key) === null) return;
  setTaskEnabled(db, key, { enabled: false, nextExecutionTime: null }, by);
  await executions.taskDeleted(key);
  await executions.cancelAndWait(key, CANCEL_MS);
  await deleteRecords(db, key);
  deleteTask(db, key);
}
