import { createHash, type Hash } from "node:crypto";
import type { Readable } from "node:stream";
import { toTransferError, TransferError } from "../../domain/failure.ts";
import type { UploadSession } from "../../domain/sync.ts";
import { settleTrouble, state, type Copy, type Item } from "./files-copy.ts";
import { damagedSource } from "./files-small.ts";
import { yieldTime } from "./slice.ts";

/** Throttled one by one, so none may hold more than a lease gives. */
const SLICE = 1024 * 1024;

/** Sends one content that several files may share, then makes their nodes. */
export async function sendBig(copy: Copy, items: Item[]): Promise<Item[]> {
  const [first] = items;
  if (!first) return [];
  try {
    await upload(copy, first);
  } finally {
    for (const item of items) item.uploads = first.uploads;
  }
  for (const item of await state(copy, items, new Map())) {
    settleTrouble(copy, item, new TransferError("server", `${copy.target.url} let go of its content before the file was made`));
  }
  return [];
}

type Uploading = Pick<Copy, "content" | "target" | "hooks" | "limits">;
/** A content that is uploaded, for a file or for a part of a version. */
export type UploadItem = Pick<Item, "uploads" | "sent" | "carried"> & { source: { sha256: string; size: number } };

/** `item.uploads` follows what the target has confirmed, so that a later attempt, on any worker, goes on from there. */
export async function upload(copy: Uploading, item: UploadItem): Promise<void> {
  const { target, hooks } = copy;
  const { sha256, size } = item.source;
  const session = (await resumed(copy, item)) ?? (await target.startUpload({ sha256, size }, hooks.signal));
  if (session.done) return;
  item.carried = true;
  keep(copy, item, session);
  try {
    await sendChunks(copy, item, session);
    await target.finishUpload(session.id, { sha256, size }, hooks.signal);
    item.uploads = [];
  } catch (error) {
    await letGo(copy, item, session.id, error);
    throw error;
  }
}

/** What no later attempt can use is not left lying at the target. */
async function letGo({ target, hooks }: Uploading, item: UploadItem, id: string, error: unknown): Promise<void> {
  if (hooks.signal.aborted) return;
  const { keepsUpload, retryable } = toTransferError(error);
  if (keepsUpload) return;
  item.uploads = [];
  // The target itself ends a session whose digest is wrong.
  if (!retryable) await target.dropUpload(id, hooks.signal).catch(() => undefined);
}

async function resumed({ target, hooks }: Uploading, { source, uploads }: UploadItem): Promise<UploadSession | null> {
  const left = uploads.find(({ digest }) => digest === `sha256:${source.sha256}`);
  const session = left ? await target.uploadSession(left.location, hooks.signal) : null;
  return session && session.offset <= source.size ? session : null;
}

function keep({ hooks }: Uploading, item: UploadItem, { id, offset }: UploadSession): void {
  const state = { digest: `sha256:${item.source.sha256}`, location: id, offset };
  item.uploads = [state];
  if (offset > 0) hooks.onUpload(state);
}

async function sendChunks(copy: Uploading, item: UploadItem, from: UploadSession): Promise<void> {
  const { target, hooks } = copy;
  const { sha256, size } = item.source;
  if (from.offset === size) return;
  const { stream } = await copy.content.open(sha256, { start: from.offset }, hooks.signal);
  const counted = { ...hooks, onBytes: (bytes: number) => void ((item.sent += bytes), hooks.onBytes(bytes)) };
  const reader = createReader(stream, item, from.offset);
  try {
    for (let session = from; session.offset < size; ) {
      const length = Math.min(copy.limits.chunkBytes, size - session.offset);
      const next = await target.appendUpload(session, length, reader.take(length), counted);
      if (next.offset !== session.offset + length) throw new TransferError("server", `${target.url} kept only ${next.offset} bytes of the upload`);
      keep(copy, item, next);
      session = next;
      if (session.offset < size) yieldTime(hooks.slice);
    }
  } finally {
    stream.destroy();
  }
}

/** Hands out a stream in portions. The last slice of a content read from its start goes only when its digest is right. */
function createReader(stream: Readable, { source }: UploadItem, start: number) {
  const chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  const whole: Hash | null = start === 0 ? createHash("sha256") : null;
  let rest: Buffer = Buffer.alloc(0);
  let position = start;

  async function next(): Promise<Buffer> {
    if (rest.length > 0) return rest;
    const { value, done } = await chunks.next();
    if (done !== true) return value;
    throw damagedSource(`${position} of its ${source.size} bytes`, source.sha256);
  }

  function check(slice: Buffer): void {
    position += slice.length;
    whole?.update(slice);
    if (whole === null || position < source.size) return;
    const digest = whole.digest("hex");
    if (digest !== source.sha256) throw damagedSource(`it has sha256:${digest}`, source.sha256);
  }

  return {
    async *take(length: number): AsyncGenerator<Buffer> {
      for (let left = length; left > 0; ) {
        const chunk = await next();
        const slice = chunk.subarray(0, Math.min(left, SLICE));
        rest = chunk.subarray(slice.length);
        left -= slice.length;
        check(slice);
        yield slice;
      }
    },
  };
}
