import { HOSTED_TYPES, isHostedType } from "../../domain/repository-types.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { anyOf, text } from "../../domain/text.ts";
import { fail } from "../http/errors.ts";

/**
 * Throws 250105 for a type that cannot be hosted yet. Hosted repositories of such types, which older releases
 * created, stay as they are.
 */
export function checkHosted(type: RepositoryType): void {
  if (isHostedType(type)) return;
  const types = anyOf(HOSTED_TYPES);
  fail(
    250105,
    "type",
    text(
      `repositories of type ${type} cannot be hosted yet, nothing could be stored in them: ` +
        `choose ${types.en}, or link a registry elsewhere with category REMOTE`,
      `尚不支持 ${type} 类型的本地仓库，其中无法存储任何内容：` +
        `请选择 ${types.zh}，或用 category REMOTE 关联外部仓库`,
    ),
  );
}
