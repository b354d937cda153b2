import { hash } from "node:crypto";
import { mkdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { fileMark, inlineMark, NOWHERE, type Seen } from "./damage.ts";
import { absent, type Pace, readDigest } from "./file-digest.ts";
import type { InlineReader } from "./inline.ts";
import { blobFile, type Layout } from "./layout.ts";
import { createQuarantine, quarantineFile } from "./quarantine.ts";

type Inline = Pick<InlineReader, "get"> & {
  sizeOf: (sha256: string) => number | undefined;
  drop: (sha256: string) => void;
};

/**
 * Looks after what lies in the store under each digest. A content that blobs.db has is read from there,
 * whatever else exists. Names are sha256 in lower-case hex, sizes are those that the contents must have.
 */
export function createCustody(layout: Layout, inline: Inline) {
  /** Returns the mark of what lies there now. */
  function markOf(sha256: string): string {
    const small = inline.get(sha256);
    if (small) return inlineMark(small);
    const stats = statSync(blobFile(layout, sha256), {
      bigint: true,
      throwIfNoEntry: false,
    });
    return stats ? fileMark(stats) : NOWHERE;
  }

  return {
    isInline: (sha256: string): boolean => inline.sizeOf(sha256) !== undefined,

    /** Whether the content is there with its size, without reading it; returns null if it is. */
    async look(sha256: string, size: number): Promise<Seen | null> {
      const small = inline.sizeOf(sha256);
      if (small === size) return null;
      if (small !== undefined) return { sha256, cause: "WRONG", at: markOf(sha256) };
      const stats = await stat(blobFile(layout, sha256), { bigint: true }).catch(absent);
      if (stats === null) return { sha256, cause: "MISSING", at: NOWHERE };
      return Number(stats.size) === size
        ? null
        : { sha256, cause: "WRONG", at: fileMark(stats) };
    },

    /** Reads the whole content; returns null if it is right. A file that the disk cannot read is wrong. */
    async examine(sha256: string, pace: Pace): Promise<Seen | null> {
      const small = inline.get(sha256);
      if (small) {
        await pace(small.length);
        const right = hash("sha256", small) === sha256;
        return right ? null : { sha256, cause: "WRONG", at: inlineMark(small) };
      }
      const found = await readDigest(blobFile(layout, sha256), pace);
      if (found === null) return { sha256, cause: "MISSING", at: NOWHERE };
      return found.sha256 === sha256 ? null : { sha256, cause: "WRONG", at: found.mark };
    },

    /** Whether what was `seen` is still there. */
    isThere: ({ sha256, at }: Seen): boolean => markOf(sha256) === at,

    /**
     * Takes a damaged content out of the store; what was there is kept as a file in the quarantine.
     * Returns false, and changes nothing, if other bytes are there than those that were `seen`.
     */
    quarantine({ sha256, at }: Seen): boolean {
      if (markOf(sha256) !== at) return false;
      if (at === NOWHERE) return true;
      mkdirSync(layout.quarantine, { recursive: true, mode: 0o700 });
      const small = inline.get(sha256);
      if (small) writeFileSync(quarantineFile(layout, sha256), small, { mode: 0o600 });
      else renameSync(blobFile(layout, sha256), quarantineFile(layout, sha256));
      inline.drop(sha256);
      return true;
    },

    ...createQuarantine(layout),
  };
}

export type Custody = ReturnType<typeof createCustody>;
