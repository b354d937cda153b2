import { and, eq } from "drizzle-orm";
import { type NpmDocument, storedDocument } from "../../../domain/npm/package.ts";
import type { Audit } from "../../audit.ts";
import type { DbOrTx } from "../../open.ts";
import { distTag, packages } from "../../schema/packages.ts";
import {
  findPackage,
  findVersion,
  type PackageRepository,
  putVersion,
  tellVersion,
  type VersionRow,
} from "../versions.ts";

type NpmVersion = {
  name: string;
  version: string;
  /**
   * The version's document; its name, version and tarball address are corrected when it is stored.
   */
  document: NpmDocument;
  /** The node `/{name}/-/{file}`, which exists. */
  tarball: { sha256: string; size: number; file: string };
  /** Tags to set to this version; in a replication `decideTags` chooses them. */
  distTags: readonly string[];
};

/**
 * Makes a version of an existing tarball node, or changes its document and dist-tags, and writes
 * the event for REAL_TIME, in the caller's transaction.
 */
export function putNpmVersion(
  tx: DbOrTx,
  repository: PackageRepository,
  { name, version, document, tarball, distTags }: NpmVersion,
  audit: Audit,
  now: number,
): VersionRow {
  const before = findPackage(tx, repository.id, name)?.lastModifiedDate;
  const entry = {
    name: version,
    digest: `sha256:${tarball.sha256}`,
    size: tarball.size,
    complete: true,
    document: storedDocument(document, name, version, tarball.file),
  };
  const row = putVersion(tx, repository.id, name, entry, audit);
  for (const tag of distTags) setDistTag(tx, row.packageId, tag, version);
  markChanged(tx, row.packageId, before, now);
  tellVersion(tx, repository, name, row, now);
  return row;
}

/** Returns a package's dist-tags as they were set; `latestVersion` chooses `latest` without one. */
export function distTagsOf(db: DbOrTx, packageId: number): Map<string, string> {
  const rows = db
    .select({ tag: distTag.tag, version: distTag.version })
    .from(distTag)
    .where(eq(distTag.packageId, packageId))
    .orderBy(distTag.tag)
    .all();
  return new Map(rows.map(({ tag, version }) => [tag, version]));
}

/** Returns the description of a package in one version's document. */
export function descriptionOf(
  db: DbOrTx,
  packageId: number,
  name: string,
): string | null {
  const description = findVersion(db, packageId, name)?.document?.["description"];
  return typeof description === "string" ? description : null;
}

/** Changes the row only: the caller also calls `markChanged` and `tellVersion`. */
export function setDistTag(
  tx: DbOrTx,
  packageId: number,
  tag: string,
  version: string,
): void {
  tx.insert(distTag)
    .values({ packageId, tag, version })
    .onConflictDoUpdate({ target: [distTag.packageId, distTag.tag], set: { version } })
    .run();
}

export function removeDistTag(tx: DbOrTx, packageId: number, tag: string): void {
  tx.delete(distTag)
    .where(and(eq(distTag.packageId, packageId), eq(distTag.tag, tag)))
    .run();
}

/**
 * Sets a package's date, which is also its revision: each change moves it forward, even within one
 * millisecond or after the clock was put back. `before`: the date until now.
 */
export function markChanged(
  tx: DbOrTx,
  packageId: number,
  before: number | undefined,
  now: number,
): void {
  tx.update(packages)
    .set({ lastModifiedDate: Math.max(now, (before ?? 0) + 1) })
    .where(eq(packages.id, packageId))
    .run();
}
