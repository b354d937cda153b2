import { sql } from "drizzle-orm";
import { blobPath, manifestPath } from "../../../domain/image/layout.ts";
import type { ManifestFacts, ManifestPart } from "../../../domain/image/push.ts";
import type { OverQuota } from "../../../domain/quota.ts";
import { attachedTo } from "../../../domain/reference.ts";
import { auditBy, type By } from "../../audit.ts";
import { blobFacts } from "../../content/blobs.ts";
import { getNode, statPaths } from "../../content/nodes.ts";
import { type Db, write } from "../../open.ts";
import { putNodes, type PutResult } from "../../content/put-nodes.ts";
import { imageManifest, imageReference, version } from "../../schema/packages.ts";
import { findImageManifest, findTag } from "./find.ts";
import { type CosignTag, isOwnTag } from "./own-tags.ts";
import { imageSize, tagsAbove } from "./tree.ts";
import {
  type PackageRepository,
  putVersion,
  tellVersion,
  type VersionRow,
} from "../versions.ts";

/** A manifest or blob of an image; `sha256`: of its content, which is registered in the store. */
type ImagePart = { image: string; digest: string; sha256: string };
/** A manifest to be written, with the tags that name it. */
type ManifestEntry = ImagePart & {
  size: number;
  facts: ManifestFacts;
  tags: readonly string[];
};

/**
 * `lacking`: blobs or manifests that must be pushed first; `blocked`: a file exists at a path where
 * the image needs a folder, or a folder where it needs a file; `overQuota`: it would exceed a quota.
 */
type ManifestResult =
  | { kind: "put" }
  | { kind: "lacking"; digests: string[] }
  | { kind: "blocked" }
  | { kind: "overQuota"; over: OverQuota };

/**
 * Writes a manifest of an image and moves its tags to it, unless a part that it names is missing
 * (foreign layers may be) or a path is blocked. Everything happens in one transaction, which also
 * writes the events for REAL_TIME.
 */
export function putImageManifest(
  db: Db,
  repository: PackageRepository,
  entry: ManifestEntry,
  by: By,
): ManifestResult {
  return write(db, () => {
    const parts = present(db, repository, entry, by.now);
    const here = new Set(parts.map(({ digest }) => digest));
    const lacking = entry.facts.parts.filter(
      ({ digest, foreign }) => !foreign && !here.has(digest),
    );
    if (lacking.length > 0)
      return { kind: "lacking", digests: lacking.map(({ digest }) => digest) };
    const isNew = !findImageManifest(db, keyOf(repository, entry), entry.digest);
    const path = manifestPath(entry.image, entry.digest);
    const made = putPart(db, repository, path, entry.sha256, by);
    if (made.kind === "blocked" || made.kind === "overQuota") return made;
    putRow(db, repository, entry, parts, by.now);
    for (const tag of entry.tags) putTag(db, repository, entry, tag, by);
    if (isNew && entry.facts.subject)
      tellAbove(db, repository, entry.image, entry.facts.subject, by.now);
    return { kind: "put" };
  });
}

/**
 * Makes registered content a blob of an image; returns `missing` if the content is not registered.
 */
export function putImageBlob(
  db: Db,
  repository: PackageRepository,
  { image, digest, sha256 }: ImagePart,
  by: By,
): PutResult {
  return putPart(db, repository, blobPath(image, digest), sha256, by);
}

function putPart(
  db: Db,
  repository: PackageRepository,
  fullPath: string,
  sha256: string,
  { user, now }: By,
): PutResult {
  const [result] = putNodes(
    db,
    repository,
    [{ fullPath, sha256, metadata: {}, partOfVersion: true }],
    {
      overwrite: true,
      user,
      now,
    },
  );
  return result ?? { kind: "missing" };
}

const keyOf = ({ id }: PackageRepository, { image }: Pick<ManifestEntry, "image">) => ({
  repositoryId: id,
  image,
});

type PresentPart = ManifestPart & { size: number };

