import { statfs } from "node:fs/promises";
import { byteSize, type Disk } from "../../domain/disk.ts";
import { TransferError } from "../../domain/failure.ts";
import { elapsed } from "../../domain/elapsed.ts";

/** For how long (ms) the free space that was looked up last is used; what we write ourselves is counted. */
const FRESH_MS = 100;

/** Space on the disk that is promised to one upload. */
export type Claim = {
  /** Call this before writing `bytes`. Throws `noSpace` if they were not claimed and have no room. */
  cover: (bytes: number) => Promise<void>;
  /** Call this when bytes that were covered are written. */
  wrote: (bytes: number) => void;
  /** Gives back what was not written. */
  end: () => void;
};

/** The space for uploads: what is free on the disk, without the reserve and without what other uploads claimed. */
export type Room = {
  /** Claims `bytes` (0: unknown); throws a TransferError `noSpace` if there is no room for them, or for anything. */
  claim: (bytes: number) => Promise<Claim>;
  look: () => Promise<Disk>;
  /** Returns how many claims found no room. */
  refused: () => number;
};

/** Creates the room on the disk with `folder`; `reserveOf`: bytes that a disk of `size` bytes keeps. */
export function createRoom(folder: string, reserveOf: (size: number) => number): Room {
  let claimed = 0;
  let written = 0;
  let refused = 0;
  let seen: { at: number; free: number; size: number } | null = null;
  let looking: Promise<void> | null = null;

  async function ask(): Promise<void> {
    const [at, before] = [elapsed(), written];
    const { bavail, blocks, bsize } = await statfs(folder);
    // What was written before the question is part of the answer.
    written -= before;
    seen = { at, free: bavail * bsize, size: blocks * bsize };
  }

  async function look(since = elapsed() - FRESH_MS): Promise<Disk> {
    while (seen === null || seen.at < since)
      await (looking ??= ask().finally(() => (looking = null)));
    const { free, size } = seen;
    return { free: Math.max(0, free - written), size, reserve: reserveOf(size) };
  }

  const fits = (bytes: number, disk: Disk) => bytes <= disk.free - disk.reserve - claimed;

  async function take(bytes: number): Promise<void> {
    // Others may have freed space since the last look.
    if (!fits(bytes, await look())) {
      const disk = await look(elapsed());
      if (!fits(bytes, disk)) {
        refused += 1;
        throw noRoom(disk, claimed);
      }
    }
    claimed += bytes;
  }

  return {
    look: () => look(),
    refused: () => refused,
    async claim(bytes) {
      await take(bytes);
      let taken = bytes;
      let uncovered = bytes;
      return {
        async cover(wanted) {
          const more = Math.max(0, wanted - uncovered);
          if (more > 0) await take(more);
          taken += more;
          uncovered -= wanted - more;
        },
        wrote(some) {
          taken -= some;
          claimed -= some;
          written += some;
        },
        end() {
          claimed -= taken;
          taken = 0;
        },
      };
    },
  };
}

function noRoom({ free, reserve }: Disk, claimed: number): TransferError {
  return new TransferError(
    "noSpace",
    `the disk is too full for this upload (setting DISK_RESERVE): ${byteSize(free)} are free below DATA_DIR, uploads ` +
      `under way take ${byteSize(claimed)}, and ${byteSize(reserve)} are kept for the databases: delete what is not ` +
      "needed and have its space collected (POST /repository/api/store/collect), or enlarge the disk",
  );
}
