import { readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeBlobFolder } from "./blob-folders.ts";
import { type Pace, readDigest } from "./file-digest.ts";
import { blobFile, isSha256, type Layout, syncFolder } from "./layout.ts";

/** The file of a wrong content in the quarantine; its name is the digest that the content should have. */
export const quarantineFile = (
  { quarantine }: Pick<Layout, "quarantine">,
  sha256: string,
): string => join(quarantine, sha256);

/** Looks after the files in the quarantine, which are never served. */
export function createQuarantine(layout: Layout) {
  return {
    /** Returns the digests under which bytes are kept in the quarantine. */
    async quarantined(): Promise<string[]> {
      return (await readdir(layout.quarantine).catch(() => [])).filter(isSha256);
    },

    /** Puts the bytes that are kept in the quarantine back if they are right after all; returns whether. */
    async putBack(sha256: string, pace: Pace): Promise<boolean> {
      if ((await readDigest(quarantineFile(layout, sha256), pace))?.sha256 !== sha256)
        return false;
      const file = blobFile(layout, sha256);
      await makeBlobFolder(file);
      await rename(quarantineFile(layout, sha256), file);
      await syncFolder(dirname(file));
      return true;
    },

    dropCopy: (sha256: string): Promise<void> =>
      rm(quarantineFile(layout, sha256), { force: true }),
  };
}
