import { hash } from "node:crypto";
import type { Part } from "../../../../domain/artifact.ts";
import { TransferError, toTransferError } from "../../../../domain/failure.ts";
import { throwIfStopped } from "../../unless-aborted.ts";
import { checked } from "../../verified.ts";
import { type Copy, type Item, isKnown, type KnownPart, settleFailure } from "./copy.ts";
import type { Contents } from "./statement.ts";

/**
 * Contents up to this size (bytes) are attached to a declaration, unless the target's limit is lower; larger
 * ones use an upload session.
 */
export const SMALL_BYTES = 1024 * 1024;
/** Contents up to this size (bytes) are read together, many in one call, if the source can. */
export const TINY_BYTES = 16 * 1024;

/** Maximum size (bytes) of the slices in which a content is passed on; the rate limit may split them further. */
export const SLICE_BYTES = 1024 * 1024;

export type Wanted = { item: Item; part: KnownPart };

/**
 * Reads and verifies contents and returns them by sha256. The failure to read a content becomes the outcome of
 * the items that want it.
 */
export async function readContents(
  copy: Copy,
  wanted: readonly Wanted[],
): Promise<Contents> {
  const contents = await readTiny(
    copy,
    wanted.map(({ part }) => part),
  );
  const lacks = new Map<string, TransferError>();
  for (const { item, part } of wanted) {
    const { sha256 } = part.digests;
    if (!contents.has(sha256) && !lacks.has(sha256)) {
      const content = await readWhole(copy, item, part).catch(toTransferError);
      throwIfStopped(copy.hooks.signal);
      if (content instanceof TransferError) lacks.set(sha256, content);
      else contents.set(sha256, content);
    }
    const lack = lacks.get(sha256);
    if (lack) settleFailure(copy, item, lack);
  }
  return contents;
}

/**
 * Reads tiny contents together. Leaves out those that the source does not return or whose sha256 is
 * wrong: they are read one by one afterwards.
 */
async function readTiny(
  { source, hooks }: Copy,
  parts: readonly KnownPart[],
): Promise<Contents> {
  const tiny = new Map(
    parts
      .filter(({ size }) => size <= TINY_BYTES)
      .map((part) => [part.digests.sha256, part]),
  );
  const read =
    tiny.size === 0 || !source.openSmall
      ? new Map<string, Buffer>()
      : await source.openSmall([...tiny.values()], hooks.signal);
  return new Map(
    [...read].filter(([sha256, content]) => hash("sha256", content) === sha256),
  );
}

async function readWhole(
  copy: Copy,
  { artifact }: Item,
  part: KnownPart,
): Promise<Buffer> {
  const { chunks } = await copy.source.open(artifact, part, 0, copy.hooks.signal);
  const read: Uint8Array[] = [];
  for await (const chunk of checked(chunks, part, {
    damaged: (found) => copy.source.damaged(part, found),
  }))
    read.push(chunk);
  return Buffer.concat(read);
}

/**
 * The content of a part whose sha256 or size is unknown: either all of it with the facts that were
 * learned, or an open reader at the start of a content that is too large for memory.
 */
type Beginning =
  { known: KnownPart; content: Buffer } | { reader: Reader; size: number | null };

/** Reads up to SMALL_BYTES of a part. Returns the whole content if it is not larger, else a reader at its start. */
export async function readBeginning(
  copy: Copy,
  item: Item,
  part: Part,
): Promise<Beginning> {
  const { reader, size, known } = await openReader(copy, item, part, 0);
  try {
    const head = await reader.gather(SMALL_BYTES);
    if (head.length < SMALL_BYTES || (await reader.isOver()))
      return { known: known(), content: head };
    reader.putBack(head);
    return { reader, size };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/**
 * Opens a content for reading in portions, from `offset` on. `known` returns the part with its size and sha256,
 * which reading from start to end reveals; it throws while one of them is unknown.
 */
export async function openReader(
  copy: Copy,
  { artifact }: Item,
  part: Part,
  offset: number,
): Promise<{ reader: Reader; size: number | null; known: () => KnownPart }> {
  const opened = await copy.source.open(artifact, part, offset, copy.hooks.signal);
  const size = part.size ?? opened.size;
  const damaged = (found: string) => copy.source.damaged(part, found);
  let learnt = part;
  const whole = checked(
    opened.chunks,
    { ...part, size },
    {
      damaged,
      onRead: (read) =>
        (learnt = {
          ...part,
          size: read.size,
          digests: { ...part.digests, ...read.digests },
        }),
    },
  );
  const chunks = offset === 0 ? whole : rest(opened.chunks, offset, size, damaged);
  const known = (): KnownPart => {
    if (isKnown(learnt)) return learnt;
    throw new TransferError("server", `${part.path} was not read to its end`);
  };
  return { reader: createReader(chunks), size, known };
}

/**
 * Passes on a content that is read from an `offset` and checks its length; the digest is verified by
 * the target.
 */
async function* rest(
  chunks: AsyncIterable<Uint8Array>,
  offset: number,
  size: number | null,
  damaged: (found: string) => TransferError,
): AsyncGenerator<Uint8Array> {
  let at = offset;
  for await (const chunk of chunks) {
    at += chunk.length;
    if (size !== null && at > size) throw damaged(`more than the expected ${size} bytes`);
    yield chunk;
  }
  if (size !== null && at < size) throw damaged(`${at} of the expected ${size} bytes`);
}

export type Reader = ReturnType<typeof createReader>;

function createReader(chunks: AsyncIterable<Uint8Array>) {
  const iterator = chunks[Symbol.asyncIterator]();
  let rest: Uint8Array | null = null;

  async function next(): Promise<Uint8Array | null> {
    if (rest !== null && rest.length > 0) return rest;
    const { value, done } = await iterator.next();
    rest = done === true ? null : value;
    return rest;
  }

  async function* take(length: number): AsyncGenerator<Uint8Array, void> {
    for (let left = length; left > 0;) {
      const chunk = await next();
      if (chunk === null) return;
      const slice = chunk.subarray(0, Math.min(left, SLICE_BYTES));
      rest = chunk.subarray(slice.length);
      left -= slice.length;
      yield slice;
    }
  }

  return {
    take,
    /** Reads at most `most` bytes; fewer at the end. */
    async gather(most: number): Promise<Buffer> {
      const slices: Uint8Array[] = [];
      for await (const slice of take(most)) slices.push(slice);
      return Buffer.concat(slices);
    },
    isOver: async (): Promise<boolean> => (await next()) === null,
    putBack: (bytes: Uint8Array): void =>
      void (rest = rest === null ? bytes : Buffer.concat([bytes, rest])),
    close: async (): Promise<void> => void (await iterator.return?.()),
  };
}
