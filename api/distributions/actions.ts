import type { By } from "../../db/audit.ts";
import {
  findClusterByName,
  insertCluster,
  updateCluster,
} from "../../db/tasks/clusters.ts";
import {
  deleteOwnedCluster,
  findOwnedCluster,
  findTaskByName,
  ownCluster,
} from "../../db/tasks/distributions.ts";
import { write } from "../../db/open.ts";
import { insertTask, type TaskRow, updateTask } from "../../db/tasks/tasks.ts";
import { isSameEnd } from "../../domain/endpoint-url.ts";
import { packageKeyOf, parsePackageKey } from "../../domain/package-key.ts";
import { nextExecution } from "../../domain/plan-rules.ts";
import { checkAll, everyOf, lastOf } from "../../domain/request-error.ts";
import {
  SETTING_DEFAULTS,
  type TaskObject,
  type TaskSetting,
} from "../../domain/task.ts";
import type { ReplicaObjectType, ReplicaType } from "../../domain/vocabulary.ts";
import { named, text, type Text } from "../../domain/text.ts";
import { checkRegistryUrl } from "../http/check-url.ts";
import { sealedFor } from "../clusters/actions.ts";
import { checkRealms } from "../keys/realms.ts";
import type { ApiDeps } from "../deps.ts";
import { clusterOfId } from "../http/cluster.ts";
import { fail } from "../http/errors.ts";
import { type RepositoryName, repositoryOf } from "../http/repository.ts";
import type { Destination, Distribution, RunOnceCreate } from "./shapes.ts";
import { toSetting } from "../tasks/shapes.ts";
import { checkDraft } from "../tasks/saving.ts";

/** Maximum length of the name of a distribution's task, which is `project/repository/name`. */
const LONGEST_NAME = 294;
const NAME = /^[a-zA-Z_][a-zA-Z0-9\-_]{1,127}$/;

export const taskNameOf = (
  { projectId, repoName }: RepositoryName,
  name: string,
): string => `${projectId}/${repoName}/${name}`;

/** Saves all of the given distribution configurations or none; one whose name exists is changed. */
export async function createDistributions(
  deps: ApiDeps,
  place: RepositoryName,
  configs: readonly Distribution[],
  by: By,
): Promise<void> {
  if (configs.length === 0) fail(250104, "configs");
  const names = configs.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) fail(250107, twice);
  const keys = write(deps.db, () =>
    everyOf(configs, (config) =>
      saveDistribution(deps, toWanted(deps, place, config, "config"), by),
    ),
  );
  for (const key of keys) await deps.executions.taskSaved(key);
}

/** Changes an existing distribution configuration; throws 250310 if there is none of that name. */
export async function updateDistribution(
  deps: ApiDeps,
  place: RepositoryName,
  config: Distribution,
  by: By,
): Promise<void> {
  repositoryOf(deps.db, place);
  if (findTaskByName(deps.db, taskNameOf(place, config.name))?.kind !== "config")
    fail(250310, config.name);
  const wanted = toWanted(deps, place, config, "config");
  const key = write(deps.db, () => saveDistribution(deps, wanted, by));
  await deps.executions.taskSaved(key);
}

/**
 * Saves a run-once task; one whose name exists is changed. The task runs only when it is executed.
 */
export function createRunOnce(
  deps: ApiDeps,
  place: RepositoryName,
  body: RunOnceCreate,
  by: By,
): void {
  const { type } = repositoryOf(deps.db, place);
  const { packageName, versions, targetVersions, pathConstraints } = body;
  const byPath = (pathConstraints ?? []).length > 0;
  if (!byPath) checkOnePackage(body);
  const name = packageName ?? "";
  const packages = byPath
    ? null
    : [
        {
          packageKey: parsePackageKey(name) ? name : packageKeyOf(type, name),
          versions,
          targetVersions,
        },
      ];
  const config: Distribution = {
    ...body,
    packageConstraints: packages,
    pathConstraints: byPath ? pathConstraints : null,
    replicaType: "SCHEDULED",
    setting: { ...RUN_ONCE_SETTING },
    enable: true,
  };
  write(deps.db, () =>
    saveDistribution(
      deps,
      {
        ...toWanted(deps, place, config, "runOnce"),
        replicaObjectType: byPath ? "PATH" : "PACKAGE",
        replicaType: "RUN_ONCE",
      },
      by,
    ),
  );
}

