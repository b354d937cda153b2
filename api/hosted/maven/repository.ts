import type { DbOrTx } from "../../../db/open.ts";
import { findProject } from "../../../db/content/projects.ts";
import { findRepository, type RepositoryRow } from "../../../db/content/repositories.ts";
import { ApiError } from "../../http/errors.ts";

/** The hosted MAVEN repository of that name; 404 says what there is instead. */
export function hostedMaven(db: DbOrTx, { projectId, name }: { projectId: string; name: string }): RepositoryRow {
  const found = findRepository(db, projectId, name);
  if (found?.category === "LOCAL" && found.type === "MAVEN") return found;
  const known = `${projectId}/${name}`;
  if (!found) throw findProject(db, projectId) ? new ApiError(251006, [known]) : new ApiError(251004, [projectId]);
  const kind =
    found.category === "LOCAL" ? `a hosted ${found.type} repository` : "linked: its files are at another registry";
  throw new ApiError(251006, [known, `it is ${kind}; Maven needs a hosted MAVEN repository`]);
}
