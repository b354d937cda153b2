import { deleteNodes } from "../../../db/content/delete-nodes.ts";
import type { RepositoryRow } from "../../../db/content/repositories.ts";
import type { ApiDeps } from "../../deps.ts";
import { NAME_ONE } from "../../http/details.ts";
import { fail } from "../../http/errors.ts";

/**
 * Deletes a file, or a folder with everything below it. Throws 251010 if nothing is at the path,
 * 251011 for the root.
 */
export async function removeFiles(
  { db, now }: Pick<ApiDeps, "db" | "now">,
  repository: RepositoryRow,
  path: string,
): Promise<void> {
  if (path === "/") fail(251011, path, NAME_ONE);
  if ((await deleteNodes(db, repository.id, path, now())) === null) fail(251010, path);
}
