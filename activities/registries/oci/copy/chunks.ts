import { TransferError, toTransferError, type FailureKind } from "../../../../domain/failure.ts";
import { blobLabel } from "../blobs.ts";
import type { UploadSession } from "../uploads.ts";
import { linkedAbort, metered, partKey, type ImageCopy } from "./copy.ts";
import { readSource, type SizedBlob } from "./sized.ts";
import { yieldTime } from "../../../../domain/slice.ts";

/** What a registry confirms at a time; the most that a cut connection costs. */
export const CHUNK_BYTES = 64 * 1024 * 1024;

/** How a registry says that it wants no further chunk, or has lost what came before. */
const REFUSALS: ReadonlySet<FailureKind> = new Set(["invalid", "notFound", "unsupported"]);

/** An upload as it goes on: the newest session, and whether it was the source that failed. */
type Progress = { session: UploadSession; readonly resumed: boolean; sourceFailed: boolean };

/**
 * Sends a large blob in chunks, going on where an earlier attempt was confirmed. False when the registry takes no
 * further chunk: that is remembered, and the blob must go in one request.
 */
export async function sendInChunks(copy: ImageCopy, blob: SizedBlob, begun: UploadSession | null): Promise<boolean> {
  const { registry, name } = copy.target;
  const earlier = await earlierUpload(copy, blob);
  const session = earlier ?? begun ?? (await registry.startUpload(name, blob.digest, null, copy.signal));
  if (session === "mounted") return true;
  const progress: Progress = { session, resumed: earlier !== null, sourceFailed: false };
  const reading = linkedAbort(copy.signal);
  try {
    await sendRest(copy, blob, progress, reading.signal);
    await registry.finishUpload(name, progress.session, blob, null, copy.signal);
    return true;
  } catch (error) {
    await judge(copy, blob, progress, error);
    return false;
  } finally {
    reading.end();
  }
}

/** Where the target says an earlier attempt stands; null when there was none or the target has forgotten it. */
async function earlierUpload(copy: ImageCopy, blob: SizedBlob): Promise<UploadSession | null> {
  const key = partKey(copy, blob.digest);
  const state = copy.seen.uploads.get(key);
  if (state === undefined) return null;
  const session = await copy.target.registry.uploadStatus(copy.target.name, state.location, copy.signal);
  if (session !== null && session.offset <= blob.size) return session;
  copy.seen.uploads.delete(key);
  return null;
}

async function sendRest(copy: ImageCopy, blob: SizedBlob, progress: Progress, reading: AbortSignal): Promise<void> {
  const { registry, name } = copy.target;
  const take = cutter(openFrom(copy, blob, progress.session.offset, reading), () => (progress.sourceFailed = true));
  while (progress.session.offset < blob.size) {
    const { offset, minChunk } = progress.session;
    const length = Math.min(Math.max(CHUNK_BYTES, minChunk), blob.size - offset);
    progress.session = await registry.appendChunk(
      name,
      progress.session,
      metered(copy, take(length)),
      length,
      copy.signal,
    );
    // docker-registry 2 appends whatever comes wherever it stands, so only this comparison notices a gap.
    if (progress.session.offset !== offset + length) {
      await abandon(copy, blob, progress.session);
      const counts = `${progress.session.offset} bytes where ${offset + length} were sent`;
      throw new TransferError("server", `${blobLabel(name, blob.digest)}: ${registry.host} confirms ${counts}`);
    }
    const state = { digest: blob.digest, location: progress.session.location, offset: progress.session.offset };
    copy.seen.uploads.set(partKey(copy, blob.digest), state);
    copy.hooks.onUpload(state);
    if (state.offset < blob.size) yieldTime(copy.hooks.slice);
  }
}

/**
 * From its start the content is verified here; after a resume the target's check at the closing request is the
 * verification.
 */
async function* openFrom(
  copy: ImageCopy,
  blob: SizedBlob,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const { registry, name } = copy.source;
  if (offset === 0) return yield* readSource(copy, blob, signal);
  yield* await registry.openBlob(name, blob, offset, signal);
  const what = `${blobLabel(name, blob.digest)} of ${registry.host}`;
  throw new TransferError(
    "digestMismatch",
    `${what}: the source sends less than its ${blob.size} bytes: its copy is corrupt; push it there again`,
  );
}

/** Cuts a stream into bodies of given lengths. */
function cutter(
  source: AsyncGenerator<Buffer, void, undefined>,
  onFailure: () => void,
): (length: number) => AsyncGenerator<Buffer, void, undefined> {
  let left: Buffer = Buffer.alloc(0);
  return async function* take(length) {
    for (let wanted = length; wanted > 0;) {
      if (left.length === 0) {
        const next = await source.next().catch((error: unknown) => {
          onFailure();
          throw error;
        });
        if (next.done === true) return;
        left = next.value;
      }
      const piece = left.subarray(0, wanted);
      left = left.subarray(piece.length);
      wanted -= piece.length;
      yield piece;
    }
  };
}

/**
 * Throws unless the target merely refuses chunks. What can go on later keeps its session; everything else is let go of.
 */
async function judge(copy: ImageCopy, blob: SizedBlob, progress: Progress, error: unknown): Promise<void> {
  const { kind, keepsUpload, message } = toTransferError(error);
  if (keepsUpload) throw error;
  await abandon(copy, blob, progress.session);
  if (progress.sourceFailed || !REFUSALS.has(kind)) throw error;
  if (progress.resumed) throw new TransferError("server", `${message}; the upload is begun anew`, { cause: error });
  copy.seen.wholeBlobs = true;
}

async function abandon(copy: ImageCopy, blob: SizedBlob, session: UploadSession): Promise<void> {
  copy.seen.uploads.delete(partKey(copy, blob.digest));
  await copy.target.registry.cancelUpload(copy.target.name, session);
}
