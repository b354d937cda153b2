import { findCluster } from "../../db/tasks/clusters.ts";
import { readLocalSide } from "../../db/tasks/tasks.ts";
import { impossible, type To } from "../../domain/capabilities.ts";
import { namedProtocol } from "../../domain/protocols.ts";
import { remoteRepository } from "../../domain/remote-names.ts";
import { checkHead, checkObjects, checkPlan } from "../../domain/task-rules.ts";
import type { TaskObject, TaskSetting } from "../../domain/task.ts";
import type { ReplicaObjectType, ReplicaType } from "../../domain/vocabulary.ts";
import { text } from "../../domain/text.ts";
import type { ApiDeps } from "../deps.ts";
import { fail } from "../http/errors.ts";

/** A task that a request wants to save, before it is checked. */
type TaskDraft = {
  name: string;
  localProjectId: string;
  replicaObjectType: ReplicaObjectType;
  replicaTaskObjects: readonly TaskObject[];
  replicaType: ReplicaType;
  setting: TaskSetting;
  remoteClusterIds: readonly string[];
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
 * and clusters as they are to be saved. Throws ApiError or TaskRuleError for a broken rule.
 */
export function checkDraft(
  { db, zone, now }: Pick<ApiDeps, "db" | "zone" | "now">,
  draft: TaskDraft,
  existing: Existing = {},
) {
  checkHead(draft, existing.longestName);
  const objects = checkObjects(draft.replicaObjectType, draft.replicaTaskObjects);
  checkPlan(draft.setting, zone, now(), existing.setting ?? null);
  const clusterIds = [...new Set(draft.remoteClusterIds)];
  const clusters = clusterIds.map((id) => checkCluster(db, id, existing.key));
  const problem = localProblem(db, draft, objects, clusters);
  if (problem !== null) {
    const { clusterField = "remoteClusterIds" } = existing;
    fail(
      250105,
      problem.field === "remoteClusterIds" ? clusterField : problem.field,
      problem.reason,
    );
  }
  return { objects, clusterIds };
}

function checkCluster(db: ApiDeps["db"], id: string, taskKey: string | undefined): To {
  const cluster = findCluster(db, id) ?? fail(250306, id);
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
 * Returns why one of the objects can never be sent in this way, with the field to change; null if
 * all can be sent. Throws ApiError if project or repository does not exist or the type is another.
 */
function localProblem(
  db: ApiDeps["db"],
  { localProjectId, replicaType }: TaskDraft,
  objects: readonly TaskObject[],
  clusters: readonly To[],
) {
  const local =
    readLocalSide(
      db,
      localProjectId,
      objects.map(({ localRepoName }) => localRepoName),
    ) ?? fail(251004, localProjectId);
  for (const object of objects) {
    const { localRepoName, repoType, packageConstraints, pathConstraints } = object;
    const remote = remoteRepository(object, localProjectId);
    const name = `${localProjectId}/${localRepoName}`;
    const repository = local.get(localRepoName) ?? fail(251006, name);
    if (repository.type !== repoType)
      fail(
        250105,
        "repoType",
        text(
          `${name} is of type ${repository.type}, not ${repoType}: write the type of the repository`,
          `${name} 的类型是 ${repository.type}，而不是 ${repoType}：请写仓库的类型`,
        ),
      );
    const wanted = {
      repository: name,
      category: repository.category,
      repoType,
      protocol:
        repository.url === null
          ? null
          : namedProtocol(repository.protocol, repository.url),
      packages: (packageConstraints ?? []).length > 0,
      paths: (pathConstraints ?? []).length > 0,
      remote: `${remote.projectId}/${remote.repoName}`,
      retagged: (packageConstraints ?? []).flatMap(({ versions, targetVersions }) =>
        targetVersions?.length ? (versions?.length ?? 0) : [],
      ),
    };
    const problem = impossible(wanted, replicaType, clusters);
    if (problem !== null) return problem;
  }
  return null;
}
