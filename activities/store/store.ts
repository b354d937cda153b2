import { renameSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { syncBlobFolders } from "./blob-folders.ts";
import type { Disk } from "../../domain/disk.ts";
import { createContentDigests, type DigestMemory } from "./content-digests.ts";
import { createCustody, type Custody } from "./custody.ts";
import { summarise, type Summary } from "./digests.ts";
import type { InlineReader } from "./inline.ts";
import {
  blobFile,
  INLINE_LIMIT,
  isSha256,
  type Layout,
  makeFolders,
  storageError,
} from "./layout.ts";
import { createRoom, type Room } from "./room.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { createLocalSource, type LocalSource } from "./local-source.ts";
import {
  stage,
  type PutInline,
  type StageLimits,
  type Staged,
  type StoredBlob,
  writeFiles,
} from "./stage.ts";
import type { Chunks } from "./writer.ts";

/** A content in memory; `summary`: its digests and size, if they are already known. */
type Content = { content: Uint8Array; summary?: Summary | undefined };

/**
 * Contents by their sha256: files below DATA_DIR/blobs, small contents in blobs.db. Only the control plane
 * writes to the store. A content is made durable first and registered in the database afterwards
 * (`commit`), so a crash in between leaves no row without its content.
 */
export type Store = Pick<LocalSource, "open" | "openToSend" | "readSmall"> &
  ReturnType<typeof createContentDigests> & {
    stage: (body: Chunks, limits?: StageLimits) => Promise<Staged>;
    /**
     * Makes many in-memory contents durable in the store, then calls `register`, which writes their rows in
     * table `blob` synchronously. Meanwhile the collection of unused contents leaves them alone.
     */
    putAll: <T>(
      contents: readonly Content[],
      register: (blobs: StoredBlob[]) => T,
    ) => Promise<T>;
    sessions: Sessions;
    custody: Custody;
    /** Looks how much of the disk is free, and how much of it uploads leave free. */
    disk: () => Promise<Disk>;
    /** Returns how many uploads were refused: for lack of room on the disk, and of open sessions. */
    refusals: () => { disk: number; sessions: number };
    /**
     * Whether a commit of this content is in progress; if so, the collection of unused contents must
     * leave it alone.
     */
    isHeld: (sha256: string) => boolean;
    /**
     * Removes a content from the store at once, unless it is held (`isHeld`); resolves when its disk
     * space is free. Must be called right after the row of the content was deleted.
     */
    remove: (sha256: string) => Promise<void>;
    /**
     * Returns the sha256 of all contents that start with these two hex digits, whether registered in
     * the database or not.
     */
    digests: (prefix: string) => Promise<string[]>;
    /** Removes the leftovers of earlier processes. Must be called once, before anything is staged. */
    sweep: (now: number) => Promise<void>;
  };

type InlineStore = Pick<InlineReader, "get"> & {
  put: PutInline;
  remove: (sha256: string) => void;
  sizeOf: (sha256: string) => number | undefined;
  drop: (sha256: string) => void;
  withPrefix: (prefix: string) => string[];
  digests: DigestMemory;
};

/** Creates the store below DATA_DIR. `reserveOf`: bytes that uploads leave free on a disk of that size. */
export function createStore(
  layout: Layout,
  inline: InlineStore,
  { reserveOf = () => 0 }: { reserveOf?: (size: number) => number } = {},
): Store {
  makeFolders(layout);
  const holds = createHolds();
  const room = createRoom(layout.blobs, reserveOf);
  const stager = {
    layout,
    putInline: inline.put,
    dropInline: inline.drop,
    hold: holds.hold,
    room,
  };
  const sessions = createSessions(stager);
  const { open, openToSend, readSmall } = createLocalSource(layout, inline);
  return {
    ...createContentDigests({ openToSend }, inline.digests),
    open,
    openToSend,
    readSmall,
    sessions,
    custody: createCustody(layout, inline),
    disk: room.look,
    refusals: () => ({ disk: room.refused(), sessions: sessions.refused() }),
    isHeld: holds.isHeld,
    stage: (body, limits) => stage(stager, body, limits),

    async putAll(contents, register) {
      const blobs = contents.map(({ content, summary = summarise(content) }) => ({
        ...summary,
        inline: content.length <= INLINE_LIMIT,
        content,
      }));
      const digests = blobs.map(({ sha256 }) => sha256);
      const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
      return holds.hold(digests, async () => {
        await withRoom(room, bytes, async () => {
          await inline.put(blobs.filter((blob) => blob.inline));
          await writeFiles(
            stager,
            blobs.filter((blob) => !blob.inline),
          );
        });
        return register(blobs.map(({ content: _content, ...blob }) => blob));
      });
    },

    async remove(sha256) {
      if (holds.isHeld(sha256)) return;
      inline.remove(sha256);
      await unlink(layout, blobFile(layout, sha256));
    },

    digests: async (prefix) => [
      ...(await filesIn(join(layout.blobs, prefix))),
      ...inline.withPrefix(prefix),
    ],

    async sweep(now) {
      await syncBlobFolders(layout);
      const left = await readdir(layout.staging);
      for (const name of left.filter((entry) => entry.startsWith("u-")))
        await rm(join(layout.staging, name), { force: true });
      await sessions.expire(now);
      await sessions.find();
    },
  };
}

/** Returns the digests that have a file below a folder. */
async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names.map((name) => basename(name)).filter(isSha256);
}

/** Runs `write`, which writes `bytes` to the disk; throws a TransferError `noSpace` if there is no room for them. */
async function withRoom(
  room: Room,
  bytes: number,
  write: () => Promise<void>,
): Promise<void> {
  const claim = await room.claim(bytes);
  try {
    await write();
    claim.wrote(bytes);
  } finally {
    claim.end();
  }
}

/**
 * Removes a file. The rename is synchronous, so its name is free at once; freeing the blocks of a large
 * file takes too long to block the thread.
 */
async function unlink(layout: Layout, file: string): Promise<void> {
  const grave = join(layout.staging, `u-${basename(file)}`);
  try {
    renameSync(file, grave);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
    throw error;
  }
  await rm(grave, { force: true });
}

function createHolds() {
  const held = new Map<string, number>();
  return {
    isHeld: (sha256: string) => held.has(sha256),
    async hold<T>(digests: string[], work: () => Promise<T>): Promise<T> {
      for (const sha256 of digests) held.set(sha256, (held.get(sha256) ?? 0) + 1);
      try {
        return await work();
      } catch (error) {
        throw storageError(error);
      } finally {
        for (const sha256 of digests) {
          const left = (held.get(sha256) ?? 1) - 1;
          if (left > 0) held.set(sha256, left);
          else held.delete(sha256);
        }
      }
    },
  };
}
