import { and, eq, gt, sql } from "drizzle-orm";
import { blobPath } from "../../../domain/image/layout.ts";
import type { DbOrTx } from "../../open.ts";
import { prepared } from "../../prepared.ts";
import { node } from "../../schema/content.ts";
import { imageManifest, packages, version } from "../../schema/packages.ts";

type ImageManifestRow = typeof imageManifest.$inferSelect;
/** An image of a hosted repository. */
export type ImageKey = { repositoryId: number; image: string };

const { placeholder } = sql;

const byDigest = prepared((db) =>
  db
    .select()
    .from(imageManifest)
    .where(
      and(
        eq(imageManifest.repositoryId, placeholder("repositoryId")),
        eq(imageManifest.image, placeholder("image")),
        eq(imageManifest.digest, placeholder("digest")),
      ),
    )
    .prepare(),
);

export function findImageManifest(
  db: DbOrTx,
  key: ImageKey,
  digest: string,
): ImageManifestRow | undefined {
  return byDigest(db).get({ ...key, digest });
}

const contentByDigest = prepared((db) =>
  db
    .select({
      digest: imageManifest.digest,
      mediaType: imageManifest.mediaType,
      size: imageManifest.size,
      sha256: sql<string>`${node.sha256}`,
    })
    .from(imageManifest)
    .innerJoin(node, eq(node.id, imageManifest.nodeId))
    .where(
      and(
        eq(imageManifest.repositoryId, placeholder("repositoryId")),
        eq(imageManifest.image, placeholder("image")),
        eq(imageManifest.digest, placeholder("digest")),
      ),
    )
    .prepare(),
);

/**
 * Returns what is needed to answer a request with this manifest, undefined when the image lacks it;
 * `sha256`: key of its bytes in the store.
 */
export function findManifestContent(
  db: DbOrTx,
  key: ImageKey,
  digest: string,
):
  | (Pick<ImageManifestRow, "digest" | "mediaType" | "size"> & { sha256: string })
  | undefined {
  return contentByDigest(db).get({ ...key, digest });
}

const byTag = prepared((db) =>
  db
    .select({ digest: version.digest })
    .from(version)
    .innerJoin(packages, eq(packages.id, version.packageId))
    .where(
      and(
        eq(packages.repositoryId, placeholder("repositoryId")),
        eq(packages.name, placeholder("image")),
        eq(version.name, placeholder("tag")),
      ),
    )
    .prepare(),
);

/** Returns the digest of the manifest that a tag names; undefined when there is no such tag. */
export function findTag(db: DbOrTx, key: ImageKey, tag: string): string | undefined {
  return byTag(db).get({ ...key, tag })?.digest;
}

type ImageBlob = { id: number; sha256: string; size: number; lastModifiedDate: number };

const blobAt = prepared((db) =>
  db
    .select({
      id: node.id,
      sha256: sql<string>`${node.sha256}`,
      size: node.size,
      lastModifiedDate: node.lastModifiedDate,
    })
    .from(node)
    .where(
      and(
        eq(node.repositoryId, placeholder("repositoryId")),
        eq(node.fullPath, placeholder("fullPath")),
        eq(node.folder, false),
      ),
    )
    .prepare(),
);

/** Finds a blob of an image; blobs that only other images have do not count. */
export function findImageBlob(
  db: DbOrTx,
  { repositoryId, image }: ImageKey,
  digest: string,
): ImageBlob | undefined {
  return blobAt(db).get({ repositoryId, fullPath: blobPath(image, digest) });
}

/**
 * Postpones the deletion by `sweepImageBlobs` of a blob that no manifest may name yet, because a
 * client is perhaps about to push one that does.
 */
export function touchImageBlob(db: DbOrTx, { id }: ImageBlob, now: number): void {
  db.update(node).set({ lastModifiedDate: now }).where(eq(node.id, id)).run();
}

type ImageReferrer = Pick<
  ImageManifestRow,
  "mediaType" | "digest" | "size" | "artifactType" | "annotations"
>;

/** What a referrer takes in a list besides what its manifest says about it. */
const ENTRY_BYTES = 256;

/**
 * Returns the manifests whose subject is this digest and whose id is greater than `after`, in the order of their
 * arrival, each with about the bytes that it takes in a list; with `artifactType` only those of this type.
 */
export function listReferrers(
  db: DbOrTx,
  { repositoryId, image }: ImageKey,
  subject: string,
  { artifactType, after }: { artifactType: string | undefined; after: number },
): { id: number; bytes: number }[] {
  const { id, mediaType, artifactType: type, annotations } = imageManifest;
  const wanted = and(
    eq(imageManifest.repositoryId, repositoryId),
    eq(imageManifest.image, image),
    eq(imageManifest.subject, subject),
    gt(id, after),
  );
  const stated = sql`octet_length(coalesce(${type}, '')) + octet_length(coalesce(${annotations}, ''))`;
  return db
    .select({
      id,
      bytes: sql<number>`${ENTRY_BYTES} + octet_length(${mediaType}) + ${stated}`,
    })
    .from(imageManifest)
    .where(artifactType === undefined ? wanted : and(wanted, eq(type, artifactType)))
    .orderBy(id)
    .all();
}

/** Returns those of the manifests that still exist, in the order of their arrival. */
export function readReferrers(db: DbOrTx, ids: readonly number[]): ImageReferrer[] {
  const { id, mediaType, digest, size, artifactType, annotations } = imageManifest;
  return db
    .select({ mediaType, digest, size, artifactType, annotations })
    .from(imageManifest)
    .where(sql`${id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`)
    .orderBy(id)
    .all();
}
