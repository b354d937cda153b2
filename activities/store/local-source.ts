import { createHash, hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import type { ContentSource, Range } from "./content-source.ts";
import { fileMark, inlineMark, missing, wrong } from "./damage.ts";
import type { InlineReader } from "./inline.ts";
import { blobFile, isSha256, type Layout } from "./layout.ts";

const READ_SIZE = 256 * 1024;
/**
 * Number of buffers that take turns. A Node HTTP server holds a few chunks before it waits for the
 * socket for the first time, and one chunk later on.
 */
const SEND_BUFFERS = 8;

/**
 * `chunks` must be read to their end or closed with `return()`. A chunk is overwritten when the seventh
 * chunk after it is requested: the consumer must be done with it by then. `mark`: works out that of the bytes
 * (damage.ts), which only a wrong content needs.
 */
type OpenedToSend = {
  size: number;
  mark: () => string;
  chunks: AsyncGenerator<Uint8Array, void>;
};

export type LocalSource = Omit<ContentSource, "close" | "suspect"> & {
  /**
   * Opens a content for sending and reuses a few buffers: a new buffer for each chunk costs more in
   * garbage collection than reading and sending the chunk. The last chunk of a whole content comes only
   * when the digest is right; otherwise the chunks end with a ContentDamage.
   */
  openToSend: (sha256: string, range?: Range) => Promise<OpenedToSend>;
};

type Found = { size: number; last: number; mark: () => string } & (
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
      const mark = () => inlineMark(small);
      return { size: small.length, last: small.length - 1, mark, small: part };
    }
    const handle = await open(file, "r").catch((error: NodeJS.ErrnoException) => {
      throw error.code === "ENOENT" ? missing(sha256) : error;
    });
    const stats = await handle.stat({ bigint: true });
    const size = Number(stats.size);
    const last = Math.min(end ?? size - 1, size - 1);
    const found = { size, last, mark: () => fileMark(stats) };
    if (start <= last) return { ...found, handle };
    await handle.close();
    return { ...found, small: Buffer.alloc(0) };
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
      const { size, last, mark, ...found } = await find(sha256, range);
      const opened: Opened = {
        sha256,
        mark,
        last,
        start: range.start,
        whole: range.start === 0 && last === size - 1,
      };
      const chunks =
        "small" in found ? one(found.small, opened) : sending(found.handle, opened);
      return { size, mark, chunks };
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

/** The bytes `start` to `last`, both included, of a content; `whole`: these are all of it. */
type Opened = {
  sha256: string;
  mark: () => string;
  start: number;
  last: number;
  whole: boolean;
};

async function* one(
  content: Buffer,
  { sha256, mark, whole }: Opened,
): AsyncGenerator<Uint8Array, void> {
  if (whole && hash("sha256", content) !== sha256) throw wrong(sha256, mark());
  if (content.length > 0) yield content;
}

/** Like `proved`, but `return` closes the file even if nothing was read: an unstarted generator runs no `finally`. */
function sending(handle: FileHandle, opened: Opened) {
  const chunks = proved(inTurns(handle, opened), opened);
  const end = chunks.return.bind(chunks);
  chunks.return = async (value) => {
    const result = await end(value);
    await handle.close();
    return result;
  };
  return chunks;
}

/** Passes chunks on; the last one of a whole content only if its digest is right. */
async function* proved(
  chunks: AsyncIterable<Uint8Array>,
  { sha256, mark, whole }: Opened,
): AsyncGenerator<Uint8Array, void> {
  const digest = whole ? createHash("sha256") : null;
  let held: Uint8Array | undefined;
  for await (const chunk of chunks) {
    digest?.update(chunk);
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (digest && digest.digest("hex") !== sha256) throw wrong(sha256, mark());
  if (held !== undefined) yield held;
}

/** Reads bytes of a file into buffers that take turns, and closes it. Throws when the file was cut meanwhile. */
async function* inTurns(
  handle: FileHandle,
  { sha256, mark, start, last }: Opened,
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
      if (bytesRead === 0) throw wrong(sha256, mark());
      at += bytesRead;
      yield into.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

const streamOf = (content: Buffer) =>
  Readable.from(content.length > 0 ? [content] : [], { objectMode: false });
