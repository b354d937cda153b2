import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import pLimit from "p-limit";
import {
  createDigests,
  summarise,
  verify,
  wantedOf,
  type Expected,
  type Summary,
} from "./digests.ts";
import { hashTurn } from "./hash-turns.ts";
import { makeBlobFolder } from "./blob-folders.ts";
import {
  blobFile,
  INLINE_LIMIT,
  type Layout,
  storageError,
  syncFolder,
} from "./layout.ts";
import type { Claim, Room } from "./room.ts";
import { type Chunks, createWriter, tooLarge, withFile } from "./writer.ts";

/** Content in the store; `inline`: it is in blobs.db, otherwise in a file. */
export type StoredBlob = Summary & { inline: boolean };

/**
 * Stores small contents in blobs.db; they are durable when the promise resolves. Each replaces other bytes
 * that are there under its digest.
 */
export type PutInline = (
  contents: { sha256: string; content: Uint8Array }[],
) => Promise<void>;

/** Protects contents from being deleted as unused while `work` runs. */
type Hold = <T>(sha256: string[], work: () => Promise<T>) => Promise<T>;

/** Content that arrived completely and matches the announced digests, but is not in the store yet. */
export type Staged = Summary & {
  /**
   * Makes the content durable in the store, then calls `register`, which writes its row in table `blob`
   * synchronously. Meanwhile the collection of unused contents leaves it alone. If the content cannot be kept, nothing
   * of it is left; if `register` fails, it is removed later.
   */
  commit: <T>(register: (blob: StoredBlob) => T) => Promise<T>;
  discard: () => Promise<void>;
};

/**
 * Limits of a body. `length`: how many bytes to keep room for, if `expect` does not say it; `md5` false: the md5 is not
 * needed, and it is not computed for a body larger than INLINE_LIMIT.
 */
export type StageLimits = {
  maxBytes?: number | undefined;
  length?: number | undefined;
  expect?: Expected | undefined;
  md5?: boolean;
};

/**
 * `dropInline`: removes the bytes that are in blobs.db under this digest, if any; they would be read instead
 * of a file.
 */
export type Stager = {
  layout: Layout;
  putInline: PutInline;
  dropInline: (sha256: string) => void;
  hold: Hold;
  room: Room;
};

export const temporaryFile = ({ staging }: Layout): string =>
  join(staging, `u-${randomBytes(12).toString("hex")}`);

/**
 * Receives a whole body: a small one stays in memory, a larger one goes to a file. Throws when the body
 * breaks, is too large, does not match the announced digests or has no room on the disk; nothing of it is left then.
 */
export async function stage(
  stager: Stager,
  body: Chunks,
  limits: StageLimits = {},
): Promise<Staged> {
  const claim = await stager.room.claim(limits.expect?.size ?? limits.length ?? 0);
  return receive(stager, body, claim, limits).finally(claim.end);
}

async function receive(
  stager: Stager,
  body: Chunks,
  claim: Claim,
  { maxBytes = Infinity, expect = {}, md5 = true }: StageLimits,
): Promise<Staged> {
  const chunks = limited(body, maxBytes);
  const start: Uint8Array[] = [];
  let size = 0;
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
    start.push(next.value);
    size += next.value.length;
    if (size > INLINE_LIMIT)
      return stageFile(stager, start, chunks, { expect, md5, claim });
  }
  const content = Buffer.concat(start);
  await hashTurn(size);
  const summary = summarise(content, wantedOf(expect));
  verify(summary, expect);
  return stagedContent(stager, content, summary);
}

async function* limited(
  body: Chunks,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    yield chunk;
  }
}

/** Wraps a content in memory as `Staged` content, to be committed later. */
export function stagedContent(
  { putInline, hold }: Stager,
  content: Uint8Array,
  summary: Summary,
): Staged {
  return {
    ...summary,
    commit: (register) =>
      hold([summary.sha256], async () => {
        await putInline([{ sha256: summary.sha256, content }]);
        return register({ ...summary, inline: true });
      }),
    discard: async () => undefined,
  };
}

async function stageFile(
  stager: Stager,
  start: Uint8Array[],
  rest: Chunks,
  { expect, md5, claim }: { expect: Expected; md5: boolean; claim: Claim },
): Promise<Staged> {
  const file = temporaryFile(stager.layout);
  const digests = createDigests({ ...wantedOf(expect), md5 });
  try {
    const handle = await open(file, "wx", 0o600);
    await withFile(handle, async () => {
      const writer = createWriter(handle, digests, claim);
      for (const chunk of start) await writer.add(chunk);
      for await (const chunk of rest) await writer.add(chunk);
      await writer.flush();
    });
    const summary = digests.summary();
    verify(summary, expect);
    return stagedFile(stager, file, summary);
  } catch (error) {
    await rm(file, { force: true });
    throw storageError(error);
  }
}

/** Makes a `Staged` of a complete, durable file in the staging folder. */
export function stagedFile(stager: Stager, file: string, summary: Summary): Staged {
  return {
    ...summary,
    commit: (register) =>
      stager.hold([summary.sha256], async () => {
        await moveIn(stager, file, summary).catch(async (error: unknown) => {
          await rm(file, { force: true });
          throw storageError(error);
        });
        return register({ ...summary, inline: false });
      }),
    discard: () => rm(file, { force: true }),
  };
}

const FILES_AT_ONCE = 8;

/**
 * Writes contents from memory into files of the store and makes them durable. The caller must protect
 * them from collection (`hold`).
 */
export async function writeFiles(
  stager: Stager,
  contents: (Summary & { content: Uint8Array })[],
): Promise<void> {
  const limit = pLimit(FILES_AT_ONCE);
  const ended = await Promise.allSettled(
    contents.map((each) => limit(() => writeFile(stager, each))),
  );
  for (const end of ended) if (end.status === "rejected") throw end.reason;
}

async function writeFile(
  stager: Stager,
  { content, ...summary }: Summary & { content: Uint8Array },
): Promise<void> {
  const file = temporaryFile(stager.layout);
  try {
    const handle = await open(file, "wx", 0o600);
    await withFile(handle, async () => {
      await handle.writeFile(content);
      await handle.datasync();
    });
    await moveIn(stager, file, summary);
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

/**
 * Moves a verified file into the store, in place of what is there: nobody has verified that since it was
 * written. Whoever reads the earlier file goes on reading it.
 */
async function moveIn(
  { layout, dropInline }: Stager,
  file: string,
  { sha256 }: Summary,
): Promise<void> {
  const target = blobFile(layout, sha256);
  await makeBlobFolder(target);
  await rename(file, target);
  await syncFolder(dirname(target));
  dropInline(sha256);
}
