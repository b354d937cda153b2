import type { FileHandle } from "node:fs/promises";
import { TransferError } from "../../domain/failure.ts";
import type { Digests } from "./digests.ts";
import { hashTurn } from "./hash-turns.ts";
import { storageError } from "./layout.ts";

/** Chunks are gathered to this size, so that a disk write costs little more than its bytes. */
const BATCH = 256 * 1024;

/** What bodies are read from. */
export type Chunks = AsyncIterable<Uint8Array>;

/** A short write is what a nearly full disk answers first: the rest is tried until it says so. */
async function writeFully(handle: FileHandle, chunks: Uint8Array[]): Promise<void> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await handle.writev(chunks);
  if (bytesWritten === total) return;
  let rest = Buffer.concat(chunks).subarray(bytesWritten);
  while (rest.length > 0) rest = rest.subarray((await handle.write(rest)).bytesWritten);
}

/** Writes to the end of a file, one batch behind the reader, and sums up what it was given. */
export function createWriter(handle: FileHandle, digests: Digests) {
  let batch: Uint8Array[] = [];
  let batched = 0;
  let written: Promise<void> = Promise.resolve();

  function send(): void {
    const chunks = batch;
    batch = [];
    batched = 0;
    written = written.then(() => writeFully(handle, chunks));
    // Whoever waits for the next batch, or for the end, hears of it.
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
    /** Everything added so far is on the disk when this resolves. */
    async flush(): Promise<void> {
      if (batched > 0) send();
      await written;
      await handle.datasync();
    },
  };
}

export const tooLarge = (maxBytes: number) =>
  new TransferError("tooLarge", `the content is larger than the ${maxBytes} bytes that are allowed`);

/** Runs `work` on a file and closes it, whatever happens. */
export async function withFile<T>(handle: FileHandle, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error);
  } finally {
    await handle.close();
  }
}
