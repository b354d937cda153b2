import { and, asc, eq, sql } from "drizzle-orm";
import { mavenFolder } from "../../domain/maven.ts";
import { foldersAbove } from "../../domain/path.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { packages, version } from "../schema/packages.ts";
import { recordMavenFiles } from "./maven-record.ts";
import { deleteVersionRow, findPackage, type PackageRepository, type VersionRow } from "./versions.ts";

/** Files of one transaction, so that nobody waits for long. */
const FILES = 500;
const VERSIONS = 100;

/** Deletes a version with all that is in its folder, and the package with its last version. False: it is not there. */
export function deleteMavenVersion(db: Db, repository: PackageRepository, packageName: string, name: string, now: number): boolean {
  return deleteVersions(db, repository, packageName, name, now);
}

/** The same of all versions of a package. What was interrupted is finished by asking again. */
export function deleteMavenPackage(db: Db, repository: PackageRepository, packageName: string, now: number): boolean {
  return deleteVersions(db, repository, packageName, null, now);
}

function deleteVersions(db: Db, repository: PackageRepository, packageName: string, name: string | null, now: number): boolean {
  const step = () =>
    write(db, (tx) => {
      const owner = findPackage(tx, repository.id, packageName);
      if (!owner) return 0;
      const named = and(eq(version.packageId, owner.id), name === null ? undefined : eq(version.name, name));
      const rows = tx.select().from(version).where(named).orderBy(asc(version.id)).limit(VERSIONS).all();
      let left = FILES;
      for (const row of rows) if (left > 0) left -= deleteFiles(tx, repository, packageName, row, left, now);
      tx.update(packages).set({ lastModifiedDate: sql`max(${packages.lastModifiedDate}, ${now})` }).where(eq(packages.id, owner.id)).run();
      return rows.length;
    });
  for (let found = false; ; found = true) if (step() === 0) return found;
}

/** At most `limit` files, the version's row and its folders with the last of them; answers how many. */
function deleteFiles(tx: DbOrTx, repository: PackageRepository, packageName: string, row: VersionRow, limit: number, now: number): number {
  const folder = mavenFolder(packageName, row.name);
  const below = sql`repository_id = ${repository.id} AND full_path > ${`${folder}/`} AND full_path < ${`${folder}0`}`;
  const files = tx.all<{ id: number; path: string; sha256: string }>(sql`SELECT id, full_path AS path, sha256 FROM node WHERE ${below} AND folder = 0 ORDER BY full_path LIMIT ${limit}`);
  tx.run(sql`UPDATE blob SET touched_date = ${now} WHERE sha256 IN (SELECT value FROM json_each(${JSON.stringify(files.map(({ sha256 }) => sha256))}))`);
  tx.run(sql`DELETE FROM node WHERE id IN (SELECT value FROM json_each(${JSON.stringify(files.map(({ id }) => id))}))`);
  if (tx.get(sql`SELECT 1 FROM node WHERE ${below} AND folder = 0 LIMIT 1`)) {
    const { createdBy, createdDate, lastModifiedBy } = row;
    recordMavenFiles(tx, repository, files.map(({ path }) => path), { createdBy, createdDate, lastModifiedBy, lastModifiedDate: now }, now);
    return files.length;
  }
  deleteVersionRow(tx, row);
  tx.run(sql`DELETE FROM node WHERE ${below}`);
  deleteEmptyFolders(tx, repository.id, [...foldersAbove(folder), folder]);
  return files.length;
}

/** From the innermost on, up to one that has something in it. */
function deleteEmptyFolders(tx: DbOrTx, repositoryId: number, folders: string[]): void {
  for (const folder of folders.toReversed()) {
    const { changes } = tx.run(sql`
      DELETE FROM node WHERE repository_id = ${repositoryId} AND full_path = ${folder} AND folder = 1
      AND NOT EXISTS (SELECT 1 FROM node AS child WHERE child.repository_id = ${repositoryId} AND child.parent = ${folder})`);
    if (changes === 0) return;
  }
}
