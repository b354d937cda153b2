import { eq, sql } from "drizzle-orm";
import { mavenFolder } from "../../../domain/maven/layout.ts";
import { foldersAbove, parentOf } from "../../../domain/path.ts";
import { auditBy } from "../../audit.ts";
import { type Db, type DbOrTx, write } from "../../open.ts";
import { packages, version } from "../../schema/packages.ts";
import { inTurn } from "../../turns.ts";
import { recordMavenFiles } from "./record.ts";
import { findPackage, findVersion, type PackageRepository } from "../versions.ts";

/**
 * Maximum number of versions, and of files, in one transaction, so that others wait only briefly.
 */
const VERSIONS = 100;
const FILES = 500;

/**
 * Deletes a version with everything in its folder, and the package with its last version. Returns
 * false when there is no such version.
 */
export async function deleteMavenVersion(
  db: Db,
  repository: PackageRepository,
  packageName: string,
  name: string,
  now: number,
): Promise<boolean> {
  const owner = findPackage(db, repository.id, packageName);
  if (!owner || !findVersion(db, owner.id, name)) return false;
  await deleteVersions(db, { repository, packageName, now }, [name]);
  return true;
}

/**
 * Deletes a package with all its versions and everything in their folders. Repeating an interrupted
 * call finishes the deletion. Returns false when there is no such package.
 */
export async function deleteMavenPackage(
  db: Db,
  repository: PackageRepository,
  packageName: string,
  now: number,
): Promise<boolean> {
  const owner = findPackage(db, repository.id, packageName);
  if (!owner) return false;
  const names = db
    .select({ name: version.name })
    .from(version)
    .where(eq(version.packageId, owner.id))
    .all();
  await deleteVersions(
    db,
    { repository, packageName, now },
    names.map(({ name }) => name),
  );
  return true;
}

type Deletion = { repository: PackageRepository; packageName: string; now: number };

async function deleteVersions(
  db: Db,
  deletion: Deletion,
  names: readonly string[],
): Promise<void> {
  for (let at = 0; at < names.length; at += VERSIONS) {
    const some = names.slice(at, at + VERSIONS);
    // If a file is deployed after the last step of a version, it makes a new version, which stays.
    while (
      (await inTurn(() => write(db, (tx) => deleteSome(tx, deletion, some)))) === FILES
    );
  }
}

/**
 * Deletes at most FILES files of the versions, and with the last file the rows and folders of these
 * versions. Returns how many files were deleted.
 */
function deleteSome(
  tx: DbOrTx,
  { repository, packageName, now }: Deletion,
  names: readonly string[],
): number {
  const own = names.map((name) => mavenFolder(packageName, name));
  const folders = JSON.stringify(own);
  // `path > folder/ AND path < folder0` is the range below a folder: "0" follows "/" in the order
  // of characters.
  const files = tx.all<{ id: number; path: string; sha256: string }>(sql`
    SELECT node.id, full_path AS path, sha256 FROM json_each(${folders}) AS wanted
    CROSS JOIN node
      ON repository_id = ${repository.id}
      AND full_path > wanted.value || '/'
      AND full_path < wanted.value || '0'
    WHERE folder = 0
    LIMIT ${FILES}`);
  const digests = JSON.stringify(files.map(({ sha256 }) => sha256));
  const ids = JSON.stringify(files.map(({ id }) => id));
  tx.run(sql`
    UPDATE blob SET touched_date = ${now}
    WHERE sha256 IN (SELECT value FROM json_each(${digests}))`);
  tx.run(sql`DELETE FROM node WHERE id IN (SELECT value FROM json_each(${ids}))`);
  const last = files.length < FILES;
  if (last) deleteRows(tx, { repository, packageName, now }, names, folders);
  // These deleted files may belong to versions that still have rows: their own version is not
  // deleted whole yet, or they lay deeper, in the folder of another package's version.
  const left = files
    .map(({ path }) => path)
    .filter((path) => !last || !own.includes(parentOf(path)));
  recordMavenFiles(tx, repository, left, auditBy({ user: "", now }), now);
  return files.length;
}

function deleteRows(
  tx: DbOrTx,
  { repository, packageName, now }: Deletion,
  names: readonly string[],
  folders: string,
): void {
  tx.run(sql`
    DELETE FROM node WHERE folder = 1 AND id IN (
      SELECT node.id FROM json_each(${folders}) AS gone
      CROSS JOIN node
        ON repository_id = ${repository.id}
        AND full_path >= gone.value
        AND full_path < gone.value || '0'
        AND (full_path = gone.value OR full_path > gone.value || '/')
    )`);
  deleteEmptyFolders(tx, repository.id, foldersAbove(mavenFolder(packageName, "any")));
  const owner = findPackage(tx, repository.id, packageName);
  if (!owner) return;
  tx.run(sql`
    DELETE FROM version
    WHERE package_id = ${owner.id}
      AND name IN (SELECT value FROM json_each(${JSON.stringify(names)}))`);
  tx.update(packages)
    .set({ lastModifiedDate: sql`max(${packages.lastModifiedDate}, ${now})` })
    .where(eq(packages.id, owner.id))
    .run();
  tx.run(sql`
    DELETE FROM package
    WHERE id = ${owner.id}
      AND NOT EXISTS (SELECT 1 FROM version WHERE package_id = ${owner.id})`);
}

/**
 * Deletes empty folders from the innermost outwards, up to the first that is not empty or does not
 * exist.
 */
function deleteEmptyFolders(tx: DbOrTx, repositoryId: number, folders: string[]): void {
  for (const folder of folders.toReversed()) {
    const { changes } = tx.run(sql`
      DELETE FROM node
      WHERE repository_id = ${repositoryId}
        AND full_path = ${folder}
        AND folder = 1
        AND NOT EXISTS (
          SELECT 1 FROM node AS child
          WHERE child.repository_id = ${repositoryId} AND child.parent = ${folder})`);
    if (changes === 0) return;
  }
}
