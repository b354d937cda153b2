import type { TaskObject } from "./task.ts";

/**
 * The repository of another instance that an object goes to: the local names where no others are given
 * (docs/decisions.md#names).
 */
export function remoteRepository(
  {
    localRepoName,
    remoteProjectId,
    remoteRepoName,
  }: Pick<TaskObject, "localRepoName" | "remoteProjectId" | "remoteRepoName">,
  projectId: string,
): { projectId: string; repoName: string } {
  return { projectId: remoteProjectId?.trim() || projectId, repoName: remoteRepoName?.trim() || localRepoName };
}

/** That repository as what stands before the names of its packages. */
export function instanceNamespace(
  object: Pick<TaskObject, "localRepoName" | "remoteProjectId" | "remoteRepoName">,
  project: string,
): string {
  const { projectId, repoName } = remoteRepository(object, project);
  return `${projectId}/${repoName}`;
}

/**
 * What stands before the names of packages at a REMOTE cluster, relative to the path of the cluster's url; "" for
 * nothing.
 */
export function remoteNamespace({
  remoteProjectId,
  remoteRepoName,
}: Pick<TaskObject, "remoteProjectId" | "remoteRepoName">): string {
  return [remoteProjectId?.trim(), remoteRepoName?.trim()].filter(Boolean).join("/");
}
