import { readLocalSide } from "../../db/tasks/tasks.ts";
import { impossible, type To } from "../../domain/capabilities.ts";
import { namedProtocol } from "../../domain/protocols.ts";
import { remoteRepository } from "../../domain/remote-names.ts";
import { checkPlan } from "../../domain/plan-rules.ts";
import { checkAll, everyOf } from "../../domain/request-error.ts";
import { checkHead, checkLengths, checkObjects } from "../../domain/task-rules.ts";
import type { TaskObject, TaskSetting } from "../../domain/task.ts";
import type { ReplicaObjectType, ReplicaType } from "../../domain/vocabulary.ts";
import { text } from "../../domain/text.ts";
import type { ApiDeps } from "../deps.ts";
import { clusterOfId } from "../http/cluster.ts";
import { fail } from "../http/errors.ts";

/** A task that a request wants to save, before it is checked. */
type TaskDraft = {
  name: string;
  localProjectId: string;
  replicaObjectType: ReplicaObjectType;
  replicaTaskObjects: readonly TaskObject[];
  replicaType: ReplicaType;
  setting: TaskSetting;
  /** Null: where to send is refused already. */
  remoteClusterIds: readonly string[] | null;
  recordReserveDays: number;
};

/**
 * `key`: the task that is changed; `setting`: its present setting; `longestName`: maximum length of
 * composed names; `clusterField`: the body's field that names the cluster, if it is not
 * `remoteClusterIds`.
 */
type Existing = {
  key?: string;
  setting?: TaskSetting;
  longestName?: number;
  clusterField?: string;
};

/**
 * Checks a draft of a task by all rules, in the order of the original product, and returns objects
 * and clusters as they are to be saved. Throws an ApiError or a TaskRuleError for a broken rule, and
 * RequestErrors for several.
 */
export function checkDraft(
  { db, zone, now }: Pick<ApiDeps, "db" | "zone" | "now">,
  draft: TaskDraft,
  existing: Existing = {},
) {
  const { replicaObjectType, replicaTaskObjects, setting } = draft;
  checkLengths(draft);
  const clusterIds = [...new Set(draft.remoteClusterIds)];
  let objects: TaskObject[] = [];
  let clusters: To[] = [];
  checkAll(
    () => checkHead(draft, existing.longestName),
    () => void (objects = checkObjects(replicaObjectType, replicaTaskObjects)),
    () => checkPlan(setting, zone, now(), existing.setting ?? null),
    () =>
      void (clusters = everyOf(clusterIds, (id) => checkCluster(db, id, existing.key))),
    () => checkLocalSide(db, draft, clusters, existing.clusterField),
  );
  return { objects, clusterIds };
}

function checkCluster(db: ApiDeps["db"], id: string, taskKey: string | undefined): To {
  const cluster = clusterOfId(db, id);
  if (cluster.ownerTaskKey !== null && cluster.ownerTaskKey !== taskKey) {
    fail(
      250112,
      text(
        `cluster ${cluster.name} belongs to the distribution of that name, so no other task can use it: ` +
          "create a cluster with the same url, and use that cluster",
        `集群 ${cluster.name} 属于同名的分发，其他任务不能使用它：请用相同的 url 创建集群并使用该集群`,
      ),
    );
  }
  return { type: cluster.type, protocol: namedProtocol(cluster.protocol, cluster.url) };
}

/**
 * Throws for each object that can never be sent in this way, with the field to change, and if project
 * or repository does not exist or the type is another. A blank project is left to `checkHead`.
 */
function checkLocalSide(
  db: ApiDeps["db"],
  draft: TaskDraft,
  clusters: readonly To[],
  clusterField = "remoteClusterIds",
): void {
  const { localProjectId, replicaTaskObjects } = draft;
  if (localProjectId.trim() === "") return;
  const names = replicaTaskObjects.map(({ localRepoName }) => localRepoName);
  const local = readLocalSide(db, localProjectId, names) ?? fail(251004, localProjectId);
  everyOf(replicaTaskObjects, (object) => {
    const name = `${localProjectId}/${object.localRepoName}`;
    const repository = local.get(object.localRepoName) ?? fail(251006, name);
    const problem = localProblem(draft, object, repository, clusters);
    if (problem === null) return;
    const field = problem.field === "remoteClusterIds" ? clusterField : problem.field;
    fail(250105, field, problem.reason);
  });
}

type LocalRepository = NonNullable<
  ReturnType<NonNullable<ReturnType<typeof readLocalSide>>["get"]>
>;

function localProblem(
  { localProjectId, replicaType }: TaskDraft,
  object: TaskObject,
  { type, category, url, protocol }: LocalRepository,
  clusters: readonly To[],
) {
  const { repoType, packageConstraints, pathConstraints } = object;
  const name = `${localProjectId}/${object.localRepoName}`;
  if (type !== repoType)
    return {
      field: "repoType",
      reason: text(
        `${name} is of type ${type}, not ${repoType}: write the type of the repository`,
        `${name} 的类型是 ${type}，而不是 ${repoType}：请写仓库的类型`,
      ),
    };
  const remote = remoteRepository(object, localProjectId);
  const wanted = {
    repository: name,
    category,
    repoType,
    protocol: url === null ? null : namedProtocol(protocol, url),
    packages: (packageConstraints ?? []).length > 0,
    paths: (pathConstraints ?? []).length > 0,
    remote: `${remote.projectId}/${remote.repoName}`,
    retagged: (packageConstraints ?? []).flatMap(({ versions, targetVersions }) =>
      targetVersions?.length ? (versions?.length ?? 0) : [],
    ),
  };
  return impossible(wanted, replicaType, clusters);
}
