import { isImageName } from "./reference.ts";
import type { ClusterType, ReplicaType, RepositoryCategory, RepositoryType } from "./vocabulary.ts";

const IMAGE_TYPES: ReadonlySet<RepositoryType> = new Set(["DOCKER", "OCI"]);

export const isImageType = (type: RepositoryType): boolean => IMAGE_TYPES.has(type);

/** Hosted types that another instance takes: files of their own, or versions of packages. */
const HOSTED_TYPES: ReadonlySet<RepositoryType> = new Set(["GENERIC", "DOCKER", "OCI", "MAVEN", "NPM"]);

/**
 * Why content of a repository cannot be sent to a cluster of that type by this version; null when it can. Such a task is saved, and its
 * execution ends FAILED at once with this reason (design.md §6, Impossible combinations).
 */
export function transferProblem(
  from: { category: RepositoryCategory; repoType: RepositoryType },
  to: ClusterType,
): string | null {
  if (isImageType(from.repoType)) return null;
  if (from.category === "LOCAL" && HOSTED_TYPES.has(from.repoType)) {
    const content = from.repoType === "GENERIC" ? "files" : "packages";
    return to === "REMOTE" ? `${content} of a hosted ${from.repoType} repository can be sent to another instance (CENTER, EDGE, STANDALONE), not yet to a REMOTE cluster` : null;
  }
  const kind = from.category === "LOCAL" ? "hosted" : "linked";
  return `replication of ${kind} ${from.repoType} repositories is not built yet; hosted ${[...HOSTED_TYPES].join(", ")} and linked DOCKER or OCI repositories can be replicated`;
}

/** Types that are read and written file by file, also at a registry elsewhere. */
const FILE_TYPES: ReadonlySet<RepositoryType> = new Set(["GENERIC", "MAVEN"]);
/** Types in which files have no meaning without their package's metadata. */
const PACKAGE_ONLY_TYPES: ReadonlySet<RepositoryType> = new Set(["DOCKER", "OCI", "NPM"]);

export type Wanted = {
  repository: string;
  category: RepositoryCategory;
  repoType: RepositoryType;
  packages: boolean;
  paths: boolean;
  /** `project/repository` at another instance. */
  remote: string;
  /** For each constraint with target versions, how many versions it names. */
  retagged: number[];
};

/**
 * Why no version will ever do this, with the field to change; null when one may. Such tasks are refused when they are saved
 * (design.md §6, Impossible combinations).
 */
export function impossible(
  { repository, category, repoType, packages, paths, remote, retagged }: Wanted,
  replicaType: ReplicaType,
  clusters: readonly ClusterType[],
): { field: string; reason: string } | null {
  if (replicaType === "REAL_TIME" && category === "REMOTE") {
    return { field: "replicaType", reason: `REAL_TIME needs a hosted repository and ${repository} is linked: use SCHEDULED with executionStrategy CRON_EXPRESSION` };
  }
  if (packages && repoType === "GENERIC") {
    return { field: "packageConstraints", reason: `${repository} is GENERIC and has no packages: name files with pathConstraints` };
  }
  if (paths && PACKAGE_ONLY_TYPES.has(repoType)) {
    return { field: "pathConstraints", reason: `${repoType} repositories are replicated by package, not by path: name packages with packageConstraints` };
  }
  if (paths && !FILE_TYPES.has(repoType) && (category === "REMOTE" || clusters.includes("REMOTE"))) {
    return { field: "pathConstraints", reason: `a registry of ${repoType} packages has no paths: name packages with packageConstraints` };
  }
  if (isImageType(repoType) && !isImageName(remote) && clusters.some((cluster) => cluster !== "REMOTE")) {
    return { field: "remoteRepoName", reason: `at another instance images are named after project and repository, and ${remote} is not lower-case as in "team/images": choose remoteProjectId and remoteRepoName` };
  }
  if (retagged.length > 0 && !isImageType(repoType)) {
    return { field: "targetVersions", reason: `only images can be put under other versions, not ${repoType} packages` };
  }
  if (retagged.some((versions) => versions !== 1)) {
    return { field: "targetVersions", reason: "they need exactly one version" };
  }
  return null;
}
