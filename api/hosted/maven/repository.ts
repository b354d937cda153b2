import type { DbOrTx } from "../../../db/open.ts";
import type { RepositoryRow } from "../../../db/content/repositories.ts";
import { fail } from "../../http/errors.ts";
import { linkedElsewhere, type Named, repositoryOf } from "../../http/repository.ts";

/** The hosted MAVEN repository that a request names; 404 says what is there instead. */
export function hostedMaven(db: DbOrTx, named: Named): RepositoryRow {
  const found = repositoryOf(db, named);
  const { projectId, name, category, type } = found;
  if (category === "LOCAL" && type === "MAVEN") return found;
  const kind =
    category === "LOCAL" ? `a hosted ${type} repository` : linkedElsewhere("files");
  return fail(
    251006,
    `${projectId}/${name}`,
    `it is ${kind}; Maven needs a hosted MAVEN repository`,
  );
}
