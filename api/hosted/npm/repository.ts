import type { DbOrTx } from "../../../db/open.ts";
import { findProject } from "../../../db/content/projects.ts";
import { findRepository, type RepositoryRow } from "../../../db/content/repositories.ts";
import { linkedElsewhere, type RepositoryName } from "../../http/repository.ts";
import { NpmError } from "./errors.ts";

/**
 * Returns the hosted NPM repository that a request names. Throws a 404 that says why if it does not
 * exist, is linked or is of another type.
 */
export function npmRepository(
  db: DbOrTx,
  { projectId, repoName }: RepositoryName,
): RepositoryRow {
  const found = findRepository(db, projectId, repoName);
  const name = `${projectId}/${repoName}`;
  if (!found)
    throw new NpmError(
      404,
      findProject(db, projectId)
        ? `there is no repository ${name}`
        : `there is no project ${projectId}`,
    );
  if (found.category !== "LOCAL")
    throw new NpmError(
      404,
      `the repository ${name} is ${linkedElsewhere("packages").en}`,
    );
  if (found.type !== "NPM")
    throw new NpmError(
      404,
      `the repository ${name} is of type ${found.type}, not NPM: use one of type NPM`,
    );
  return found;
}
