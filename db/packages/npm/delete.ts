import { and, asc, eq, inArray, type SQL, sql } from "drizzle-orm";
import { record } from "../../../domain/json.ts";
import { tarballFile, tarballPath } from "../../../domain/npm/package.ts";
import { foldersAbove, parentOf } from "../../../domain/path.ts";
import { type Db, type DbOrTx, write } from "../../open.ts";
import { version } from "../../schema/packages.ts";
import { markChanged } from "./record.ts";
import {
  findPackage,
  type PackageRepository,
  type PackageRow,
  type VersionRow,
} from "../versions.ts";

/** Maximum number of versions in one transaction, so that others wait only briefly. */
const BATCH = 500;

/**
 * Deletes a version with its tarball and the dist-tags that name it, and the package with its last
 * version. Returns false when there is no such version.
 */
export function deleteNpmVersion(
  db: Db,
  repository: PackageRepository,
  packageName: string,
  version: string,
  now: number,
): boolean {
  return deleteNpmVersions(db, repository, packageName, [version], now) > 0;
}

/** Deletes several versions and returns how many existed. */
export function deleteNpmVersions(
  db: Db,
  repository: PackageRepository,
  packageName: string,
  versions: readonly string[],
  now: number,
): number {
  let deleted = 0;
  for (let at = 0; at < versions.length; at += BATCH) {
    deleted += deleteSome(
      db,
      repository,
      packageName,
      inArray(version.name, versions.slice(at, at + BATCH)),
      now,
    );
  }
  return deleted;
}

/**
 * Deletes a package with all its versions, a large one in several transactions. Returns false when
 * there is no such package.
 */
export function deleteNpmPackage(
  db: Db,
  repository: PackageRepository,
  packageName: string,
  now: number,
): boolean {
  if (!findPackage(db, repository.id, packageName)) return false;
  while (deleteSome(db, repository, packageName, undefined, now) === BATCH);
  return true;
}

/**
 * Deletes up to BATCH versions in one transaction and returns how many. `which`: condition on the
 * versions; undefined: all of the package.
 */
function deleteSome(
  db: Db,
  { id }: PackageRepository,
  packageName: string,
  which: SQL | undefined,
  now: number,
): number {
  return write(db, (tx) => {
    const owner = findPackage(tx, id, packageName);
    if (owner === undefined) return 0;
    const tarball = sql<string | null>`${version.document} ->> '$.dist.tarball'`;
    const rows = tx
      .select({ id: version.id, name: version.name, tarball })
      .from(version)
      .where(and(eq(version.packageId, owner.id), which))
      .orderBy(asc(version.id))
      .limit(BATCH)
      .all();
    deleteFiles(
      tx,
      id,
      rows.map(({ name, tarball }) => pathFrom(packageName, name, tarball)),
      now,
    );
    deleteRows(tx, owner, rows, now);
    return rows.length;
  });
}

/** Returns the path of a version's tarball. */
export function pathOf(
  packageName: string,
  { name, document }: Pick<VersionRow, "name" | "document">,
): string {
  const { tarball } = record(document?.["dist"]);
  return pathFrom(packageName, name, typeof tarball === "string" ? tarball : null);
}

const pathFrom = (
  packageName: string,
  version: string,
  tarball: string | null,
): string =>
  tarball === null
    ? tarballPath(packageName, tarballFile(packageName, version))
    : `/${tarball}`;

function deleteRows(
  tx: DbOrTx,
  { id, lastModifiedDate }: PackageRow,
  rows: readonly Pick<VersionRow, "id" | "name">[],
  now: number,
): void {
  if (rows.length === 0) return;
  const ids = JSON.stringify(rows.map((row) => row.id));
  const names = JSON.stringify(rows.map(({ name }) => name));
  tx.run(sql`DELETE FROM version WHERE id IN (SELECT value FROM json_each(${ids}))`);
  tx.run(sql`
    DELETE FROM dist_tag
    WHERE package_id = ${id} AND version IN (SELECT value FROM json_each(${names}))`);
  tx.run(sql`
    DELETE FROM package
    WHERE id = ${id} AND NOT EXISTS (SELECT 1 FROM version WHERE package_id = ${id})`);
  markChanged(tx, id, lastModifiedDate, now);
}

/**
 * Deletes files and the folders that they leave empty, and touches the contents, which stay in the
 * store for at least a day.
 */
function deleteFiles(
  tx: DbOrTx,
  repositoryId: number,
  paths: readonly string[],
  now: number,
): void {
  const named = sql`
    repository_id = ${repositoryId}
    AND folder = 0
    AND full_path IN (SELECT value FROM json_each(${JSON.stringify(paths)}))`;
  tx.run(sql`
    UPDATE blob SET touched_date = ${now}
    WHERE sha256 IN (SELECT sha256 FROM node WHERE ${named})`);
  tx.run(sql`DELETE FROM node WHERE ${named}`);
  for (const folder of new Set(paths.map(parentOf))) {
    for (const each of [folder, ...foldersAbove(folder).reverse()]) {
      const { changes } = tx.run(sql`
        DELETE FROM node
        WHERE repository_id = ${repositoryId}
          AND full_path = ${each}
          AND folder = 1
          AND NOT EXISTS (
            SELECT 1 FROM node AS child
            WHERE child.repository_id = ${repositoryId} AND child.parent = ${each})`);
      if (changes === 0) break;
    }
  }
}
