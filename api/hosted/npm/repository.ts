import type { DbOrTx } from "../../../db/open.ts";
import { findProject } from "../../../db/content/projects.ts";
import { findRepository, type RepositoryRow } from "../../../db/content/repositories.ts";
import { linkedElsewhere, type Named } from "../../http/repository.ts";
import { NpmError } from "./errors.ts";

/**
 * Returns the hosted NPM repository that a request names. If it is linked or of another type,
 * throws a 404 that says so.
 */
export function npmRepository(db: DbOrTx, { projectId, repoName }: Named): RepositoryRow {
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
