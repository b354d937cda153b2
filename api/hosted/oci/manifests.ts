import { createHash } from "node:crypto";
import { statPaths } from "../../../db/content/nodes.ts";
import { durable } from "../../../db/durable.ts";
import { blobFacts, putBlobs } from "../../../db/content/blobs.ts";
import { write } from "../../../db/open.ts";
import { deleteManifest, deleteTag } from "../../../db/packages/image/delete.ts";
import { findManifestContent, findTag } from "../../../db/packages/image/find.ts";
import { putImageManifest } from "../../../db/packages/image/put.ts";
import { imageContents } from "../../../db/packages/image/tree.ts";
import { digestParts } from "../../../domain/digest.ts";
import { blobPath, manifestPath } from "../../../domain/image/layout.ts";
import { readManifest, type ManifestFacts } from "../../../domain/image/push.ts";
import { lookAtContents } from "../../content/look.ts";
import type { ApiDeps } from "../../deps.ts";
import { bodyOf } from "../../http/body.ts";
import { listed } from "../../http/details.ts";
import { isDigestLike, digestOf, referenceFault, tagOf } from "./digests.ts";
import { OciError } from "./errors.ts";
import { mustFit, quotaExceeded } from "./quota.ts";
import { blockedName, type ImageRequest, type Place, placeOf } from "./place.ts";
import { sendContent } from "./send.ts";

const MAX_MANIFEST = 4 * 1024 * 1024;
const MOST_TAGS = 100;

/**
 * Answers GET and HEAD of a manifest with the bytes that were pushed; throws 404 if there is none.
 * Accept is ignored: clients understand more media types than they list.
 */
export async function getManifest({
  c,
  deps,
  place,
  target,
}: ImageRequest): Promise<Response> {
  const { reference } = target;
  const fault = referenceFault(reference);
  if (fault !== null) throw unknownManifest(place.name, reference, fault);
  const digest = isDigestLike(reference)
    ? digestOf(reference)
    : findTag(deps.db, place.key, tagOf(reference));
  const row =
    digest === undefined ? undefined : findManifestContent(deps.db, place.key, digest);
  if (!row) throw unknownManifest(place.name, reference);
  if (c.req.method === "HEAD") await mustBeWhole(deps, place, row.digest);
  return sendContent(
    c,
    deps,
    {
      digest: row.digest,
      sha256: row.sha256,
      size: row.size,
      contentType: row.mediaType,
      unknown: "MANIFEST_UNKNOWN",
    },
    { ranges: false },
  );
}

/**
 * Throws 404 if a content of the image is damaged. HEAD asks whether an image is there, so that it need
 * not be pushed.
 */
async function mustBeWhole(deps: ApiDeps, place: Place, digest: string): Promise<void> {
  const contents = imageContents(deps.db, place.key, digest, deps.now());
  await lookAtContents(deps, contents);
  const have = blobFacts(deps.db, contents);
  const lost = contents.find((sha256) => !have.has(sha256));
  if (lost === undefined) return;
  throw new OciError(
    404,
    "MANIFEST_UNKNOWN",
    `${place.name}@${digest} is not whole: its content sha256:${lost} is damaged in the store: push the image again`,
  );
}

const unknownManifest = (name: string, reference: string, why?: string) =>
  new OciError(
    404,
    "MANIFEST_UNKNOWN",
    `${name} has no manifest ${why === undefined ? reference : `of this name: ${why}`}`,
  );

