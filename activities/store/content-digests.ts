import type { OtherAlgorithm, OtherDigests } from "../../domain/content-digests.ts";
import { wrong } from "./damage.ts";
import { digestChunks, type Summary } from "./digests.ts";
import type { LocalSource } from "./local-source.ts";

/** Keeps the sha512, sha1 and md5 of contents, by sha256. A lost entry costs one more read of the content. */
export type DigestMemory = {
  get: (sha256: string) => OtherDigests;
  keep: (sha256: string, digests: OtherDigests) => void;
};

/**
 * Creates a lookup of the sha512, sha1 and md5 of contents in the store. A content is read once for all
 * three; how much is hashed at once is limited (hash-turns.ts).
 */
export function createContentDigests(
  { openToSend }: Pick<LocalSource, "openToSend">,
  memory: DigestMemory,
) {
  const reading = new Map<string, Promise<Summary>>();

  async function read(sha256: string): Promise<Summary> {
    const { mark, chunks } = await openToSend(sha256);
    const summary = await digestChunks(chunks, { sha512: true, sha1: true });
    if (summary.sha256 === sha256) return summary;
    throw wrong(sha256, mark());
  }

  function readOnce(sha256: string): Promise<Summary> {
    const under = reading.get(sha256);
    if (under) return under;
    const begun = read(sha256).finally(() => reading.delete(sha256));
    reading.set(sha256, begun);
    return begun;
  }

  return {
    /**
     * Returns the digest of a content in lower-case hex. If the digest is not known yet, reads the content:
     * throws a ContentDamage when the content is gone or wrong.
     */
    async digestOf(sha256: string, algorithm: OtherAlgorithm): Promise<string> {
      const known = memory.get(sha256)[algorithm];
      if (known !== undefined) return known;
      const { sha512 = "", sha1 = "", md5 } = await readOnce(sha256);
      const digests = { sha512, sha1, md5 };
      memory.keep(sha256, digests);
      return digests[algorithm];
    },
    /** Records the digests that were computed while the content arrived, if a sha512 or sha1 is among them. */
    keepDigests({ sha256, sha512, sha1, md5 }: Summary): void {
      if (sha512 === undefined && sha1 === undefined) return;
      memory.keep(sha256, {
        ...(sha512 ? { sha512 } : {}),
        ...(sha1 ? { sha1 } : {}),
        ...(md5 ? { md5 } : {}),
      });
    },
  };
}