function checkOnePackage({ packageName, versions, targetVersions }: RunOnceCreate): void {
  checkAll(
    () =>
      !packageName?.trim() &&
      fail(
        250105,
        "packageName",
        text(
          "name a package with its versions, or give paths as pathConstraints",
          "请指定包及其版本，或用 pathConstraints 指定路径",
        ),
      ),
    () =>
      (versions ?? []).length === 0 &&
      fail(250105, "versions", text("name the versions to send", "请指定要发送的版本")),
    () =>
      targetVersions?.length &&
      (versions ?? []).length > 1 &&
      fail(
        250105,
        "targetVersions",
        text(
          "with targetVersions, give exactly one version in versions",
          "指定 targetVersions 时，versions 必须恰好有一个版本",
        ),
      ),
  );
}

/** The setting with which a run-once task is saved (docs/decisions.md#run-once). */
const RUN_ONCE_SETTING: Distribution["setting"] = {
  ...SETTING_DEFAULTS,
  rateLimit: 0,
  includeMetadata: true,
  conflictStrategy: "OVERWRITE",
  errorStrategy: "CONTINUE",
  executionStrategy: "IMMEDIATELY",
  executionPlan: {
    executeImmediately: true,
    executeTime: null,
    cronExpression: null,
    timeZone: null,
  },
  storageConsistencyCheck: false,
  automaticCreateRemoteRepo: true,
};

type Wanted = {
  taskName: string;
  kind: "config" | "runOnce";
  projectId: string;
  object: TaskObject;
  destination: Destination;
  replicaObjectType: ReplicaObjectType;
  replicaType: ReplicaType;
  setting: TaskSetting;
  enabled: boolean;
  description: string | null;
};

const wrongName = (name: string): Text =>
  named(
    JSON.stringify(name.slice(0, 140)),
    text(
      "use a letter or _ and then 1 to 127 letters, digits, - or _",
      "以字母或 _ 开头，后接 1 到 127 个字母、数字、- 或 _",
    ),
  );

function toWanted(
  deps: ApiDeps,
  place: RepositoryName,
  config: Distribution,
  kind: Wanted["kind"],
): Wanted {
  if (!NAME.test(config.name)) fail(250105, "name", wrongName(config.name));
  const { remoteProjectId, remoteRepoName, packageConstraints, pathConstraints } = config;
  return {
    taskName: taskNameOf(place, config.name),
    kind,
    projectId: place.projectId,
    object: {
      localRepoName: place.repoName,
      repoType: repositoryOf(deps.db, place).type,
      remoteProjectId,
      remoteRepoName,
      packageConstraints,
      pathConstraints,
    },
    destination: config,
    replicaObjectType: "REPOSITORY",
    replicaType: config.replicaType,
    setting: toSetting(config.setting),
    enabled: config.enable,
    description: config.description,
  };
}

const OTHER_KIND = text(
  "a task of another kind has this name: choose another name",
  "该名称已被其他类型的任务使用：请选择其他名称",
);

/**
 * Creates or changes the task of a distribution, and the cluster that the task owns if it sends to
 * a registry. Runs inside a transaction of the caller. Returns the key of the task.
 */
function saveDistribution(deps: ApiDeps, wanted: Wanted, by: By): string {
  const { db, zone } = deps;
  const task = findTaskByName(db, wanted.taskName);
  if (task && task.kind !== wanted.kind) fail(250107, wanted.taskName, OTHER_KIND);
  if (task?.kind === "runOnce" && task.lastExecutionStatus === "RUNNING")
    fail(
      250303,
      text(
        `task ${wanted.taskName} is running: wait for the end of its run, or stop it`,
        `任务 ${wanted.taskName} 正在运行：请等待运行结束，或停止它`,
      ),
    );
  const { objects, clusterIds } = checkWanted(deps, wanted, task, by);
  const {
    taskName: name,
    kind,
    projectId,
    replicaObjectType,
    replicaType,
    setting,
    enabled,
    description,
  } = wanted;
  const nextExecutionTime = enabled
    ? nextExecution(setting, replicaType, zone, by.now)
    : null;
  const { record, recordReserveDays } = task ?? { record: true, recordReserveDays: 30 };
  const values = {
    name,
    projectId,
    replicaObjectType,
    replicaType,
    setting,
    description,
    enabled,
    record,
    recordReserveDays,
    nextExecutionTime,
  };
  const key = task
    ? changed(deps, task, values, objects, clusterIds, by)
    : insertTask(db, { ...values, kind }, objects, clusterIds, by);
  if (key === null) return fail(250107, name);
  if (isRegistry(wanted.destination))
    for (const id of clusterIds) ownCluster(db, id, key);
  else deleteOwnedCluster(db, key);
  return key;
}

