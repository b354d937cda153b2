import type { ClusterType, ReplicaType, RepositoryCategory, RepositoryType } from "./vocabulary.ts";

const IMAGE_TYPES: ReadonlySet<RepositoryType> = new Set(["DOCKER", "OCI"]);

export const isImageType = (type: RepositoryType): boolean => IMAGE_TYPES.has(type);

/**
 * Why content of a repository cannot be sent to a cluster of that type by this version; null when it can. Such a task is saved, and its
 * execution ends FAILED at once with this reason (design.md §6, Impossible combinations).
 */
export function transferProblem(
  from: { category: RepositoryCategory; repoType: RepositoryType },
  to: ClusterType,
): string | null {
  if (from.category === "LOCAL" && from.repoType === "GENERIC") {
    return to === "REMOTE" ? "files of a GENERIC repository can be sent to another instance (CENTER, EDGE, STANDALONE), not yet to a REMOTE cluster" : null;
  }
  if (from.category === "REMOTE" && isImageType(from.repoType)) {
    return to === "REMOTE" ? null : "images of a linked repository can be sent to a REMOTE registry, not yet to another instance";
  }
  const kind = from.category === "LOCAL" ? "hosted" : "linked";
  return `replication of ${kind} ${from.repoType} repositories is not built yet; hosted GENERIC and linked DOCKER or OCI repositories can be replicated`;
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
  /** For each constraint with target versions, how many versions it names. */
  retagged: number[];
};

/**
 * Why no version will ever do this, with the field to change; null when one may. Such tasks are refused when they are saved
 * (design.md §6, Impossible combinations).
 */
export function impossible(
  { repository, category, repoType, packages, paths, retagged }: Wanted,
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
  if (retagged.length > 0 && !isImageType(repoType)) {
    return { field: "targetVersions", reason: `only images can be put under other versions, not ${repoType} packages` };
  }
  if (retagged.some((versions) => versions !== 1)) {
    return { field: "targetVersions", reason: "they need exactly one version" };
  }
  return null;
}
