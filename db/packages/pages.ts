import { and, asc, desc, eq, type SQL, sql } from "drizzle-orm";
import { getNode } from "../content/nodes.ts";
import type { DbOrTx } from "../open.ts";
import { startsWith } from "../prefix.ts";
import { packages, version } from "../schema/packages.ts";
import { type PackageType, packageTypeOf, type VersionPaths } from "./types.ts";
import {
  findPackage,
  type PackageRepository,
  type PackageRow,
  type VersionRow,
} from "./versions.ts";

/**
 * A package with facts about its versions; `latest`: the version that is used if a request names
 * none; `tags`: npm's dist-tags.
 */
export type PackageView = PackageRow & {
  versions: string[];
  latest: string | null;
  description: string | null;
  tags: Map<string, string>;
};
/**
 * A version with its paths and dist-tags; `metadata`: that of the file at `contentPath` or
 * `manifestPath`, {} without a file.
 */
export type VersionView = VersionRow &
  VersionPaths & { tags: string[]; metadata: Record<string, string> };

/**
 * Returns a page of a repository's packages, ordered by name, and the number of all. `name`: prefix
 * of their names.
 */
export function pagePackages(
  db: DbOrTx,
  repository: PackageRepository,
  name: string,
  offset: number,
  limit: number,
): { total: number; packages: PackageView[] } {
  const type = packageTypeOf(repository.type);
  if (type === null) return { total: 0, packages: [] };
  const where = and(
    eq(packages.repositoryId, repository.id),
    name === "" ? undefined : startsWith(packages.name, name),
  );
  const rows = db
    .select()
    .from(packages)
    .where(where)
    .orderBy(asc(packages.name))
    .limit(limit)
    .offset(offset)
    .all();
  const counted = db
    .select({ n: sql<number>`count(*)` })
    .from(packages)
    .where(where)
    .get();
  return { total: counted?.n ?? 0, packages: rows.map((row) => toView(db, type, row)) };
}

export function readPackage(
  db: DbOrTx,
  repository: PackageRepository,
  name: string,
): PackageView | null {
  const type = packageTypeOf(repository.type);
  const row = findPackage(db, repository.id, name);
  return type && row ? toView(db, type, row) : null;
}

const ownVersions = (packageId: number, { isOwn }: PackageType): SQL | undefined =>
  and(eq(version.packageId, packageId), isOwn(version));

function toView(db: DbOrTx, type: PackageType, row: PackageRow): PackageView {
  const { name, complete, lastModifiedDate } = version;
  const found = db
    .select({ name, complete })
    .from(version)
    .where(ownVersions(row.id, type))
    .orderBy(asc(lastModifiedDate), asc(version.id))
    .all();
  const tags = type.tags(db, row.id);
  const latest = type.latest(found, tags);
  const description = latest === null ? null : type.description(db, row.id, latest);
  return { ...row, versions: found.map((each) => each.name), latest, tags, description };
}

/**
 * Returns a page of a package's versions, the newest first, without tags that only attach
 * something; null when there is no such package. `wanted.name`: prefix of the versions' names.
 */
export function pageVersions(
  db: DbOrTx,
  repository: PackageRepository,
  wanted: { packageName: string; name: string },
  { offset, limit, now }: { offset: number; limit: number; now: number },
): { total: number; versions: VersionView[] } | null {
  const type = packageTypeOf(repository.type);
  const owner = findPackage(db, repository.id, wanted.packageName);
  if (!type || !owner) return null;
  const where = and(
    ownVersions(owner.id, type),
    wanted.name === "" ? undefined : startsWith(version.name, wanted.name),
  );
  const rows = db
    .select()
    .from(version)
    .where(where)
    .orderBy(desc(version.createdDate), desc(version.id))
    .limit(limit)
    .offset(offset)
    .all();
  const counted = db
    .select({ n: sql<number>`count(*)` })
    .from(version)
    .where(where)
    .get();
  const tags = [...type.tags(db, owner.id)];
  const versions = rows.map((row) => {
    const paths = type.paths(db, repository.id, owner.name, row);
    const path = paths.contentPath ?? paths.manifestPath;
    const metadata =
      path === null ? {} : (getNode(db, repository.id, path, now)?.metadata ?? {});
    return {
      ...row,
      ...paths,
      metadata,
      tags: tags.flatMap(([tag, of]) => (of === row.name ? [tag] : [])),
    };
  });
  return { total: counted?.n ?? 0, versions };
}