/** Saves where to send, and checks the task that a distribution wants, as `checkDraft` does. */
function checkWanted(deps: ApiDeps, wanted: Wanted, task: TaskRow | null, by: By) {
  const { taskName, projectId, replicaObjectType, replicaType, setting } = wanted;
  let clusterId: string | null = null;
  const existing = {
    longestName: LONGEST_NAME,
    clusterField: isRegistry(wanted.destination) ? "protocol" : "clusterId",
    ...(task ? { key: task.key, setting: task.setting } : {}),
  };
  return lastOf([() => void (clusterId = saveDestination(deps, wanted, task, by))], () =>
    checkDraft(
      deps,
      {
        name: taskName,
        localProjectId: projectId,
        replicaObjectType,
        replicaTaskObjects: [wanted.object],
        replicaType,
        setting,
        remoteClusterIds: clusterId === null ? null : [clusterId],
        recordReserveDays: 30,
      },
      existing,
    ),
  );
}

function changed(
  { db }: ApiDeps,
  task: TaskRow,
  values: Parameters<typeof updateTask>[2],
  objects: TaskObject[],
  clusterIds: string[],
  by: By,
): string | null {
  return updateTask(db, task.key, values, objects, clusterIds, by) ? task.key : null;
}

const isRegistry = ({ clusterId }: Destination): boolean => !clusterId?.trim();

/**
 * Returns the id of the cluster to send to. A registry gets a cluster of its own, which is created
 * or changed here.
 */
function saveDestination(
  deps: ApiDeps,
  { destination, taskName }: Wanted,
  task: TaskRow | null,
  by: By,
): string {
  const { db, sealer } = deps;
  const { clusterId, registry, username, password, certificate } = destination;
  const owned = task && findOwnedCluster(db, task.key);
  if (!isRegistry(destination)) {
    const cluster = clusterOfId(db, clusterId ?? "");
    return cluster.id === owned?.id
      ? fail(
          250112,
          text(
            `cluster ${taskName} belongs to this distribution: give its registry instead of a clusterId`,
            `集群 ${taskName} 属于该分发：请指定其 registry，不要使用 clusterId`,
          ),
        )
      : cluster.id;
  }
  if (!registry?.trim())
    return fail(
      250105,
      "registry",
      text("give a registry or a clusterId", "请指定 registry 或 clusterId"),
    );
  const protocol =
    destination.protocol === undefined ? (owned?.protocol ?? null) : destination.protocol;
  const url = checkRegistryUrl(deps, registry, protocol, "registry");
  const values = {
    url,
    protocol,
    username: username || null,
    certificate: certificate || null,
  };
  const given = password === null ? {} : { password };
  if (owned) {
    const kept = isSameEnd(owned.url, values.url) ? owned : null;
    const before = kept?.acceptedRealms ?? null;
    const end = {
      url,
      acceptedRealms: checkRealms(url, undefined, before, "acceptedRealms"),
    };
    const secret = sealedFor(sealer, owned.id, end, kept, given);
    const { detectType } = owned;
    updateCluster(db, owned.id, { ...values, ...end, detectType, secret }, by);
    return owned.id;
  }
  if (findClusterByName(db, taskName)) fail(250305, taskName);
  const made = insertCluster(
    db,
    { ...values, name: taskName, type: "REMOTE", detectType: "PING", ownerTaskKey: null },
    (id) => sealedFor(sealer, id, { url, acceptedRealms: null }, null, given),
    by,
  );
  return "id" in made ? made.id : fail(250305, made.by);
}
