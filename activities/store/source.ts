import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { TransferError } from "../../domain/failure.ts";
import { blobFile, isSha256, type Layout } from "./layout.ts";
import { openInlineReader, type InlineReader } from "./inline.ts";
import { createRemoteSource, type InternalCall } from "./remote-source.ts";

/** Bytes `start` to `end`, both included; `end` open = to the last. */
export type Range = { start: number; end?: number | undefined };

/** `size` is that of the whole content. The stream must be read or destroyed. */
export type Opened = { size: number; stream: Readable };

/** Reads content by its sha256 (lower-case hex), wherever it lies. */
export type ContentSource = {
  /** TransferError `notFound` when there is no such content. */
  open: (sha256: string, range?: Range, signal?: AbortSignal) => Promise<Opened>;
  /** Those of the named contents that are small (INLINE_LIMIT) and there; the others are opened one by one. At most 256. */
  readSmall: (sha256: string[], signal?: AbortSignal) => Promise<Map<string, Buffer>>;
  close: () => Promise<void>;
};

const READ_SIZE = 256 * 1024;

export const missing = (sha256: string) =>
  new TransferError("notFound", `the content sha256:${sha256} is not in the store: upload the file again`);

/** Content on this machine's disk. */
export function createLocalSource(layout: Layout, inline: Pick<InlineReader, "get">): Omit<ContentSource, "close"> {
  return {
    async open(sha256, { start, end } = { start: 0 }) {
      const file = blobFile(layout, sha256);
      const small = inline.get(sha256);
      if (small) return { size: small.length, stream: streamOf(small.subarray(start, end === undefined ? undefined : end + 1)) };
      const handle = await open(file, "r").catch((error: NodeJS.ErrnoException) => {
        throw error.code === "ENOENT" ? missing(sha256) : error;
      });
      const { size } = await handle.stat();
      const last = Math.min(end ?? size - 1, size - 1);
      if (start > last) {
        await handle.close();
        return { size, stream: streamOf(Buffer.alloc(0)) };
      }
      return { size, stream: handle.createReadStream({ start, end: last, highWaterMark: READ_SIZE }) };
    },
    async readSmall(digests) {
      const found = digests.map((sha256) => [sha256, isSha256(sha256) ? inline.get(sha256) : undefined] as const);
      return new Map(found.filter((entry): entry is [string, Buffer] => entry[1] !== undefined));
    },
  };
}

const streamOf = (content: Buffer) => Readable.from(content.length > 0 ? [content] : [], { objectMode: false });

/** A worker's way to hosted content: from the disk where it runs beside the control plane (`local`), else through the internal API. */
export function createContentSource({ local, call }: { local: Layout | null; call: InternalCall }): ContentSource {
  if (!local) return createRemoteSource(call);
  const inline = openInlineReader(local.inlineFile);
  return { ...createLocalSource(local, inline), close: async () => inline.close() };
}
