import { sameSecret } from "../../../activities/secrets/seal.ts";
import type { Staged } from "../../../activities/store/stage.ts";
import { putBlobs } from "../../../db/content/blobs.ts";
import { durable } from "../../../db/durable.ts";
import { write } from "../../../db/open.ts";
import { findImageBlob } from "../../../db/packages/image/find.ts";
import { putImageBlob } from "../../../db/packages/image/put.ts";
import { type Digest, digestParts } from "../../../domain/digest.ts";
import { TransferError } from "../../../domain/failure.ts";
import { by } from "../../http/by.ts";
import { fitting } from "../../http/receive-file.ts";
import { bodyOf, lengthOf as announced } from "../../http/body.ts";
import { openedOr429 } from "../../http/too-many-uploads.ts";
import { digestOf } from "./digests.ts";
import { OciError } from "./errors.ts";
import { mountBlob } from "./mount.ts";
import { mustFit, quotaExceeded } from "./quota.ts";
import { blockedName, type ImageRequest, placeOf } from "./place.ts";

/**
 * A body that is a whole upload of at most this size (bytes) is stored at once, without writing to
 * an upload session.
 */
const AT_ONCE = 1024 * 1024;

/**
 * Answers POST: begins an upload; with `digest` stores the whole blob instead, with `mount` mounts
 * the blob of another image if the client may pull it.
 */
export async function beginUpload(request: ImageRequest): Promise<Response> {
  const { c, deps } = request;
  const algorithm = c.req.query("digest-algorithm") ?? "sha256";
  if (algorithm !== "sha256" && algorithm !== "sha512")
    throw new OciError(
      400,
      "DIGEST_INVALID",
      `digests of ${JSON.stringify(algorithm.slice(0, 40))} are not supported: use sha256 or sha512`,
    );
  const mounted = await mountBlob(request);
  if (mounted !== null) return created(request, mounted);
  const digest = c.req.query("digest");
  if (digest !== undefined) return takeWhole(request, digestOf(digest));
  const owner = String(request.place.repository.id);
  const id = openedOr429(await deps.store.sessions.open(owner));
  return c.body(null, 202, stand(request, id, 0));
}

/**
 * Answers GET: returns how much of an upload was received; throws 404 for an unknown upload. A
 * chunk that is still arriving is cut off, so that the number stays true.
 */
export async function uploadStatus(request: ImageRequest): Promise<Response> {
  const id = sessionOf(request);
  return request.c.body(null, 204, stand(request, id, await offsetOf(request, id)));
}

/** Answers PATCH: appends the next chunk, or the whole blob as a stream. */
export async function appendUpload(request: ImageRequest): Promise<Response> {
  const id = sessionOf(request);
  const offset = await append(request, id, await offsetOf(request, id));
  return request.c.body(null, 202, stand(request, id, offset));
}

/**
 * Answers PUT: appends the last chunk, if there is one, and ends the upload. The content must match
 * the digest; otherwise nothing is kept.
 */
export async function closeUpload(request: ImageRequest): Promise<Response> {
  const { c, deps } = request;
  const id = sessionOf(request);
  const digest = digestOf(c.req.query("digest"));
  const offset = await offsetOf(request, id);
  const length = lengthOf(request);
  if (
    offset === 0 &&
    length !== undefined &&
    length <= AT_ONCE &&
    (chunkOf(request)?.start ?? 0) === 0
  ) {
    const answer = await takeWhole(request, digest).finally(() =>
      deps.store.sessions.abort(id),
    );
    return answer;
  }
  if (length !== 0) await append(request, id, offset);
  return keep(request, await deps.store.sessions.finish(id, expected(digest)), digest);
}

export async function abortUpload(request: ImageRequest): Promise<Response> {
  const id = sessionOf(request);
  await offsetOf(request, id);
  await request.deps.store.sessions.abort(id);
  return request.c.body(null, 204);
}

const expected = (digest: Digest) => ({
  [digestParts(digest).algorithm]: digestParts(digest).hex,
});

async function takeWhole(request: ImageRequest, digest: Digest): Promise<Response> {
  const { c, deps } = request;
  const size = lengthOf(request);
  refuseBeyond(request, size ?? 0, digest);
  const body = bodyOf(c).iterator({
    destroyOnReturn: false,
  }) as AsyncIterable<Uint8Array>;
  const staged = await deps.store.stage(body, {
    maxBytes: deps.maxUpload ?? undefined,
    expect: { size, ...expected(digest) },
    md5: false,
  });
  return keep(request, staged, digest);
}

