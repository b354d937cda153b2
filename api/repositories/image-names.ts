import { isImageName } from "../../domain/reference.ts";
import { isImageType } from "../../domain/repository-types.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { text } from "../../domain/text.ts";
import { fail } from "../http/errors.ts";
import type { RepositoryName } from "../http/repository.ts";

/**
 * Checks that project and name of a hosted repository can begin the names of its images; throws
 * 250105 with `field` if not.
 */
export function checkImageNames(
  { projectId, repoName }: RepositoryName,
  type: RepositoryType,
  field: string,
): void {
  const name = `${projectId}/${repoName}`;
  if (!isImageType(type) || isImageName(name)) return;
  fail(
    250105,
    field,
    text(
      `the names of images begin with project and repository: for type ${type}, ${name} must be lower-case, ` +
        'as in "team/images"',
      `镜像名称以项目和仓库开头：类型为 ${type} 时，${name} 必须是小写，例如“team/images”`,
    ),
  );
}
