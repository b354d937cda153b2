import { type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { INDEX_TYPES } from "../../../domain/image/media-types.ts";

const ATTACHED = `sha256-${"[0-9a-f]".repeat(64)}`;
const PREFIX = "sha256-".length + 64;

/** Columns of a version. */
export type VersionColumns = Record<"packageId" | "name" | "digest" | "document", SQLWrapper>;

/**
 * What the row of a tag says that is named like one of cosign's; null: it was made before this was looked at, and its
 * name counts.
 */
export type CosignTag = { cosigns: boolean };

/**
 * Whether a tag is an artifact of its own: tags that are attached to others are parts of those. A tag is that by its
 * name (`attachedTo`), when what it names is there, and by its manifest: an index of nothing but what is attached to
 * that, or what cosign writes.
 */
export function isOwnTag({ packageId, name, digest, document }: VersionColumns): SQL {
  const subject = sql`'sha256:' || substr(${name}, 8, 64)`;
  const suffix = sql`substr(${name}, ${PREFIX + 1})`;
  const others = sql`
    SELECT 1 FROM image_reference entry ${manifest(sql`child`, sql`entry.digest`)}
    WHERE entry.manifest_id = tagged.id AND entry.manifest AND child.subject IS NOT ${subject}`;
  const types = sql.join(
    INDEX_TYPES.map((type) => sql`${type}`),
    sql`, `,
  );
  const listsAttached = sql`tagged.digest <> ${subject} AND tagged.media_type IN (${types}) AND NOT EXISTS (${others})`;
  return sql`NOT (substr(${name}, 1, ${PREFIX}) GLOB ${ATTACHED} AND ${suffix} IN ('', '.sig', '.att', '.sbom') AND EXISTS (
    SELECT 1 FROM package owner ${manifest(sql`subject`, subject)} ${manifest(sql`tagged`, sql`${digest}`)}
    WHERE owner.id = ${packageId} AND CASE ${suffix} WHEN '' THEN ${listsAttached} ELSE coalesce(${document} ->> 'cosigns', 1) END))`;
}

const manifest = (alias: SQL, digest: SQL): SQL =>
  sql`JOIN image_manifest ${alias} ON ${alias}.repository_id = owner.repository_id AND ${alias}.image = owner.name AND ${alias}.digest = ${digest}`;
