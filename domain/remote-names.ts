import type { TaskObject } from "./task.ts";

/**
 * Returns the repository of another instance to which an object is sent; its names are the local ones if
 * the task gives no others (docs/decisions.md#names).
 */
export function remoteRepository(
  {
    localRepoName,
    remoteProjectId,
    remoteRepoName,
  }: Pick<TaskObject, "localRepoName" | "remoteProjectId" | "remoteRepoName">,
  projectId: string,
): { projectId: string; repoName: string } {
  return {
    projectId: remoteProjectId?.trim() || projectId,
    repoName: remoteRepoName?.trim() || localRepoName,
  };
}

/** Returns the prefix of package names at another instance: `projectId/repoName`. */
export function instanceNamespace(
  object: Pick<TaskObject, "localRepoName" | "remoteProjectId" | "remoteRepoName">,
  project: string,
): string {
  const { projectId, repoName } = remoteRepository(object, project);
  return `${projectId}/${repoName}`;
}

/**
 * Returns the prefix of package names at a REMOTE cluster, relative to the path of the cluster's url; ""
 * for none.
 */
export function remoteNamespace({
  remoteProjectId,
  remoteRepoName,
}: Pick<TaskObject, "remoteProjectId" | "remoteRepoName">): string {
  return [remoteProjectId?.trim(), remoteRepoName?.trim()].filter(Boolean).join("/");
}
