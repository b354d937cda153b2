import { eq, sql } from "drizzle-orm";
import type { By } from "../../audit.ts";
import type { DbOrTx } from "../../open.ts";
import { version } from "../../schema/packages.ts";
import { distTagsOf, markChanged, removeDistTag, setDistTag } from "./record.ts";
import {
  findVersion,
  type PackageRepository,
  type PackageRow,
  tellVersion,
  type VersionRow,
} from "../versions.ts";

/** A version whose deprecation changes; `message`: null removes the deprecation. */
type Deprecation = Pick<VersionRow, "id" | "name" | "digest" | "complete"> & {
  message: string | null;
};

/**
 * Returns the versions whose deprecation differs from that in `wanted`, by version (null: not
 * deprecated). Versions that `wanted` lacks are left out.
 */
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

/** Sets deprecations and writes an event for each version; deleted versions are skipped. */
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
    const { changes } = tx.run(sql`
      UPDATE version SET
        document = ${document}, last_modified_by = ${user}, last_modified_date = ${now}
      WHERE id = ${row.id}`);
    if (changes > 0) tellVersion(tx, repository, owner.name, row, now);
  }
  if (deprecations.length > 0) markChanged(tx, owner.id, owner.lastModifiedDate, now);
}

/**
 * Points dist-tags at versions (null: deletes the tag) and writes an event for each version that
 * gets one. Versions that do not exist are skipped.
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
