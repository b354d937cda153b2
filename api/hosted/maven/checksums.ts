import { setBounded } from "../../../domain/bounded.ts";
import type { Store } from "../../../activities/store/store.ts";
import { CHECKSUMS, type Checksum } from "../../../domain/maven/layout.ts";
import type { FileRow } from "../../http/send-file.ts";

/**
 * Returns a function that finds a checksum of a file, in hex: the one in the file's row, else that
 * of its content. It rejects if the content cannot be read.
 */
export function createChecksums(store: Pick<Store, "digestOf">) {
  return async (
    { sha256, md5 }: Pick<FileRow, "sha256" | "md5">,
    checksum: Checksum,
  ): Promise<string> => {
    if (checksum === "sha256") return sha256;
    if (checksum === "md5" && md5 !== null) return md5;
    return store.digestOf(sha256, checksum);
  };
}

const LENGTHS: Record<Checksum, number> = { md5: 32, sha1: 40, sha256: 64, sha512: 128 };

/**
 * Finds the hex among the first 100 words of a checksum file: alone, before the name of the file,
 * or after `SHA1 (file) =`. Returns it in lower case; null if no word is hex of the right length.
 */
export function parseChecksum(text: string, checksum: Checksum): string | null {
  const isHex = (word: string) =>
    word.length === LENGTHS[checksum] && /^[0-9a-f]+$/i.test(word);
  return text.split(/\s+/, 100).find(isHex)?.toLowerCase() ?? null;
}

/**
 * Maximum number of checksums remembered because they were uploaded before their file. A restart
 * forgets them.
 */
const MOST_EXPECTED = 10_000;

const keyOf = (repositoryId: number, path: string, checksum: Checksum) =>
  `${repositoryId} ${checksum} ${path}`;

export function createExpectations() {
  const expected = new Map<string, string>();
  return {
    add(repositoryId: number, path: string, checksum: Checksum, hex: string): void {
      setBounded(expected, keyOf(repositoryId, path, checksum), hex, MOST_EXPECTED);
    },
    /**
     * Returns the checksums that were uploaded before their file, and forgets them: if the upload
     * of the file fails, clients send them again.
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
