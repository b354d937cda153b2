import { defaultProtocol, isRead, isReadAnywhere, isWritten } from "./protocols.ts";
import { isImageName } from "./reference.ts";
import {
  factsOf,
  HOSTED_TYPES,
  isHostedType,
  isImageType,
  type Unit,
} from "./repository-types.ts";
import { text, type Text } from "./text.ts";
import {
  type ClusterType,
  type Protocol,
  type ReplicaType,
  REPOSITORY_TYPES,
  type RepositoryCategory,
  type RepositoryType,
} from "./vocabulary.ts";

/**
 * Where artifacts come from. `protocol`: the one that a linked repository names, by choice or by the scheme
 * of its url; null: the default of its type, or the repository is hosted.
 */
type From = {
  category: RepositoryCategory;
  repoType: RepositoryType;
  protocol: Protocol | null;
};
/**
 * Where artifacts go. `protocol`: the one that a REMOTE cluster names, by choice or by the scheme of its
 * url; null: the default of the type that is sent, or the cluster is an instance.
 */
export type To = { type: ClusterType; protocol: Protocol | null };

const SENT = {
  file: "files",
  version: "packages",
  image: "images",
} as const satisfies Record<Unit, string>;
const KINDS = { LOCAL: "hosted", REMOTE: "linked" } as const satisfies Record<
  RepositoryCategory,
  string
>;

/**
 * Returns why this release cannot send content of the repository to the cluster; null when it can. A task
 * with such a problem can be saved: its runs send only what has no such problem, and report the reason.
 */
export function transferProblem(from: From, to: To): string | null {
  const { category, repoType } = from;
  if (!isReadable(from)) {
    const repositories = `${KINDS[category]} ${repoType} repositories${speaking("that speak", from.protocol)}`;
    return `replication of ${repositories} is not built yet; ${replicable()} repositories can be replicated`;
  }
  const sent = `${SENT[factsOf(repoType).unit]} of a ${KINDS[category]} ${repoType} repository`;
  if (to.type === "REMOTE") {
    return isWritten(repoType, to.protocol ?? defaultProtocol(repoType))
      ? null
      : notYet(sent, repoType, to.protocol);
  }
  return isHostedType(repoType)
    ? null
    : `${sent} can be sent to a REMOTE cluster, not yet to another instance`;
}

function isReadable({ category, repoType, protocol }: From): boolean {
  return category === "LOCAL"
    ? isHostedType(repoType)
    : isRead(repoType, protocol ?? defaultProtocol(repoType));
}

function notYet(sent: string, type: RepositoryType, protocol: Protocol | null): string {
  const elsewhere = isHostedType(type)
    ? "can be sent to another instance (CENTER, EDGE, STANDALONE), not yet"
    : "cannot be sent yet";
  return `${sent} ${elsewhere} to a REMOTE cluster${speaking("that speaks", protocol)}`;
}

const speaking = (verb: string, protocol: Protocol | null): string =>
  protocol === null ? "" : ` ${verb} ${protocol}`;

/** Names the repositories that can be replicated, as in `hosted GENERIC, DOCKER and linked DOCKER or OCI`. */
function replicable(): string {
  const linked = REPOSITORY_TYPES.filter(isReadAnywhere);
  const others = linked.slice(0, -1).join(", ");
  return `hosted ${HOSTED_TYPES.join(", ")} and linked ${[others, ...linked.slice(-1)].filter(Boolean).join(" or ")}`;
}

export type Wanted = {
  repository: string;
  category: RepositoryCategory;
  repoType: RepositoryType;
  protocol: Protocol | null;
  packages: boolean;
  paths: boolean;
  /** The target repository at another instance, as `project/repository`. */
  remote: string;
  /** For each constraint with target versions: the number of versions that it names. */
  retagged: number[];
};

type Impossible = { field: string; reason: Text };

/**
 * Returns why no release will ever be able to do what the task wants, with the field to change; null when
 * one may be. A task with such a reason is not saved.
 */
