import type { Store } from "../../../activities/store/store.ts";
import { CHECKSUMS, type Checksum } from "../../../domain/maven/layout.ts";
import type { FileRow } from "../../http/send-file.ts";

export type Checksums = ReturnType<typeof createChecksums>;

/** The checksums of files, in hex. */
export function createChecksums(store: Pick<Store, "digestOf">) {
  return async ({ sha256, md5 }: Pick<FileRow, "sha256" | "md5">, checksum: Checksum): Promise<string> => {
    if (checksum === "sha256") return sha256;
    if (checksum === "md5" && md5 !== null) return md5;
    return store.digestOf(sha256, checksum);
  };
}

const LENGTHS: Record<Checksum, number> = { md5: 32, sha1: 40, sha256: 64, sha512: 128 };

/**
 * The hex of a checksum file: by itself, before the file's name, or after `SHA1 (file) =`; null when there is none of
 * this kind.
 */
export function parseChecksum(text: string, checksum: Checksum): string | null {
  const isHex = (word: string) => word.length === LENGTHS[checksum] && /^[0-9a-f]+$/i.test(word);
  return text.split(/\s+/, 100).find(isHex)?.toLowerCase() ?? null;
}

/** Checksums that came before their file. They are forgotten by a restart, and the oldest when there are too many. */
const MOST_EXPECTED = 10_000;

const keyOf = (repositoryId: number, path: string, checksum: Checksum) => `${repositoryId} ${checksum} ${path}`;

export type Expectations = ReturnType<typeof createExpectations>;

export function createExpectations() {
  const expected = new Map<string, string>();
  return {
    add(repositoryId: number, path: string, checksum: Checksum, hex: string): void {
      expected.set(keyOf(repositoryId, path, checksum), hex);
      if (expected.size > MOST_EXPECTED) expected.delete(expected.keys().next().value ?? "");
    },
    /**
     * What is expected of the file, which is not expected any more: whatever comes of it, its checksums may be sent
     * again.
     */
    take(repositoryId: number, path: string): [Checksum, string][] {
      return CHECKSUMS.flatMap((checksum) => {
        const key = keyOf(repositoryId, path, checksum);
        const hex = expected.get(key);
        expected.delete(key);
        return hex === undefined ? [] : [[checksum, hex] as [Checksum, string]];
      });
    },
  };
}
