import type { RepositoryRow } from "../../db/content/repositories.ts";
import { type HostedFileType, isHostedFileType } from "../../domain/repository-types.ts";
import { fail } from "../http/errors.ts";

/**
 * The repository as one whose files are written by their paths. Files of other types belong to packages, which have
 * endpoints of their own.
 */
export function writable(repository: RepositoryRow): RepositoryRow & { type: HostedFileType } {
  const { projectId, name, category, type } = repository;
  if (category === "REMOTE") fail(250112, `${projectId}/${name} is linked: its files are at another registry`);
  if (isHostedFileType(type)) return { ...repository, type };
  return fail(250112, `files of the ${type} repository ${projectId}/${name} come and go with their packages`);
}
