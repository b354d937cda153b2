import { eq, sql } from "drizzle-orm";
import type { DbOrTx } from "../../open.ts";
import { version } from "../../schema/packages.ts";
import { distTagsOf, markChanged, removeDistTag, setDistTag } from "./record.ts";
import { findVersion, type PackageRepository, type PackageRow, tellVersion, type VersionRow } from "../versions.ts";

export type By = { user: string; now: number };

/** A version that is to be deprecated (null: not any more). */
export type Deprecation = Pick<VersionRow, "id" | "name" | "digest" | "complete"> & { message: string | null };

/** Of the versions those whose deprecation is another one now. */
export function changedDeprecations(
  db: DbOrTx,
  packageId: number,
  wanted: ReadonlyMap<string, string | null>,
): Deprecation[] {
  const { id, name, digest, complete } = version;
  const rows = db
    .select({
      id,
      name,
      digest,
      complete,
      deprecated: sql<string | null>`nullif(${version.document} ->> '$.deprecated', '')`,
    })
    .from(version)
    .where(eq(version.packageId, packageId))
    .all();
  return rows.flatMap(({ deprecated, ...row }) => {
    const message = wanted.get(row.name);
    return message === undefined || message === deprecated ? [] : [{ ...row, message }];
  });
}

/** Sets deprecations and tells of the versions; those that went meanwhile are left out. */
export function setDeprecations(
  tx: DbOrTx,
  repository: PackageRepository,
  owner: PackageRow,
  deprecations: readonly Deprecation[],
  { user, now }: By,
): void {
  for (const row of deprecations) {
    const document =
      row.message === null
        ? sql`json_remove(document, '$.deprecated')`
        : sql`json_set(document, '$.deprecated', ${row.message})`;
    const { changes } = tx.run(
      sql`UPDATE version SET document = ${document}, last_modified_by = ${user}, last_modified_date = ${now} WHERE id = ${row.id}`,
    );
    if (changes > 0) tellVersion(tx, repository, owner.name, row, now);
  }
  if (deprecations.length > 0) markChanged(tx, owner.id, owner.lastModifiedDate, now);
}

/**
 * Points dist-tags at versions (null: takes the tag away) and tells of the versions they now point at; one that is not
 * there is left out.
 */
export function changeDistTags(
  tx: DbOrTx,
  repository: PackageRepository,
  owner: PackageRow,
  wanted: ReadonlyMap<string, string | null>,
  { now }: Pick<By, "now">,
): void {
  const have = distTagsOf(tx, owner.id);
  let changed = false;
  for (const [tag, name] of wanted) {
    if (have.get(tag) === (name ?? undefined)) continue;
    if (name === null) removeDistTag(tx, owner.id, tag);
    else {
      const row = findVersion(tx, owner.id, name);
      if (row === undefined) continue;
      setDistTag(tx, owner.id, tag, name);
      tellVersion(tx, repository, owner.name, row, now);
    }
    changed = true;
  }
  if (changed) markChanged(tx, owner.id, owner.lastModifiedDate, now);
}
