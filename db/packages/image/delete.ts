import { eq, sql } from "drizzle-orm";
import { blobFolder, blobPath, manifestPath } from "../../../domain/image/layout.ts";
import { type Db, type DbOrTx, write } from "../../open.ts";
import { inPages } from "../../pages.ts";
import { version } from "../../schema/packages.ts";
import { dropEmptyFolders, dropFiles, isNamed } from "./drop-files.ts";
import { findImageBlob, findImageManifest, type ImageKey } from "./find.ts";
import { hasImage } from "./lists.ts";
import { isOwnTag } from "./own-tags.ts";
import { attachedTags, manifestsBelow } from "./tree.ts";
import {
  deleteVersionRow,
  findPackage,
  findVersion,
  type PackageRepository,
  type VersionRow,
} from "../versions.ts";

/** Maximum number of rows in one transaction, so that others wait only briefly. */
const BATCH = 200;

/**
 * Deletes a tag; its manifest stays and can be pulled by digest. Returns false when there is no
 * such tag.
 */
export function deleteTag(
  db: Db,
  { repositoryId, image }: ImageKey,
  tag: string,
): boolean {
  return write(db, (tx) => {
    const row = versionOf(tx, { repositoryId, image }, tag);
    if (row) deleteVersionRow(tx, row);
    return row !== undefined;
  });
}

/**
 * Deletes a manifest with the tags that name it. Its blobs stay for at least a day; then
 * `sweepImageBlobs` deletes those that no manifest names. Returns false when there is no such
 * manifest.
 */
export function deleteManifest(
  db: Db,
  key: ImageKey,
  digest: string,
  now: number,
): boolean {
  return write(db, (tx) => {
    if (!findImageManifest(tx, key, digest)) return false;
    dropManifests(tx, key, [digest], now);
    return true;
  });
}

/** Deletes a blob, even one that manifests name. Returns false when there is no such blob. */
export function deleteBlob(db: Db, key: ImageKey, digest: string, now: number): boolean {
  return write(db, (tx) => {
    if (!findImageBlob(tx, key, digest)) return false;
    dropFiles(tx, key.repositoryId, [blobPath(key.image, digest)], now);
    return true;
  });
}

/**
 * Deletes a tag with its manifest, the manifest's children, attachments and blobs, except those
 * that something else needs. Returns false when there is no such tag.
 */
export function deleteImageVersion(
  db: Db,
  { id }: PackageRepository,
  image: string,
  tag: string,
  now: number,
): boolean {
  const key = { repositoryId: id, image };
  return write(db, (tx) => {
    const row = versionOf(tx, key, tag);
    if (!row) return false;
    deleteVersionRow(tx, row);
    const below = manifestsBelow(tx, key, [row.digest]);
    const kept = manifestsBelow(tx, key, neededElsewhere(tx, key, below));
    const gone = [...below].filter((digest) => !kept.has(digest));
    const blobs = blobsOf(tx, key, gone);
    dropManifests(tx, key, gone, now);
    dropUnneeded(tx, key, blobs, now);
    return true;
  });
}

/**
 * Deletes an image with all its tags, manifests and blobs, untagged ones included, in bounded
 * transactions between other work. A push at the same time is deleted as well, or stays whole.
 * Repeating an interrupted call finishes the deletion. Returns false when there is no such image.
 */
export async function deleteImage(
  db: Db,
  { id }: PackageRepository,
  image: string,
  now: number,
): Promise<boolean> {
  const key = { repositoryId: id, image };
  if (!findPackage(db, id, image) && !hasImage(db, key)) return false;
  for (const step of [dropSomeTags, dropSomeManifests, dropSomeBlobs])
    await inPages(() => write(db, (tx) => step(tx, key, now)));
  return true;
}

function dropSomeTags(tx: DbOrTx, { repositoryId, image }: ImageKey): number {
  const owner = findPackage(tx, repositoryId, image)?.id ?? 0;
  const { changes } = tx.run(sql`
    DELETE FROM version WHERE id IN (
      SELECT id FROM version WHERE package_id = ${owner} LIMIT ${BATCH})`);
  tx.run(sql`
    DELETE FROM package
    WHERE id = ${owner} AND NOT EXISTS (SELECT 1 FROM version WHERE package_id = ${owner})`);
  return changes;
}

function dropSomeManifests(tx: DbOrTx, key: ImageKey, now: number): number {
  const rows = tx.all<{ digest: string }>(sql`
    SELECT digest FROM image_manifest
    WHERE repository_id = ${key.repositoryId} AND image = ${key.image}
    LIMIT ${BATCH}`);
  if (rows.length > 0)
    dropManifests(
      tx,
      key,
      rows.map(({ digest }) => digest),
      now,
    );
  return rows.length;
}

