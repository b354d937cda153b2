import type { DbOrTx } from "../../../db/open.ts";
import type { RepositoryRow } from "../../../db/content/repositories.ts";
import { text } from "../../../domain/text.ts";
import { fail } from "../../http/errors.ts";
import {
  linkedElsewhere,
  type RepositoryName,
  repositoryOf,
} from "../../http/repository.ts";

/**
 * Returns the hosted MAVEN repository that a request names. Throws a 404 that says why if it does
 * not exist, is linked or is of another type.
 */
export function hostedMaven(db: DbOrTx, named: RepositoryName): RepositoryRow {
  const found = repositoryOf(db, named);
  const { projectId, name, category, type } = found;
  if (category === "LOCAL" && type === "MAVEN") return found;
  const kind =
    category === "LOCAL"
      ? text(
          `a hosted ${type} repository: use one of type MAVEN`,
          `${type} 本地仓库：请使用 MAVEN 类型的仓库`,
        )
      : linkedElsewhere("files");
  return fail(
    251006,
    `${projectId}/${name}`,
    text(
      `as a hosted MAVEN repository; it is ${kind.en}`,
      `按 MAVEN 本地仓库查找；它是${kind.zh}`,
    ),
  );
}
