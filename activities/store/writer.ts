import type { FileHandle } from "node:fs/promises";
import { TransferError } from "../../domain/failure.ts";
import type { Digests } from "./digests.ts";
import { hashTurn } from "./hash-turns.ts";
import { storageError } from "./layout.ts";
import type { Claim } from "./room.ts";

/**
 * Chunks are collected until they have this many bytes, so that the overhead of a disk write is small
 * compared with writing its bytes.
 */
const BATCH = 256 * 1024;

/** The bytes of a body, chunk by chunk. */
export type Chunks = AsyncIterable<Uint8Array>;

/**
 * Writes all chunks. A write to a nearly full disk may write only a part; the rest is then written until
 * all of it is on the disk or a write throws ENOSPC.
 */
async function writeFully(handle: FileHandle, chunks: Uint8Array[]): Promise<void> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await handle.writev(chunks);
  if (bytesWritten === total) return;
  let rest = Buffer.concat(chunks).subarray(bytesWritten);
  while (rest.length > 0) rest = rest.subarray((await handle.write(rest)).bytesWritten);
}

/**
 * Creates a writer that feeds chunks to `digests` and appends them to a file in batches, as far as `claim` has room for
 * them. While one batch is written, the caller can already add the chunks of the next.
 */
export function createWriter(handle: FileHandle, digests: Digests, claim: Claim) {
  let batch: Uint8Array[] = [];
  let batched = 0;
  let written: Promise<void> = Promise.resolve();

  async function send(): Promise<void> {
    const [chunks, bytes] = [batch, batched];
    batch = [];
    batched = 0;
    await claim.cover(bytes);
    written = written.then(async () => {
      await writeFully(handle, chunks);
      claim.wrote(bytes);
    });
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
      await send();
      await before;
    },
    /** Resolves when all added chunks are durable on the disk; rejects when a write failed. */
    async flush(): Promise<void> {
      if (batched > 0) await send();
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

/**
 * Runs `work` on an open file and closes the file, also when `work` fails. The error of a full disk becomes
 * the TransferError `noSpace`.
 */
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
