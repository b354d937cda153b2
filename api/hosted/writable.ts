import type { RepositoryRow } from "../../db/content/repositories.ts";
import { type HostedFileType, isHostedFileType } from "../../domain/repository-types.ts";
import { text } from "../../domain/text.ts";
import { fail } from "../http/errors.ts";

/**
 * Returns the repository if its files can be uploaded and deleted by path; otherwise throws 250112.
 * Files of other types belong to packages, which have endpoints of their own.
 */
export function writable(
  repository: RepositoryRow,
): RepositoryRow & { type: HostedFileType } {
  const { projectId, name, type } = repository;
  if (isHostedFileType(type)) return { ...repository, type };
  return fail(
    250112,
    text(
      `files of the ${type} repository ${projectId}/${name} cannot be stored or deleted alone: ` +
        "publish or delete packages instead",
      `${type} 仓库 ${projectId}/${name} 的文件不能单独存储或删除：请发布或删除包`,
    ),
  );
}
