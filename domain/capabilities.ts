import type { ClusterType, RepositoryCategory, RepositoryType } from "./vocabulary.ts";

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
