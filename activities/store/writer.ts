import type { FileHandle } from "node:fs/promises";
import { TransferError } from "../../domain/failure.ts";
import type { Digests } from "./digests.ts";
import { hashTurn } from "./hash-turns.ts";
import { storageError } from "./layout.ts";

/**
 * Chunks are collected up to this many bytes, so that the overhead of a disk write is small compared
 * with writing its bytes.
 */
const BATCH = 256 * 1024;

/** The bytes of a body, chunk by chunk. */
export type Chunks = AsyncIterable<Uint8Array>;

/**
 * Writes all chunks. If the disk is nearly full, the first write writes only a part; the rest is
 * retried until the disk reports ENOSPC.
 */
async function writeFully(handle: FileHandle, chunks: Uint8Array[]): Promise<void> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await handle.writev(chunks);
  if (bytesWritten === total) return;
  let rest = Buffer.concat(chunks).subarray(bytesWritten);
  while (rest.length > 0) rest = rest.subarray((await handle.write(rest)).bytesWritten);
}

/** Appends chunks to a file, one batch behind the caller that adds them, and feeds them to `digests`. */
export function createWriter(handle: FileHandle, digests: Digests) {
  let batch: Uint8Array[] = [];
  let batched = 0;
  let written: Promise<void> = Promise.resolve();

  function send(): void {
    const chunks = batch;
    batch = [];
    batched = 0;
    written = written.then(() => writeFully(handle, chunks));
    // The next `add` that waits, or `flush`, throws the error of a failed write.
    written.catch(() => undefined);
  }

  return {
    async add(chunk: Uint8Array): Promise<void> {
      await hashTurn(chunk.length);
      digests.update(chunk);
      batch.push(chunk);
      batched += chunk.length;
      if (batched < BATCH) return;
      const before = written;
      send();
      await before;
    },
    /** Resolves when all added chunks are on the disk. */
    async flush(): Promise<void> {
      if (batched > 0) send();
      await written;
      await handle.datasync();
    },
  };
}

export const tooLarge = (maxBytes: number) =>
  new TransferError(
    "tooLarge",
    `the content is larger than the limit of ${maxBytes} bytes (setting MAX_UPLOAD, or the limit of one chunk)`,
  );

/** Runs `work` on an open file and closes the file, also when `work` fails. */
export async function withFile<T>(
  handle: FileHandle,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error);
  } finally {
    await handle.close();
  }
}
