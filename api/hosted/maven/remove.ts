import { auditBy } from "../../../db/audit.ts";
import { deleteNodes } from "../../../db/content/delete-nodes.ts";
import { getNode } from "../../../db/content/nodes.ts";
import { recordMavenFiles } from "../../../db/packages/maven/record.ts";
import type { RepositoryRow } from "../../../db/content/repositories.ts";
import { checksumOf, isMetadata } from "../../../domain/maven/layout.ts";
import type { ApiDeps } from "../../deps.ts";
import { NAME_ONE } from "../../http/details.ts";
import { fail } from "../../http/errors.ts";

/**
 * Deletes a file, or a folder with everything below it, and the versions that lose all their files;
 * updates the others. Does nothing for the checksum of an existing file or for metadata that is not
 * stored: the server derives both. Throws 251010 if nothing is at the path, 251011 for the root.
 */
export async function removeMaven(
  { db, now }: Pick<ApiDeps, "db" | "now">,
  repository: RepositoryRow,
  path: string,
  user: string,
): Promise<void> {
  if (path === "/") fail(251011, path, NAME_ONE);
  const at = now();
  const audit = auditBy({ user, now: at });
  if (
    (await deleteNodes(db, repository.id, path, at, (tx, paths) =>
      recordMavenFiles(tx, repository, paths, audit, at),
    )) !== null
  )
    return;
  const of = checksumOf(path)?.of ?? path;
  if (isMetadata(of) || getNode(db, repository.id, of, at)) return;
  fail(251010, path);
}
