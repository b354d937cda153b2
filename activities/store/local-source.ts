import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { TransferError } from "../../domain/failure.ts";
import type { ContentSource, Range } from "./content-source.ts";
import type { InlineReader } from "./inline.ts";
import { blobFile, isSha256, type Layout } from "./layout.ts";

const READ_SIZE = 256 * 1024;
/**
 * Number of buffers that take turns. A Node HTTP server holds a few chunks before it waits for the
 * socket for the first time, and one chunk later on.
 */
const SEND_BUFFERS = 8;

const missing = (sha256: string) =>
  new TransferError(
    "notFound",
    `the content sha256:${sha256} is not in the store: upload the file again`,
  );

/**
 * `chunks` must be read to their end or closed with `return()`. A chunk is overwritten when the eighth
 * chunk after it is requested: the consumer must be done with it by then.
 */
type OpenedToSend = { size: number; chunks: AsyncGenerator<Uint8Array, void> };

export type LocalSource = Omit<ContentSource, "close"> & {
  /**
   * Opens a content for sending and reuses a few buffers: a new buffer for each chunk costs more in
   * garbage collection than reading and sending the chunk.
   */
  openToSend: (sha256: string, range?: Range) => Promise<OpenedToSend>;
};

type Found = { size: number; last: number } & (
  { small: Buffer } | { handle: FileHandle }
);

/** Reads content from this machine's disk. */
export function createLocalSource(
  layout: Layout,
  inline: Pick<InlineReader, "get">,
): LocalSource {
  async function find(sha256: string, { start, end }: Range): Promise<Found> {
    const file = blobFile(layout, sha256);
    const small = inline.get(sha256);
    if (small) {
      const part = small.subarray(start, end === undefined ? undefined : end + 1);
      return { size: small.length, last: small.length - 1, small: part };
    }
    const handle = await open(file, "r").catch((error: NodeJS.ErrnoException) => {
      throw error.code === "ENOENT" ? missing(sha256) : error;
    });
    const { size } = await handle.stat();
    const last = Math.min(end ?? size - 1, size - 1);
    if (start <= last) return { size, last, handle };
    await handle.close();
    return { size, last, small: Buffer.alloc(0) };
  }

  return {
    async open(sha256, range = { start: 0 }) {
      const { size, last, ...found } = await find(sha256, range);
      const stream =
        "small" in found
          ? streamOf(found.small)
          : found.handle.createReadStream({
              start: range.start,
              end: last,
              highWaterMark: READ_SIZE,
            });
      return { size, stream };
    },
    async openToSend(sha256, range = { start: 0 }) {
      const { size, last, ...found } = await find(sha256, range);
      return {
        size,
        chunks:
          "small" in found ? one(found.small) : sending(found.handle, range.start, last),
      };
    },
    async readSmall(digests) {
      const found = digests.map(
        (sha256) => [sha256, isSha256(sha256) ? inline.get(sha256) : undefined] as const,
      );
      return new Map(
        found.filter((entry): entry is [string, Buffer] => entry[1] !== undefined),
      );
    },
  };
}

async function* one(content: Buffer): AsyncGenerator<Uint8Array, void> {
  if (content.length > 0) yield content;
}

/** Like `inTurns`, but `return` closes the file even if nothing was read: an unstarted generator runs no `finally`. */
function sending(handle: FileHandle, start: number, last: number) {
  const chunks = inTurns(handle, start, last);
  const end = chunks.return.bind(chunks);
  chunks.return = async (value) => {
    const result = await end(value);
    await handle.close();
    return result;
  };
  return chunks;
}

/**
 * Reads the bytes `start` to `last`, both included, into buffers that take turns, and closes the file. Throws when
 * the file is shorter.
 */
async function* inTurns(
  handle: FileHandle,
  start: number,
  last: number,
): AsyncGenerator<Uint8Array, void> {
  const buffers: Buffer[] = [];
  try {
    for (let at = start, turn = 0; at <= last; turn = (turn + 1) % SEND_BUFFERS) {
      const into = (buffers[turn] ??= Buffer.allocUnsafeSlow(
        Math.min(READ_SIZE, last - at + 1),
      ));
      const { bytesRead } = await handle.read(
        into,
        0,
        Math.min(into.length, last - at + 1),
        at,
      );
      if (bytesRead === 0)
        throw new TransferError(
          "invalid",
          "the content in the store is shorter than its recorded size: upload the file again",
        );
      at += bytesRead;
      yield into.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

const streamOf = (content: Buffer) =>
  Readable.from(content.length > 0 ? [content] : [], { objectMode: false });
