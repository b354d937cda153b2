import { asc, eq, sql } from "drizzle-orm";
import { foldersAbove } from "../../domain/path.ts";
import { record, tarballFile, tarballPath } from "../../domain/npm.ts";
import { nodeStatements } from "../node-statements.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { version } from "../schema/packages.ts";
import { markChanged } from "./npm-record.ts";
import { deleteVersionRow, findPackage, findVersion, type PackageRepository, type PackageRow, type VersionRow } from "./versions.ts";

/** Versions of one transaction, so that nobody waits for long. */
const BATCH = 200;

/** Deletes a version with its tarball and the dist-tags that name it, and the package with its last version. False: it is not there. */
export function deleteNpmVersion(db: Db, repository: PackageRepository, packageName: string, version: string, now: number): boolean {
  return deleteNpmVersions(db, repository, packageName, [version], now) > 0;
}

/** The same of many; answers how many were there. */
export function deleteNpmVersions(db: Db, repository: PackageRepository, packageName: string, versions: readonly string[], now: number): number {
  let deleted = 0;
  for (let at = 0; at < versions.length; at += BATCH) {
    deleted += write(db, (tx) => {
      const owner = findPackage(tx, repository.id, packageName);
      if (owner === undefined) return 0;
      const rows = versions.slice(at, at + BATCH).flatMap((name) => findVersion(tx, owner.id, name) ?? []);
      deleteRows(db, tx, owner, rows, now);
      return rows.length;
    });
  }
  return deleted;
}

/** Deletes a package with all its versions, those of a large one in several transactions. False: it is not there. */
export function deleteNpmPackage(db: Db, repository: PackageRepository, packageName: string, now: number): boolean {
  const owner = findPackage(db, repository.id, packageName);
  if (owner === undefined) return false;
  const step = () =>
    write(db, (tx) => {
      const current = findPackage(tx, repository.id, packageName);
      if (current?.id !== owner.id) return 0;
      const rows = tx.select().from(version).where(eq(version.packageId, owner.id)).orderBy(asc(version.id)).limit(BATCH).all();
      deleteRows(db, tx, current, rows, now);
      return rows.length;
    });
  while (step() === BATCH);
  return true;
}

function deleteRows(db: Db, tx: DbOrTx, owner: PackageRow, rows: readonly VersionRow[], now: number): void {
  for (const row of rows) {
    deleteFile(db, tx, owner.repositoryId, pathOf(owner.name, row), now);
    deleteVersionRow(tx, row);
  }
  if (rows.length > 0) markChanged(tx, owner.id, owner.lastModifiedDate, now);
}

/** Where the tarball of a version lies. */
export function pathOf(packageName: string, { name, document }: Pick<VersionRow, "name" | "document">): string {
  const { tarball } = record(document?.["dist"]);
  return typeof tarball === "string" ? `/${tarball}` : tarballPath(packageName, tarballFile(packageName, name));
}

/** With the folders that it leaves empty; its content is let go. */
function deleteFile(db: Db, tx: DbOrTx, repositoryId: number, path: string, now: number): void {
  const { find, touch, remove } = nodeStatements(db);
  const found = find.get(now, repositoryId, path);
  if (!found?.sha256) return;
  remove.run(found.id);
  touch.run(now, found.sha256);
  for (const folder of foldersAbove(path).reverse()) {
    const { changes } = tx.run(sql`
      DELETE FROM node WHERE repository_id = ${repositoryId} AND full_path = ${folder} AND folder = 1
      AND NOT EXISTS (SELECT 1 FROM node AS child WHERE child.repository_id = ${repositoryId} AND child.parent = ${folder})`);
    if (changes === 0) return;
  }
}
