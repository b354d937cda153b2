import { createHash } from "node:crypto";
import { hashTurn } from "../../activities/store/hash-turns.ts";
import type { Store } from "../../activities/store/store.ts";
import { CHECKSUMS, type Checksum } from "../../domain/maven.ts";
import type { FileRow } from "../send-file.ts";

type Sums = { sha1: string; sha512: string };

/** sha1 and sha512 are found by reading the content, once: so many are remembered. */
const MOST_KNOWN = 20_000;

export type Checksums = ReturnType<typeof createChecksums>;

/** The checksums of files, in hex. */
export function createChecksums(store: Pick<Store, "open">) {
  const known = new Map<string, Promise<Sums>>();

  function sumsOf(sha256: string): Promise<Sums> {
    const found = known.get(sha256) ?? read(store, sha256);
    known.delete(sha256);
    known.set(sha256, found);
    found.catch(() => known.delete(sha256));
    if (known.size > MOST_KNOWN) known.delete(known.keys().next().value ?? sha256);
    return found;
  }

  return async ({ sha256, md5 }: Pick<FileRow, "sha256" | "md5">, checksum: Checksum): Promise<string> => {
    if (checksum === "sha256") return sha256;
    if (checksum === "md5" && md5 !== null) return md5;
    return (await sumsOf(sha256))[checksum === "sha1" ? "sha1" : "sha512"];
  };
}

async function read(store: Pick<Store, "open">, sha256: string): Promise<Sums> {
  const hashes = { sha1: createHash("sha1"), sha512: createHash("sha512") };
  for await (const chunk of (await store.open(sha256)).stream as AsyncIterable<Uint8Array>) {
    await hashTurn(chunk.length);
    hashes.sha1.update(chunk);
    hashes.sha512.update(chunk);
  }
  return { sha1: hashes.sha1.digest("hex"), sha512: hashes.sha512.digest("hex") };
}

const LENGTHS: Record<Checksum, number> = { md5: 32, sha1: 40, sha256: 64, sha512: 128 };

/** The hex of a checksum file: by itself, before the file's name, or after `SHA1 (file) =`; null when there is none of this kind. */
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
    /** What is expected of the file, which is not expected any more: whatever comes of it, its checksums may be sent again. */
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