export async function putManifest(request: ImageRequest): Promise<Response> {
  const { c, place, target } = request;
  const { reference } = target;
  const tags = isDigestLike(reference)
    ? (c.req.queries("tag") ?? []).map(tagOf)
    : [tagOf(reference)];
  if (tags.length > MOST_TAGS)
    throw new OciError(
      414,
      "MANIFEST_INVALID",
      `a manifest may get at most ${MOST_TAGS} tags at once`,
    );
  const wanted = isDigestLike(reference) ? digestOf(reference) : null;
  const bytes = await manifestBody(request);
  const algorithm = wanted === null ? "sha256" : digestParts(wanted).algorithm;
  const digest = `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
  if (wanted !== null && wanted !== digest)
    throw new OciError(
      400,
      "DIGEST_INVALID",
      `the manifest has the digest ${digest}, not ${wanted} as in the address: push it again`,
    );
  const facts = readManifest(bytes, c.req.header("content-type"));
  await keepManifest(request, bytes, digest, facts, tags);
  for (const tag of isDigestLike(reference) ? tags : [])
    c.header("OCI-Tag", tag, { append: true });
  if (facts.subject !== null) c.header("OCI-Subject", facts.subject);
  return c.body(null, 201, {
    location: `/v2/${place.name}/manifests/${digest}`,
    "docker-content-digest": digest,
  });
}

async function manifestBody({ c }: ImageRequest): Promise<Buffer> {
  const tooLarge = () =>
    new OciError(
      413,
      "MANIFEST_INVALID",
      `a manifest may have at most ${MAX_MANIFEST} bytes`,
    );
  if (Number(c.req.header("content-length") ?? 0) > MAX_MANIFEST) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of bodyOf(c).iterator({
    destroyOnReturn: false,
  }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_MANIFEST) throw tooLarge();
    c.get("hold")(chunk.length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/**
 * Stores a manifest: its content first, then rows, tags and events in one transaction. When the
 * promise resolves, all is durable. Throws 400 if the image lacks content that the manifest names,
 * or its name is blocked by a file.
 */
async function keepManifest(
  { c, deps, place }: ImageRequest,
  bytes: Buffer,
  digest: string,
  facts: ManifestFacts,
  tags: string[],
): Promise<void> {
  const { db, store, now } = deps;
  await lookAtParts(deps, place, facts);
  const isThere = findManifestContent(db, place.key, digest) !== undefined;
  mustFit(db, place.repository, isThere ? 0 : bytes.length);
  await store.putAll([{ content: bytes }], (blobs) =>
    write(db, (tx) => {
      const at = now();
      putBlobs(tx, blobs, at);
      const { repository, image } = placeOf(deps, place.name);
      const result = putImageManifest(
        db,
        repository,
        {
          image,
          digest,
          sha256: blobs[0]?.sha256 ?? "",
          size: bytes.length,
          facts,
          tags,
        },
        { user: c.get("user"), now: at },
      );
      if (result.kind === "lacking") throw lackingParts(result.digests);
      if (result.kind === "blocked") throw blockedName(place.name);
      if (result.kind === "overQuota") throw quotaExceeded(result.over);
    }),
  );
  await durable(db);
}

/** Looks whether the content of the parts that a manifest names is there; the image need not have them. */
async function lookAtParts(
  deps: ApiDeps,
  { key }: Place,
  { parts }: ManifestFacts,
): Promise<void> {
  const paths = parts.map(({ digest, manifest }) =>
    (manifest ? manifestPath : blobPath)(key.image, digest),
  );
  const found = statPaths(deps.db, key.repositoryId, paths, deps.now());
  await lookAtContents(
    deps,
    [...found.values()].flatMap(({ sha256 }) => sha256 ?? []),
  );
}

const NAMED = 5;

function lackingParts(digests: string[]): OciError {
  const lacking = listed(digests, NAMED).en;
  const message = `the manifest names content that this image does not have: ${lacking}; push it first`;
  return new OciError(400, "MANIFEST_BLOB_UNKNOWN", message, {
    detail: digests.slice(0, 100).map((digest) => ({ digest })),
  });
}

/**
 * Answers DELETE: deletes a tag alone, or a manifest with all tags that name it; throws 404 if
 * there is none.
 */
export async function removeManifest({
  c,
  deps,
  place,
  target,
}: ImageRequest): Promise<Response> {
  const { db, now } = deps;
  const { reference } = target;
  const gone = isDigestLike(reference)
    ? deleteManifest(db, place.key, digestOf(reference), now())
    : deleteTag(db, place.key, tagOf(reference));
  if (!gone) throw unknownManifest(place.name, reference);
  await durable(db);
  return c.body(null, 202);
}
