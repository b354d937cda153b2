import { type Part, strongest } from "../../../../domain/artifact.ts";
import { toTransferError, TransferError } from "../../../../domain/failure.ts";
import { yieldUpload, yieldWhole } from "../../../../domain/slice.ts";
import type { UploadClaim, UploadSession } from "../../../../domain/sync.ts";
import { type Copy, type Item, isKnown, learn } from "./copy.ts";
import { openReader, type Reader, SLICE_BYTES } from "./reading.ts";

/** Maximum size (bytes) of the chunks of a content of unknown size; such a chunk is held in memory. */
const UNSIZED_BYTES = 4 * 1024 * 1024;

/**
 * A content that is being uploaded. `digest` identifies the upload; null when the source states no
 * digest. `size` null: unknown until the end. `earlier`: how many bytes an earlier attempt got confirmed.
 */
type Upload = {
  copy: Copy;
  item: Item;
  part: Part;
  digest: string | null;
  size: number | null;
  earlier: number;
};

/** A reader that is open at the start of the content. */
type Begun = { reader: Reader; size: number | null };

/**
 * Uploads one content, unless the target has it. If the source states a digest, `item.uploads` records what the
 * target has confirmed, so that a later attempt on any worker continues there. The end of an upload tells a
 * size or sha256 that was unknown.
 */
export async function uploadContent(
  copy: Copy,
  item: Item,
  part: Part,
  begun: Begun | null,
): Promise<void> {
  const digest = strongest(part.digests);
  const upload: Upload = {
    copy,
    item,
    part,
    digest,
    size: part.size ?? begun?.size ?? null,
    earlier: item.uploads.find((state) => state.digest === digest)?.offset ?? 0,
  };
  try {
    const session =
      (begun ? null : await resumed(upload)) ??
      (await copy.calls.startUpload(claimOf(upload), copy.hooks.signal));
    if (session.done) return;
    item.carried = true;
    await sendFrom(upload, session, begun);
  } finally {
    await begun?.reader.close();
  }
}

async function sendFrom(
  upload: Upload,
  session: UploadSession,
  begun: Begun | null,
): Promise<void> {
  const { copy, item, part } = upload;
  keep(upload, session);
  try {
    const { offset } = await sendChunks(upload, session, begun);
    const claim = { ...claimOf(upload), size: upload.size ?? offset };
    const content = await copy.calls.finishUpload(
      session.id,
      claim,
      claim.size,
      copy.hooks.signal,
    );
    if (!isKnown(part))
      learn(item, part, {
        ...part,
        size: content.size,
        digests: { ...part.digests, sha256: content.sha256 },
      });
    forget(upload);
  } catch (error) {
    await letGo(upload, session.id, error);
    throw error;
  }
}

function claimOf({ part: { digests }, size }: Upload): UploadClaim {
  return { ...digests, ...(size === null ? {} : { size }) };
}

/**
 * Handles a failed upload: unless the signal fired or a later attempt can continue the upload, forgets it and
 * sees to it that the target drops it.
 */
async function letGo(upload: Upload, id: string, error: unknown): Promise<void> {
  const { client, hooks } = upload.copy;
  if (hooks.signal.aborted) return;
  const { keepsUpload, retryable } = toTransferError(error);
  if (keepsUpload && upload.digest !== null) return;
  forget(upload);
  // After a wrong digest the target has ended the upload session itself, so `dropUpload` is called only
  // after other failures.
  if (!retryable || keepsUpload)
    await client.dropUpload(id, hooks.signal).catch(() => undefined);
}

async function resumed({
  copy,
  item,
  digest,
  size,
}: Upload): Promise<UploadSession | null> {
  const left = item.uploads.find((state) => state.digest === digest);
  const session = left
    ? await copy.client.uploadSession(left.location, copy.hooks.signal)
    : null;
  return session && session.offset <= (size ?? Infinity) ? session : null;
}

function keep({ copy, item, digest }: Upload, { id, offset }: UploadSession): void {
  if (digest === null) return;
  const state = { digest, location: id, offset };
  item.uploads = [...item.uploads.filter((each) => each.digest !== digest), state];
  if (offset > 0) copy.hooks.onUpload(state);
}

function forget({ item, digest }: Upload): void {
  item.uploads = item.uploads.filter((state) => state.digest !== digest);
}

async function sendChunks(
  upload: Upload,
  from: UploadSession,
  begun: Begun | null,
): Promise<UploadSession> {
  const { copy, item, part } = upload;
  if (from.offset === upload.size) return from;
  const { reader, size } = begun ?? (await openReader(copy, item, part, from.offset));
  upload.size ??= size;
  try {
    let session = from;
    for (
      let next = await nextChunk(upload, reader, session);
      next !== null;
      next = await nextChunk(upload, reader, session)
    ) {
      session = await sendChunk(upload, session, next);
      const ended =
        upload.size === null ? await reader.isOver() : session.offset === upload.size;
      if (!ended) yieldAt(upload, session);
    }
    return session;
  } finally {
    await reader.close();
  }
}

/** Ends the work on an upload when the batch's time is over. */
function yieldAt({ copy, digest, earlier }: Upload, { offset }: UploadSession): void {
  const { slice } = copy.hooks;
  // Without a digest, each batch begins at the first byte.
  if (digest === null) return slice.isOver() ? yieldWhole(slice) : undefined;
  yieldUpload(slice, { offset, earlier, subject: copy.client.url });
}

type Chunk = { length: number; bytes: AsyncIterable<Uint8Array> };

async function nextChunk(
  { copy, size }: Upload,
  reader: Reader,
  { offset }: UploadSession,
): Promise<Chunk | null> {
  const { chunkBytes } = copy.capabilities.limits;
  if (size !== null) {
    const length = Math.min(chunkBytes, size - offset);
    return length === 0 ? null : { length, bytes: reader.take(length) };
  }
  const gathered = await reader.gather(Math.min(chunkBytes, UNSIZED_BYTES));
  return gathered.length === 0
    ? null
    : { length: gathered.length, bytes: inSlices(gathered) };
}

async function* inSlices(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES)
    yield bytes.subarray(at, at + SLICE_BYTES);
}

async function sendChunk(
  upload: Upload,
  session: UploadSession,
  { length, bytes }: Chunk,
): Promise<UploadSession> {
  const { copy, item } = upload;
  const onBytes = (sent: number) => {
    item.sent += sent;
    copy.hooks.onBytes(sent);
  };
  const next = await copy.client.appendUpload(session, length, bytes, {
    ...copy.hooks,
    onBytes,
  });
  if (next.offset !== session.offset + length)
    throw new TransferError(
      "server",
      `${copy.client.url} kept only ${next.offset} bytes of the upload`,
    );
  keep(upload, next);
  return next;
}