async function append(
  request: ImageRequest,
  id: string,
  offset: number,
): Promise<number> {
  const { c, deps } = request;
  const { sessions } = deps.store;
  const chunk = chunkOf(request);
  const length = lengthOf(request);
  if (chunk && length !== undefined && length !== chunk.end - chunk.start + 1) {
    throw new OciError(
      400,
      "SIZE_INVALID",
      `Content-Range has ${chunk.end - chunk.start + 1} bytes, but Content-Length is ${length}`,
    );
  }
  try {
    refuseBeyond(request, offset + (length ?? 0), null);
    const appended = await sessions.append(id, chunk?.start ?? offset, bodyOf(c), {
      maxBytes: deps.maxUpload ?? undefined,
      length,
      md5: false,
    });
    if (appended.accepted) return appended.offset;
    const message = `the upload has ${appended.offset} bytes: continue at that offset`;
    throw new OciError(416, "BLOB_UPLOAD_INVALID", message, {
      headers: stand(request, id, appended.offset),
    });
  } catch (error) {
    const { status = 0 } = error instanceof OciError ? error : {};
    if (status === 413 || (error instanceof TransferError && error.kind === "tooLarge"))
      await sessions.abort(id);
    throw error;
  }
}

/** Throws 413 for a blob that is too large, or beyond a quota unless the image has it. `digest` null: not known yet. */
function refuseBeyond(
  { deps, place }: ImageRequest,
  size: number,
  digest: string | null,
): void {
  const isThere = digest !== null && findImageBlob(deps.db, place.key, digest);
  if (!isThere) mustFit(deps.db, place.repository, size);
  if (deps.maxUpload !== null && size > deps.maxUpload)
    throw new OciError(
      413,
      "BLOB_UPLOAD_INVALID",
      `a blob may have at most ${deps.maxUpload} bytes here (setting MAX_UPLOAD)`,
    );
}

/**
 * Makes a received content a blob of the image. When the promise resolves, the blob is durable.
 * Throws 404 if the repository was deleted meanwhile.
 */
async function keep(
  request: ImageRequest,
  staged: Staged,
  digest: string,
): Promise<Response> {
  const { c, deps, place } = request;
  const { db, now } = deps;
  await fitting(staged, () => refuseBeyond(request, staged.size, digest));
  await staged.commit((blob) =>
    write(db, (tx) => {
      putBlobs(tx, [blob], now());
      const { repository, image } = placeOf(deps, place.name);
      const made = putImageBlob(
        db,
        repository,
        { image, digest, sha256: blob.sha256 },
        by(c, deps),
      );
      if (made.kind === "blocked") throw blockedName(place.name);
      if (made.kind === "overQuota") throw quotaExceeded(made.over);
    }),
  );
  await durable(db);
  return created(request, digest);
}

function created({ c, place }: ImageRequest, digest: string): Response {
  return c.body(null, 201, {
    location: `/v2/${place.name}/blobs/${digest}`,
    "docker-content-digest": digest,
  });
}

/**
 * Returns the length of the body in bytes: 0 for a request without body, undefined for a chunked
 * body.
 */
function lengthOf({ c }: ImageRequest): number | undefined {
  return (
    announced(c) ?? (c.req.header("transfer-encoding") === undefined ? 0 : undefined)
  );
}

const CHUNK = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/;

function chunkOf({ c }: ImageRequest): { start: number; end: number } | null {
  const header = c.req.header("content-range");
  if (header === undefined) return null;
  const [, start, end] = CHUNK.exec(header.trim()) ?? [];
  if (start === undefined || Number(end) < Number(start))
    throw new OciError(
      400,
      "BLOB_UPLOAD_INVALID",
      "Content-Range must be first-last, the positions of the chunk's first and last byte",
    );
  return { start: Number(start), end: Number(end) };
}

/**
 * Returns the headers that tell the client where the upload is and which bytes have arrived;
 * `range` is 0-0 if none has.
 */
function stand(
  { deps, place }: ImageRequest,
  id: string,
  offset: number,
): Record<string, string> {
  const uuid = uuidOf(id + deps.registryTokens.mark(`${place.name} ${id}`));
  return {
    location: `/v2/${place.name}/blobs/uploads/${uuid}`,
    range: `0-${Math.max(0, offset - 1)}`,
    "docker-upload-uuid": uuid,
  };
}

const uuidOf = (hex: string) =>
  hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

const unknownUpload = (reference: string) =>
  new OciError(
    404,
    "BLOB_UPLOAD_UNKNOWN",
    `this image has no upload ${reference.slice(0, 40)}: begin a new one`,
  );

/**
 * Returns the id of an upload's session in the store; throws 404 unless the upload was begun for
 * this image.
 */
function sessionOf({ deps, place, target }: ImageRequest): string {
  const hex = target.reference.replaceAll("-", "");
  const id = hex.slice(0, 24);
  if (
    hex.length !== 32 ||
    !sameSecret(hex.slice(24), deps.registryTokens.mark(`${place.name} ${id}`))
  )
    throw unknownUpload(target.reference);
  return id;
}

async function offsetOf({ deps, target }: ImageRequest, id: string): Promise<number> {
  const offset = await deps.store.sessions.status(id);
  if (offset === null) throw unknownUpload(target.reference);
  return offset;
}
