import { sql } from "drizzle-orm";
import { blobPath, manifestPath } from "../../../domain/image/layout.ts";
import { statPaths } from "../../content/nodes.ts";
import type { DbOrTx } from "../../open.ts";
import { version } from "../../schema/packages.ts";
import type { VersionRow } from "../versions.ts";
import { isOwnTag } from "./own-tags.ts";
import type { ImageKey } from "./find.ts";

/** SQL: the table `part` of a manifest with all its children, configs and layers, each once. */
const partsOf = ({ repositoryId, image }: ImageKey, digest: string) => sql`
  WITH RECURSIVE part(digest, size, manifest) AS (
    SELECT digest, size, 1 FROM image_manifest
    WHERE repository_id = ${repositoryId} AND image = ${image} AND digest = ${digest}
    UNION
    SELECT image_reference.digest, image_reference.size, image_reference.manifest FROM part
    JOIN image_manifest AS owner
      ON owner.repository_id = ${repositoryId}
      AND owner.image = ${image}
      AND owner.digest = part.digest
    JOIN image_reference ON image_reference.manifest_id = owner.id
    WHERE part.manifest
  )`;

/**
 * Returns the total bytes of a stored manifest with all its children, configs and layers, each
 * counted once; 0 for an unknown manifest.
 */
export function imageSize(db: DbOrTx, key: ImageKey, digest: string): number {
  const row = db.get<{ size: number }>(sql`
    ${partsOf(key, digest)} SELECT total(size) AS size FROM part`);
  return row?.size ?? 0;
}

/**
 * Returns the keys in the store of a manifest with all its children, configs and layers, as far as
 * the image has them.
 */
export function imageContents(
  db: DbOrTx,
  key: ImageKey,
  digest: string,
  now: number,
): string[] {
  const parts = db.all<{ digest: string; manifest: 0 | 1 }>(
    sql`${partsOf(key, digest)} SELECT digest, manifest FROM part`,
  );
  const paths = parts.map((part) =>
    (part.manifest ? manifestPath : blobPath)(key.image, part.digest),
  );
  const found = statPaths(db, key.repositoryId, paths, now);
  return [...found.values()].flatMap(({ sha256 }) => sha256 ?? []);
}

/**
 * Returns the tags that a manifest belongs to: the tags of the manifest, those of the indexes it is
 * in, and those of its subject. `own`: 0 for the tag of an attachment (`sha256-….sig`), which is
 * replicated with its subject, else 1.
 */
export function tagsAbove(
  db: DbOrTx,
  { repositoryId, image }: ImageKey,
  digest: string,
): (Pick<VersionRow, "name" | "digest" | "complete"> & { own: 0 | 1 })[] {
  const rows = db.all<{ name: string; digest: string; own: 0 | 1 }>(sql`
    WITH RECURSIVE above(digest) AS (
      VALUES (${digest})
      UNION
      SELECT parent.digest FROM above
      JOIN image_reference
        ON image_reference.digest = above.digest
        AND image_reference.manifest
      JOIN image_manifest AS parent
        ON parent.id = image_reference.manifest_id
        AND parent.repository_id = ${repositoryId}
        AND parent.image = ${image}
      UNION
      SELECT attached.subject FROM above
      JOIN image_manifest AS attached
        ON attached.repository_id = ${repositoryId}
        AND attached.image = ${image}
        AND attached.digest = above.digest
      WHERE attached.subject IS NOT NULL
    )
    SELECT version.name AS name, version.digest AS digest, ${isOwnTag(version)} AS own FROM above
    JOIN version ON version.digest = above.digest
    JOIN package
      ON package.id = version.package_id
      AND package.repository_id = ${repositoryId}
      AND package.name = ${image}`);
  return rows.map((row) => ({ ...row, complete: true }));
}

/**
 * Returns the digests of the given manifests and of all manifests below them: children of indexes,
 * and manifests attached by subject or by tag.
 */
export function manifestsBelow(
  db: DbOrTx,
  { repositoryId, image }: ImageKey,
  digests: readonly string[],
): Set<string> {
  const rows = db.all<{ digest: string }>(sql`
    WITH RECURSIVE below(digest) AS (
      SELECT value FROM json_each(${JSON.stringify(digests)})
      UNION
      SELECT image_reference.digest FROM below
      JOIN image_manifest AS owner
        ON owner.repository_id = ${repositoryId}
        AND owner.image = ${image}
        AND owner.digest = below.digest
      JOIN image_reference
        ON image_reference.manifest_id = owner.id
        AND image_reference.manifest
      UNION
      SELECT attached.digest FROM below
      JOIN image_manifest AS attached
        ON attached.repository_id = ${repositoryId}
        AND attached.image = ${image}
        AND attached.subject = below.digest
      UNION
      SELECT version.digest FROM below
      JOIN package ON package.repository_id = ${repositoryId} AND package.name = ${image}
      JOIN version
        ON version.package_id = package.id
        AND version.name IN (${attachedTags(sql`below.digest`)})
        AND NOT ${isOwnTag(version)}
    )
    SELECT digest FROM below`);
  return new Set(rows.map(({ digest }) => digest));
}

/**
 * SQL: the tags by which clients attach manifests to a digest (domain/reference.ts, attachedTo).
 */
export const attachedTags = (digest: ReturnType<typeof sql>) => {
  const tag = sql`replace(${digest}, ':', '-')`;
  return sql`${tag}, ${tag} || '.sig', ${tag} || '.att', ${tag} || '.sbom'`;
};
