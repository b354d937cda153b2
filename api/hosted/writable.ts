import type { RepositoryRow } from "../../db/content/repositories.ts";
import { type HostedFileType, isHostedFileType } from "../../domain/repository-types.ts";
import { text } from "../../domain/text.ts";
import { fail } from "../http/errors.ts";

/**
 * Throws 250112 unless the repository's files can be uploaded by path. Files of other types belong
 * to packages, which have endpoints of their own.
 */
export function writable(
  repository: RepositoryRow,
): RepositoryRow & { type: HostedFileType } {
  const { projectId, name, type } = repository;
  if (isHostedFileType(type)) return { ...repository, type };
  return fail(
    250112,
    text(
      `files of the ${type} repository ${projectId}/${name} come and go only with their packages`,
      `${type} 仓库 ${projectId}/${name} 的文件只能随包增加或删除`,
    ),
  );
}
