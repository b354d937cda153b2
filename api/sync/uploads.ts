import type { Readable } from "node:stream";
import { haveBlobs, putBlobs } from "../../db/blobs.ts";
import { durable } from "../../db/durable.ts";
import { write } from "../../db/open.ts";
import { SYNC_LIMITS, type UploadRequest, type UploadSession } from "../../domain/sync.ts";
import { ApiError } from "../errors.ts";
import type { Receiver } from "./receive.ts";

/** A session for a content, or none when the content is here. */
export async function startUpload({ db, store, now }: Receiver, { sha256, size }: UploadRequest): Promise<UploadSession> {
  const known = haveBlobs(db, [sha256], now()).has(sha256);
  return known ? { id: "", offset: size, done: true } : { id: await store.sessions.open(), offset: 0, done: false };
}

export async function uploadStatus({ store }: Receiver, id: string): Promise<UploadSession> {
  const offset = await store.sessions.status(id);
  if (offset === null) throw new ApiError(250108, [`upload ${id}`, "begin a new one"], { status: 404 });
  return { id, offset, done: false };
}

export async function appendUpload({ store }: Receiver, id: string, offset: number, body: Readable): Promise<UploadSession> {
  const appended = await store.sessions.append(id, offset, body, { maxBytes: offset + SYNC_LIMITS.chunkBytes });
  if (appended.accepted) return { id, offset: appended.offset, done: false };
  throw new ApiError(250105, ["Upload-Offset", `the upload stands at ${appended.offset}, not at ${offset}`], { status: 409 });
}

/** The digest decides; a wrong one ends the session, and nothing is kept. */
export async function finishUpload({ db, store, now }: Receiver, id: string, expect: UploadRequest): Promise<UploadSession> {
  const staged = await store.sessions.finish(id, expect);
  await staged.commit((blob) => write(db, (tx) => putBlobs(tx, [blob], now())));
  await durable(db);
  return { id, offset: staged.size, done: true };
}
