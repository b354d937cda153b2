import type { Readable } from "node:stream";
import type { Expected } from "../../activities/store/digests.ts";
import { blobFacts, haveBlobs, putBlobs } from "../../db/content/blobs.ts";
import { durable } from "../../db/durable.ts";
import { write } from "../../db/open.ts";
import {
  SYNC_LIMITS,
  type UploadClaim,
  type UploadedContent,
  type UploadSession,
} from "../../domain/sync.ts";
import { text } from "../../domain/text.ts";
import { lookAtContents } from "../content/look.ts";
import { ApiError } from "../http/errors.ts";
import { openedOr429 } from "../http/too-many-uploads.ts";
import type { Receiver } from "./receive.ts";

/**
 * Opens an upload session for a content, or none if a content with the stated sha256 is already in
 * the store.
 */
export async function startUpload(
  receiver: Receiver,
  { sha256, size }: UploadClaim,
): Promise<UploadSession> {
  const { db, store, now } = receiver;
  if (typeof sha256 === "string") await lookAtContents(receiver, [sha256]);
  if (typeof sha256 === "string" && haveBlobs(db, [sha256], now()).has(sha256)) {
    return {
      id: "",
      offset: size ?? blobFacts(db, [sha256]).get(sha256)?.size ?? 0,
      done: true,
    };
  }
  const id = openedOr429(await store.sessions.open(OF_INSTANCES, size ?? 0));
  return { id, offset: 0, done: false };
}

/** Owner of the uploads of other instances, which belong to no repository yet. */
const OF_INSTANCES = "instances";

const BEGIN_ANEW = text("begin a new one", "请开始新的上传");

export async function uploadStatus(
  { store }: Receiver,
  id: string,
): Promise<UploadSession> {
  const offset = await store.sessions.status(id);
  if (offset === null)
    throw new ApiError([250108, text(`upload ${id}`, `上传 ${id}`), BEGIN_ANEW], {
      status: 404,
    });
  return { id, offset, done: false };
}

/** Appends a chunk to an upload; `length`: its announced bytes, if they are known. */
export async function appendUpload(
  { store }: Receiver,
  id: string,
  offset: number,
  body: Readable,
  length: number | undefined,
): Promise<UploadSession> {
  const appended = await store.sessions.append(id, offset, body, {
    maxBytes: offset + SYNC_LIMITS.chunkBytes,
    length,
  });
  if (appended.accepted) return { id, offset: appended.offset, done: false };
  const why = text(
    `the upload has ${appended.offset} bytes, not ${offset}: continue at ${appended.offset}`,
    `上传已有 ${appended.offset} 字节，而不是 ${offset}：请从 ${appended.offset} 继续`,
  );
  throw new ApiError([250105, "Upload-Offset", why], { status: 409 });
}

/** Turns the claims about a content into what the store verifies; a null claim counts as absent. */
export function expectedOf(claim: UploadClaim): Expected {
  const { sha256, sha512, sha1, md5, size } = claim;
  const given = { sha256, sha512, sha1, md5, size };
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined && value !== null),
  );
}

/**
 * Ends an upload session and stores its content; when the promise resolves, the content is durable.
 * Each given claim must match; otherwise nothing is kept.
 */
export async function finishUpload(
  { db, store, now }: Receiver,
  id: string,
  expect: Expected,
): Promise<UploadedContent> {
  const staged = await store.sessions.finish(id, expect);
  await staged.commit((blob) => write(db, (tx) => putBlobs(tx, [blob], now())));
  store.keepDigests(staged);
  await durable(db);
  return {
    id,
    offset: staged.size,
    done: true,
    sha256: staged.sha256,
    size: staged.size,
  };
}
