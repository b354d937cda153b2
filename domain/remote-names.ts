import type { TaskObject } from "./task.ts";

/** The repository of another instance that an object goes to: the local names where no others are given (design.md §6, Names). */
export function remoteRepository(
  { localRepoName, remoteProjectId, remoteRepoName }: Pick<TaskObject, "localRepoName" | "remoteProjectId" | "remoteRepoName">,
  projectId: string,
): { projectId: string; repoName: string } {
  return { projectId: remoteProjectId?.trim() || projectId, repoName: remoteRepoName?.trim() || localRepoName };
}