function dropSomeBlobs(tx: DbOrTx, key: ImageKey, now: number): number {
  const { repositoryId, image } = key;
  const digest = sql`replace(node.name, '__', ':')`;
  const rows = tx.all<{ path: string }>(sql`
    SELECT full_path AS path FROM node
    WHERE repository_id = ${repositoryId}
      AND parent = ${blobFolder(image)}
      AND folder = 0
      AND NOT ${isNamed(digest, sql`${repositoryId}`, sql`${image}`)}
    LIMIT ${BATCH}`);
  const gone = dropFiles(
    tx,
    repositoryId,
    rows.map(({ path }) => path),
    now,
  );
  if (gone < BATCH) dropEmptyFolders(tx, key);
  return gone;
}

function versionOf(
  tx: DbOrTx,
  { repositoryId, image }: ImageKey,
  tag: string,
): VersionRow | undefined {
  const owner = findPackage(tx, repositoryId, image);
  return owner && findVersion(tx, owner.id, tag);
}

/**
 * Returns which of the manifests something other than them still needs: a tag (unless it only
 * attaches a manifest to one of them), an index that lists the manifest, or an existing manifest
 * that is its subject.
 */
function neededElsewhere(
  tx: DbOrTx,
  { repositoryId, image }: ImageKey,
  digests: Set<string>,
): string[] {
  const list = JSON.stringify([...digests]);
  const rows = tx.all<{ digest: string }>(sql`
    WITH own(digest) AS (
      SELECT value FROM json_each(${list})
    ),
    attached(tag) AS (
      SELECT value FROM own, json_each(json_array(${attachedTags(sql`own.digest`)}))
    )
    SELECT own.digest AS digest FROM own
    WHERE EXISTS (
      SELECT 1 FROM package JOIN version ON version.package_id = package.id
      WHERE package.repository_id = ${repositoryId}
        AND package.name = ${image}
        AND version.digest = own.digest
        AND (version.name NOT IN (SELECT tag FROM attached) OR ${isOwnTag(version)})
    ) OR EXISTS (
      SELECT 1 FROM image_reference
      JOIN image_manifest AS parent ON parent.id = image_reference.manifest_id
      WHERE image_reference.digest = own.digest
        AND image_reference.manifest
        AND parent.repository_id = ${repositoryId}
        AND parent.image = ${image}
        AND parent.digest NOT IN (SELECT digest FROM own)
    ) OR EXISTS (
      SELECT 1 FROM image_manifest AS self
      JOIN image_manifest AS subject
        ON subject.repository_id = self.repository_id
        AND subject.image = self.image
        AND subject.digest = self.subject
      WHERE self.repository_id = ${repositoryId}
        AND self.image = ${image}
        AND self.digest = own.digest
        AND subject.digest NOT IN (SELECT digest FROM own)
    )`);
  return rows.map(({ digest }) => digest);
}

function blobsOf(
  tx: DbOrTx,
  { repositoryId, image }: ImageKey,
  manifests: string[],
): string[] {
  const rows = tx.all<{ digest: string }>(sql`
    SELECT DISTINCT image_reference.digest AS digest FROM image_manifest
    JOIN image_reference ON image_reference.manifest_id = image_manifest.id
    WHERE image_manifest.repository_id = ${repositoryId}
      AND image_manifest.image = ${image}
      AND NOT image_reference.manifest
      AND image_manifest.digest IN (SELECT value FROM json_each(${JSON.stringify(manifests)}))`);
  return rows.map(({ digest }) => digest);
}

/**
 * Deletes manifests with the tags that name them. From now on `sweepImageBlobs` leaves their blobs
 * alone for a day.
 */
function dropManifests(tx: DbOrTx, key: ImageKey, digests: string[], now: number): void {
  const owner = findPackage(tx, key.repositoryId, key.image);
  for (const digest of owner ? digests : []) {
    const rows = tx
      .select()
      .from(version)
      .where(
        sql`${eq(version.packageId, owner?.id ?? 0)} AND ${eq(version.digest, digest)}`,
      )
      .all();
    for (const row of rows) deleteVersionRow(tx, row);
  }
  const blobs = blobsOf(tx, key, digests).map((digest) => blobPath(key.image, digest));
  tx.run(sql`
    UPDATE node SET last_modified_date = ${now}
    WHERE repository_id = ${key.repositoryId}
      AND full_path IN (SELECT value FROM json_each(${JSON.stringify(blobs)}))`);
  // The rows of the manifests and of their references are deleted with the files (ON DELETE CASCADE).
  dropFiles(
    tx,
    key.repositoryId,
    digests.map((digest) => manifestPath(key.image, digest)),
    now,
  );
  dropEmptyFolders(tx, key);
}

/** Deletes those of the blobs that no manifest of the image names any more. */
function dropUnneeded(tx: DbOrTx, key: ImageKey, blobs: string[], now: number): void {
  const rows = tx.all<{ digest: string }>(sql`
    SELECT value AS digest FROM json_each(${JSON.stringify(blobs)})
    WHERE NOT ${isNamed(sql`value`, sql`${key.repositoryId}`, sql`${key.image}`)}`);
  dropFiles(
    tx,
    key.repositoryId,
    rows.map(({ digest }) => blobPath(key.image, digest)),
    now,
  );
  dropEmptyFolders(tx, key);
}