/** Returns those of the parts that the image has, undamaged, with their true sizes. */
function present(
  db: Db,
  repository: PackageRepository,
  { image, facts }: ManifestEntry,
  now: number,
): PresentPart[] {
  const pathOf = ({ digest, manifest }: ManifestPart) =>
    (manifest ? manifestPath : blobPath)(image, digest);
  const found = statPaths(db, repository.id, facts.parts.map(pathOf), now);
  const have = blobFacts(
    db,
    [...found.values()].flatMap(({ sha256 }) => sha256 ?? []),
  );
  return facts.parts.flatMap((part) => {
    const { size, sha256 } = found.get(pathOf(part)) ?? {};
    if (!sha256 || size === undefined || !have.has(sha256)) return [];
    return [{ ...part, size }];
  });
}

function putRow(
  db: Db,
  { id }: PackageRepository,
  { image, digest, size, facts }: ManifestEntry,
  parts: PresentPart[],
  now: number,
): void {
  const { mediaType, artifactType, subject, annotations } = facts;
  const nodeId = getNode(db, id, manifestPath(image, digest), now)?.id ?? 0;
  const { id: manifestId } = db
    .insert(imageManifest)
    .values({
      repositoryId: id,
      image,
      digest,
      nodeId,
      mediaType,
      artifactType,
      subject,
      annotations,
      size,
      createdDate: now,
    })
    .onConflictDoUpdate({
      target: [imageManifest.repositoryId, imageManifest.image, imageManifest.digest],
      set: { mediaType, artifactType },
    })
    .returning({ id: imageManifest.id })
    .get();
  const rows = JSON.stringify(
    parts.map((part) => [part.digest, part.manifest ? 1 : 0, part.size]),
  );
  db.run(sql`
    INSERT INTO ${imageReference} (manifest_id, digest, manifest, size)
    SELECT ${manifestId}, value ->> 0, value ->> 1, value ->> 2
    FROM json_each(${rows})
    WHERE true
    ON CONFLICT DO NOTHING`);
}

/**
 * Sets a tag, unless it already names this manifest, and writes the events: for the tag, and, if
 * its name attaches it to another manifest, for the tags that this other manifest belongs to. A tag
 * that only attaches something gets no event of its own.
 */
function putTag(
  db: Db,
  repository: PackageRepository,
  entry: ManifestEntry,
  tag: string,
  by: By,
): void {
  const key = keyOf(repository, entry);
  if (findTag(db, key, tag) === entry.digest) return;
  const size = imageSize(db, key, entry.digest);
  const made = putVersion(
    db,
    repository.id,
    entry.image,
    {
      name: tag,
      digest: entry.digest,
      size,
      complete: true,
      document: documentOf(tag, entry.facts),
    },
    auditBy(by),
  );
  const named = attachedTo(tag);
  if (named) tellAbove(db, repository, entry.image, named.subject, by.now);
  if (!named || isOwn(db, made)) tellVersion(db, repository, entry.image, made, by.now);
}

/**
 * Returns what the row of a tag stores in its column `document`. For a tag that is named like
 * cosign's: whether its manifest is one that cosign writes, which no other column says; null for
 * any other tag.
 */
const documentOf = (tag: string, { cosigns }: ManifestFacts): CosignTag | null =>
  attachedTo(tag)?.suffix ? { cosigns } : null;

function isOwn(db: Db, { id }: Pick<VersionRow, "id">): boolean {
  const row = db.get<{ own: 0 | 1 } | undefined>(sql`
    SELECT ${isOwnTag(version)} AS own FROM ${version} WHERE ${version.id} = ${id}`);
  return row?.own === 1;
}

function tellAbove(
  db: Db,
  repository: PackageRepository,
  image: string,
  subject: string,
  now: number,
): void {
  const tags = tagsAbove(db, keyOf(repository, { image }), subject);
  for (const tag of tags) if (tag.own === 1) tellVersion(db, repository, image, tag, now);
}
