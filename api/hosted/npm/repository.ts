import type { DbOrTx } from "../../../db/open.ts";
import { findProject } from "../../../db/content/projects.ts";
import { findRepository, type RepositoryRow } from "../../../db/content/repositories.ts";
import { NpmError } from "./errors.ts";

/** The hosted NPM repository of that name; 404 says what is there instead. */
export function npmRepository(
  db: DbOrTx,
  { projectId, repoName }: { projectId: string; repoName: string },
): RepositoryRow {
  const found = findRepository(db, projectId, repoName);
  const name = `${projectId}/${repoName}`;
  if (!found)
    throw new NpmError(
      404,
      findProject(db, projectId) ? `there is no repository ${name}` : `there is no project ${projectId}`,
    );
  if (found.category !== "LOCAL")
    throw new NpmError(404, `the repository ${name} is linked: its packages are at another registry`);
  if (found.type !== "NPM") throw new NpmError(404, `the repository ${name} is of type ${found.type}, not NPM`);
  return found;
}
