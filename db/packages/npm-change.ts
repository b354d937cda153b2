import { eq, sql } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { version } from "../schema/packages.ts";
import { distTagsOf, markChanged, removeDistTag, setDistTag } from "./npm-record.ts";
import { findVersion, type PackageRepository, type PackageRow, tellVersion } from "./versions.ts";

export type By = { user: string; now: number };

/** Sets the deprecation of each of these versions (null: none) and tells of those that it changes. */
export function setDeprecations(tx: DbOrTx, repository: PackageRepository, owner: PackageRow, wanted: ReadonlyMap<string, string | null>, { user, now }: By): void {
  const { id, name, digest, complete } = version;
  const rows = tx
    .select({ id, name, digest, complete, deprecated: sql<string | null>`nullif(${version.document} ->> '$.deprecated', '')` })
    .from(version)
    .where(eq(version.packageId, owner.id))
    .all();
  const changed = rows.filter((row) => wanted.has(row.name) && wanted.get(row.name) !== row.deprecated);
  for (const row of changed) {
    const message = wanted.get(row.name) ?? null;
    const document = message === null ? sql`json_remove(document, '$.deprecated')` : sql`json_set(document, '$.deprecated', ${message})`;
    tx.run(sql`UPDATE version SET document = ${document}, last_modified_by = ${user}, last_modified_date = ${now} WHERE id = ${row.id}`);
    tellVersion(tx, repository, owner.name, row, now);
  }
  if (changed.length > 0) markChanged(tx, owner.id, owner.lastModifiedDate, now);
}

/** Points dist-tags at versions (null: takes the tag away) and tells of the versions they now point at; one that is not there is left out. */
export function changeDistTags(tx: DbOrTx, repository: PackageRepository, owner: PackageRow, wanted: ReadonlyMap<string, string | null>, { now }: Pick<By, "now">): void {
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
