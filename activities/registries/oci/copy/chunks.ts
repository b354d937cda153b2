import {
  TransferError,
  toTransferError,
  type FailureKind,
} from "../../../../domain/failure.ts";
import type { UploadState } from "../../../../domain/outcome.ts";
import { blobLabel } from "../blobs.ts";
import type { UploadSession } from "../uploads.ts";
import { linkedAbort, metered, partKey, type ImageCopy } from "./copy.ts";
import { readSource, type SizedBlob } from "./sized.ts";
import { yieldUpload } from "../../../../domain/slice.ts";

/**
 * Size (bytes) of the chunks that a registry confirms one by one, unless it demands larger ones; a broken
 * connection costs at most one chunk.
 */
export const CHUNK_BYTES = 64 * 1024 * 1024;

/** Failure kinds of a registry that accepts no further chunk, or has lost earlier chunks. */
const REFUSALS: ReadonlySet<FailureKind> = new Set([
  "invalid",
  "notFound",
  "unsupported",
]);

/**
 * The state of a running upload: its newest session, whether an earlier attempt began it (`resumed`), the bytes that
 * the target confirmed then (`earlier`), and whether the source failed.
 */
type Progress = {
  session: UploadSession;
  readonly resumed: boolean;
  readonly earlier: number;
  sourceFailed: boolean;
};

/**
 * Sends a large blob in chunks, and continues after the last chunk that an earlier attempt got confirmed.
 * Returns false when the registry accepts no further chunk: the memory keeps that, and the blob must be sent in
 * one request.
 */
export async function sendInChunks(
  copy: ImageCopy,
  blob: SizedBlob,
  begun: UploadSession | null,
): Promise<boolean> {
  const { registry, name } = copy.target;
  const state = copy.memory.uploads.get(partKey(copy, blob.digest));
  const left = state === undefined ? null : await earlierUpload(copy, blob, state);
  const session =
    left ?? begun ?? (await registry.startUpload(name, blob.digest, null, copy.signal));
  if (session === "mounted") return true;
  const progress: Progress = {
    session,
    resumed: left !== null,
    earlier: state?.offset ?? 0,
    sourceFailed: false,
  };
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

/**
 * Returns the upload of an earlier attempt as the target reports it; null when there is none any more, or none that
 * fits the blob.
 */
async function earlierUpload(
  copy: ImageCopy,
  blob: SizedBlob,
  state: UploadState,
): Promise<UploadSession | null> {
  const session = await copy.target.registry.uploadStatus(
    copy.target.name,
    state.location,
    copy.signal,
  );
  if (session !== null && session.offset <= blob.size) return session;
  copy.memory.uploads.delete(partKey(copy, blob.digest));
  return null;
}

async function sendRest(
  copy: ImageCopy,
  blob: SizedBlob,
  progress: Progress,
  reading: AbortSignal,
): Promise<void> {
  const { registry, name } = copy.target;
  const take = cutter(
    openFrom(copy, blob, progress.session.offset, reading),
    () => (progress.sourceFailed = true),
  );
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
    // docker-registry 2 appends every chunk at the end of the upload, whatever offset is sent, so only
    // this comparison detects a gap.
    if (progress.session.offset !== offset + length) {
      await abandon(copy, blob, progress.session);
      const counts = `${progress.session.offset} bytes although ${offset + length} were sent`;
      throw new TransferError(
        "server",
        `${blobLabel(name, blob.digest)}: ${registry.host} confirms ${counts}`,
      );
    }
    const state = {
      digest: blob.digest,
      location: progress.session.location,
      offset: progress.session.offset,
    };
    copy.memory.uploads.set(partKey(copy, blob.digest), state);
    copy.hooks.onUpload(state);
    const { earlier } = progress;
    const subject = `${blobLabel(name, blob.digest)}: ${registry.host}`;
    if (state.offset < blob.size)
      yieldUpload(copy.hooks.slice, { ...state, earlier, subject });
  }
}

/**
 * Reads the blob at the source from `offset`. A blob that is read from byte 0 is verified here; for a resumed
 * upload the target verifies the digest in the closing request. Throws `digestMismatch` when the source has
 * fewer bytes than are taken.
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
    `${what}: the source sends less than the expected ${blob.size} bytes: ` +
      "the copy at the source is corrupt; push it there again",
  );
}

/**
 * Returns a function that cuts bodies of the requested lengths from a stream; a body is shorter when the stream
 * ends. `onFailure` is called when the stream fails.
 */
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
 * Handles an error of a chunked upload: cancels the upload, unless a later attempt can continue it. Throws,
 * unless the target refuses the chunks of an upload that this attempt began.
 */
async function judge(
  copy: ImageCopy,
  blob: SizedBlob,
  progress: Progress,
  error: unknown,
): Promise<void> {
  const { kind, keepsUpload, message } = toTransferError(error);
  if (keepsUpload) throw error;
  await abandon(copy, blob, progress.session);
  if (progress.sourceFailed || !REFUSALS.has(kind)) throw error;
  if (progress.resumed)
    throw new TransferError("server", `${message}; the upload begins again`, {
      cause: error,
    });
  copy.memory.wholeBlobs = true;
}

async function abandon(
  copy: ImageCopy,
  blob: SizedBlob,
  session: UploadSession,
): Promise<void> {
  copy.memory.uploads.delete(partKey(copy, blob.digest));
  await copy.target.registry.cancelUpload(copy.target.name, session);
}
