import { eq, sql } from "drizzle-orm";
import { type Db, type DbOrTx, write } from "../open.ts";
import { inPages } from "../pages.ts";
import { packages } from "../schema/packages.ts";

/** Maximum number of versions, or of image manifests, that one transaction deletes. */
const PAGE = 500;
/** Maximum number of packages that one transaction deletes. */
const PACKAGES = 100;

export function hasPackages(db: DbOrTx, repositoryId: number): boolean {
  return (
    db
      .select({ id: packages.id })
      .from(packages)
      .where(eq(packages.repositoryId, repositoryId))
      .limit(1)
      .get() !== undefined
  );
}

/**
 * Deletes the packages, versions, dist-tags and image manifests of a repository from their tables,
 * but not the files. Repeating an interrupted call finishes the deletion. Yields between
 * transactions.
 */
export async function dropPackages(db: Db, repositoryId: number): Promise<void> {
  await inPages(() => write(db, (tx) => dropSome(tx, repositoryId)));
  await inPages(
    () =>
      db.run(sql`
        DELETE FROM image_manifest WHERE id IN (
          SELECT id FROM image_manifest WHERE repository_id = ${repositoryId} LIMIT ${PAGE})`)
        .changes,
  );
}

/**
 * Deletes versions of the first packages, and each of these packages once it has no version left.
 * Returns how many rows were deleted.
 */
function dropSome(tx: DbOrTx, repositoryId: number): number {
  const first = sql`
    SELECT id FROM package
    WHERE repository_id = ${repositoryId}
    ORDER BY name LIMIT ${PACKAGES}`;
  const { changes } = tx.run(sql`
    DELETE FROM version WHERE id IN (
      SELECT v.id FROM (${first}) k
      CROSS JOIN version v ON v.package_id = k.id
      LIMIT ${PAGE})`);
  return changes === PAGE
    ? changes
    : changes + tx.run(sql`DELETE FROM package WHERE id IN (${first})`).changes;
}
