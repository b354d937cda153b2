import { type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { INDEX_TYPES } from "../../../domain/image/media-types.ts";

const ATTACHED = `sha256-${"[0-9a-f]".repeat(64)}`;
const PREFIX = "sha256-".length + 64;

/** The columns of a version that decide whether a tag is an artifact of its own. */
export type VersionColumns = Record<
  "packageId" | "name" | "digest" | "document",
  SQLWrapper
>;

/**
 * What column `document` holds for a tag that is named like cosign's (`sha256-….sig`). `cosigns`:
 * whether its manifest is one that cosign writes. A tag of this kind without a document is older
 * than this check, and its name alone decides.
 */
export type CosignTag = { cosigns: boolean };

/**
 * SQL: whether a tag is an artifact of its own; an attached tag is a part of another artifact. A
 * tag is attached when its name says so (`attachedTo`), the subject that the name names exists, and
 * its manifest agrees: an index of nothing but manifests attached to that subject, or a manifest
 * that cosign writes.
 */
export function isOwnTag({ packageId, name, digest, document }: VersionColumns): SQL {
  const subject = sql`'sha256:' || substr(${name}, 8, 64)`;
  const suffix = sql`substr(${name}, ${PREFIX + 1})`;
  const others = sql`
    SELECT 1 FROM image_reference entry
    ${manifest(sql`child`, sql`entry.digest`)}
    WHERE entry.manifest_id = tagged.id
      AND entry.manifest
      AND child.subject IS NOT ${subject}`;
  const types = sql.join(
    INDEX_TYPES.map((type) => sql`${type}`),
    sql`, `,
  );
  const listsAttached = sql`
    tagged.digest <> ${subject}
    AND tagged.media_type IN (${types})
    AND NOT EXISTS (${others})`;
  return sql`NOT (
    substr(${name}, 1, ${PREFIX}) GLOB ${ATTACHED}
    AND ${suffix} IN ('', '.sig', '.att', '.sbom')
    AND EXISTS (
      SELECT 1 FROM package owner
      ${manifest(sql`subject`, subject)}
      ${manifest(sql`tagged`, sql`${digest}`)}
      WHERE owner.id = ${packageId}
        AND CASE ${suffix}
          WHEN '' THEN ${listsAttached}
          ELSE coalesce(${document} ->> 'cosigns', 1)
        END))`;
}

const manifest = (alias: SQL, digest: SQL): SQL => sql`
  JOIN image_manifest ${alias}
    ON ${alias}.repository_id = owner.repository_id
    AND ${alias}.image = owner.name
    AND ${alias}.digest = ${digest}`;
