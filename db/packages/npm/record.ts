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
  /** The facts of the tarball, whose node `/{name}/-/{file}` must exist. */
  tarball: { sha256: string; size: number; file: string };
  /** Dist-tags to set to this version; in a replication `decideTags` chooses them. */
  distTags: readonly string[];
};

/**
 * Creates a version whose tarball is an existing node, or changes the version's document and
 * dist-tags. Writes the event for REAL_TIME, too, in the caller's transaction.
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

/**
 * Returns the versions of a package's dist-tags, by tag, as they were set; `latest` is absent if it
 * was not set.
 */
export function distTagsOf(db: DbOrTx, packageId: number): Map<string, string> {
  const rows = db
    .select({ tag: distTag.tag, version: distTag.version })
    .from(distTag)
    .where(eq(distTag.packageId, packageId))
    .orderBy(distTag.tag)
    .all();
  return new Map(rows.map(({ tag, version }) => [tag, version]));
}

/**
 * Returns a package's description, as the document of the version `name` states it; null if it
 * states none.
 */
export function descriptionOf(
  db: DbOrTx,
  packageId: number,
  name: string,
): string | null {
  const description = findVersion(db, packageId, name)?.document?.["description"];
  return typeof description === "string" ? description : null;
}

/**
 * Sets a dist-tag. Changes only that row: the caller also calls `markChanged` and `tellVersion`.
 */
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
 * Sets a package's date, from which its revision is made. Each change moves the date forward, even
 * within one millisecond or after the clock was put back. `before`: the date until now.
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