export function impossible(
  wanted: Wanted,
  replicaType: ReplicaType,
  clusters: readonly To[],
): Impossible | null {
  const { repository, category, repoType, remote, retagged } = wanted;
  if (replicaType === "REAL_TIME" && category === "REMOTE") {
    return {
      field: "replicaType",
      reason: text(
        `REAL_TIME needs a hosted repository and ${repository} is linked: ` +
          "use SCHEDULED with executionStrategy CRON_EXPRESSION",
        `REAL_TIME 需要本地仓库，而 ${repository} 是远程仓库：` +
          "请使用 SCHEDULED，executionStrategy 设为 CRON_EXPRESSION",
      ),
    };
  }
  const constrained =
    impossibleConstraints(wanted, clusters) ?? impossibleProtocol(wanted, clusters);
  if (constrained !== null) return constrained;
  if (
    isImageType(repoType) &&
    !isImageName(remote) &&
    clusters.some(({ type }) => type !== "REMOTE")
  ) {
    return {
      field: "remoteRepoName",
      reason: text(
        `at another instance images are named after project and repository, and ${remote} is not lower-case ` +
          'as in "team/images": choose remoteProjectId and remoteRepoName',
        `其他实例上的镜像以项目和仓库命名，而 ${remote} 不是“team/images”这样的小写名称：` +
          "请设置 remoteProjectId 和 remoteRepoName",
      ),
    };
  }
  if (retagged.length > 0 && !factsOf(repoType).retag) {
    return {
      field: "targetVersions",
      reason: text(
        `only images can get other versions at the target, not ${repoType} packages: leave targetVersions out`,
        `只有镜像可以在目标端使用其他版本，${repoType} 包不可以：请去掉 targetVersions`,
      ),
    };
  }
  if (retagged.some((versions) => versions !== 1)) {
    return {
      field: "targetVersions",
      reason: text(
        "with target versions, name exactly one version in versions",
        "指定 targetVersions 时，versions 必须恰好有一个版本",
      ),
    };
  }
  return null;
}

function impossibleConstraints(
  { repository, category, repoType, packages, paths }: Wanted,
  clusters: readonly To[],
): Impossible | null {
  const facts = factsOf(repoType);
  if (packages && facts.unit === "file") {
    return {
      field: "packageConstraints",
      reason: text(
        `${repository} is ${repoType} and has no packages: name files with pathConstraints`,
        `${repository} 是 ${repoType} 仓库，没有包：请用 pathConstraints 指定文件`,
      ),
    };
  }
  if (paths && facts.paths === "nowhere") {
    return {
      field: "pathConstraints",
      reason: text(
        `${repoType} repositories are replicated by package, not by path: name packages with packageConstraints`,
        `${repoType} 仓库按包同步，不按路径同步：请用 packageConstraints 指定包`,
      ),
    };
  }
  if (
    paths &&
    facts.paths === "instances" &&
    (category === "REMOTE" || clusters.some(({ type }) => type === "REMOTE"))
  ) {
    return {
      field: "pathConstraints",
      reason: text(
        `a registry of ${repoType} packages has no paths: name packages with packageConstraints`,
        `外部 ${repoType} 仓库没有路径：请用 packageConstraints 指定包`,
      ),
    };
  }
  return null;
}

/** Returns why no release will ever read repositories of the type by the protocol; null when one may. */
export function unreadable(
  repoType: RepositoryType,
  protocol: Protocol | null,
): Text | null {
  const { reads } = factsOf(repoType);
  if (!isForeign(protocol, reads)) return null;
  return text(
    `${repoType} repositories cannot be read from a registry that speaks ${protocol}: ` +
      `the protocol must be ${reads.join(" or ")}`,
    `不能通过协议 ${protocol} 读取 ${repoType} 仓库：协议必须是 ${reads.join(" 或 ")}`,
  );
}

/**
 * Returns why the protocol of the source or of a cluster can never carry the repository type; null when it
 * may. A type without any known protocol is not refused.
 */
function impossibleProtocol(
  { repository, category, repoType, protocol }: Wanted,
  clusters: readonly To[],
): Impossible | null {
  const { reads, writes } = factsOf(repoType);
  if (category === "REMOTE" && isForeign(protocol, reads)) {
    return {
      field: "localRepoName",
      reason: text(
        `${repository} speaks ${protocol}, by which ${repoType} repositories cannot be read: ` +
          `its protocol must be ${reads.join(" or ")}`,
        `${repository} 的协议是 ${protocol}，不能用它读取 ${repoType} 仓库：协议必须是 ${reads.join(" 或 ")}`,
      ),
    };
  }
  const unfit = clusters.find(
    (to) => to.type === "REMOTE" && isForeign(to.protocol, writes),
  );
  if (unfit === undefined) return null;
  return {
    field: "remoteClusterIds",
    reason: text(
      `${repoType} repositories cannot be written to a cluster that speaks ${unfit.protocol}: ` +
        `its protocol must be ${writes.join(" or ")}`,
      `不能把 ${repoType} 仓库写入协议为 ${unfit.protocol} 的集群：协议必须是 ${writes.join(" 或 ")}`,
    ),
  };
}

const isForeign = (protocol: Protocol | null, possible: readonly Protocol[]): boolean =>
  protocol !== null && possible.length > 0 && !possible.includes(protocol);
