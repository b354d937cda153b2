import { and, asc, eq, gt, inArray, lt, or, sql } from "drizzle-orm";
import { latestVersion } from "../../../domain/npm/package.ts";
import { withoutBuild } from "../../../domain/npm/version.ts";
import type { DbOrTx } from "../../open.ts";
import { packages, version } from "../../schema/packages.ts";
import { distTagsOf } from "./record.ts";
import { findVersion, type PackageRow, type VersionRow } from "../versions.ts";

/** A version without its document; `bytes`: length of the document as it is stored. */
export type ListedVersion = {
  id: number;
  name: string;
  createdDate: number;
  bytes: number;
};

/** Returns a package's versions in the order of their arrival. */
export function listVersions(db: DbOrTx, packageId: number): ListedVersion[] {
  return db
    .select({
      id: version.id,
      name: version.name,
      createdDate: version.createdDate,
      // Unlike length(), octet_length() does not read the document.
      bytes: sql<number>`coalesce(octet_length(${version.document}), 2)`,
    })
    .from(version)
    .where(eq(version.packageId, packageId))
    .orderBy(asc(version.id))
    .all();
}

/** Returns the documents of those versions that still exist, as text, in the order of their arrival. */
export function versionTexts(
  db: DbOrTx,
  ids: readonly number[],
): { name: string; document: string }[] {
  return db
    .select({
      name: version.name,
      document: sql<string>`coalesce(${version.document}, '{}')`,
    })
    .from(version)
    .where(sql`${version.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`)
    .orderBy(asc(version.id))
    .all();
}

export function versionNames(db: DbOrTx, packageId: number): string[] {
  return db
    .select({ name: version.name })
    .from(version)
    .where(eq(version.packageId, packageId))
    .orderBy(asc(version.id))
    .all()
    .map(({ name }) => name);
}

/**
 * Returns the dist-tags as clients see them: `latest` is among them as soon as there is any
 * version. `names` returns the versions from which `latest` is chosen if it is not set.
 */
export function shownTags(
  db: DbOrTx,
  packageId: number,
  names: () => string[] = () => versionNames(db, packageId),
): Map<string, string> {
  const tags = distTagsOf(db, packageId);
  const tagged = tags.get("latest");
  const latest = tagged ?? latestVersion(undefined, names());
  return latest === null ? tags : new Map([["latest", latest], ...tags]);
}

/** Finds a version by its name or by a dist-tag; undefined when neither exists. */
export function findVersionOrTag(
  db: DbOrTx,
  packageId: number,
  name: string,
): VersionRow | undefined {
  const exact = findVersion(db, packageId, name);
  if (exact) return exact;
  const tagged = shownTags(db, packageId).get(name);
  return tagged === undefined ? undefined : findVersion(db, packageId, tagged);
}

/**
 * Returns another version of the package that clients take for this one, because only the build
 * metadata differs. Returns null when there is no other one, and when a version with exactly this
 * name exists.
 */
export function findTwin(db: DbOrTx, packageId: number, name: string): string | null {
  const plain = withoutBuild(name);
  // The range from `name+` to `name,` holds all names with build metadata and uses the index: ","
  // follows "+" in the order of characters.
  const built = and(gt(version.name, `${plain}+`), lt(version.name, `${plain},`));
  const names = db
    .select({ name: version.name })
    .from(version)
    .where(and(eq(version.packageId, packageId), or(eq(version.name, plain), built)))
    .all();
  return names.some((known) => known.name === name) ? null : (names[0]?.name ?? null);
}

/** Returns the version whose tarball is at this path; null when there is none. */
export function versionOfTarball(
  db: DbOrTx,
  packageId: number,
  path: string,
): string | null {
  const where = and(
    eq(version.packageId, packageId),
    sql`${version.document} ->> '$.dist.tarball' = ${path.slice(1)}`,
  );
  return (
    db.select({ name: version.name }).from(version).where(where).limit(1).get()?.name ??
    null
  );
}

/**
 * A package, and the version whose texts a search looks at: `latest`, or without it the one that arrived last; `bytes`:
 * length of its document.
 */
export type SearchRow = { name: string; version: number; bytes: number };

/** Returns the next packages after the name `after`, ordered by name. */
export function searchRows(
  db: DbOrTx,
  repositoryId: number,
  after: string,
  limit: number,
): SearchRow[] {
  const of = sql`(SELECT version FROM dist_tag WHERE package_id = ${packages.id} AND tag = 'latest')`;
  const shown = sql`coalesce(
    (SELECT id FROM version WHERE package_id = ${packages.id} AND name = ${of}),
    (SELECT max(id) FROM version WHERE package_id = ${packages.id}))`;
  return db
    .select({
      name: packages.name,
      version: version.id,
      bytes: sql<number>`coalesce(octet_length(${version.document}), 0)`,
    })
    .from(packages)
    .innerJoin(version, eq(version.id, shown))
    .where(and(eq(packages.repositoryId, repositoryId), gt(packages.name, after)))
    .orderBy(asc(packages.name))
    .limit(limit)
    .all();
}

/** The texts of a package that a search looks at; `id`: of the package. */
export type SearchTexts = {
  id: number;
  name: string;
  description: string;
  keywords: string;
};

/** Returns the texts of those of the versions that still exist, ordered by the names of their packages. */
export function searchTexts(db: DbOrTx, versions: readonly number[]): SearchTexts[] {
  return db
    .select({
      id: packages.id,
      name: packages.name,
      description: sql<string>`coalesce(${version.document} ->> '$.description', '')`,
      keywords: sql<string>`coalesce(${version.document} ->> '$.keywords', '')`,
    })
    .from(version)
    .innerJoin(packages, eq(packages.id, version.packageId))
    .where(
      sql`${version.id} IN (SELECT value FROM json_each(${JSON.stringify(versions)}))`,
    )
    .orderBy(asc(packages.name))
    .all();
}

export function packagesById(db: DbOrTx, ids: readonly number[]): PackageRow[] {
  return db
    .select()
    .from(packages)
    .where(inArray(packages.id, [...ids]))
    .orderBy(asc(packages.name))
    .all();
}

/**
 * Returns the package's revision. It changes with every change of the package, its versions and its
 * dist-tags, and never repeats (markChanged).
 */
export const revisionOf = ({
  id,
  lastModifiedDate,
}: Pick<PackageRow, "id" | "lastModifiedDate">): string => `${lastModifiedDate}-${id}`;
