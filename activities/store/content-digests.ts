import type { OtherAlgorithm, OtherDigests } from "../../domain/content-digests.ts";
import { TransferError } from "../../domain/failure.ts";
import { digestChunks, type Summary } from "./digests.ts";
import type { LocalSource } from "./local-source.ts";

/** Stores digests of contents other than sha256, by sha256. A lost entry costs one more read of the content. */
export type DigestMemory = {
  get: (sha256: string) => OtherDigests;
  keep: (sha256: string, digests: OtherDigests) => void;
};

/**
 * Looks up digests of contents in the store in other algorithms than sha256. A content is read once for
 * all of them; hashing is limited as in hash-turns.ts.
 */
export function createContentDigests(
  { openToSend }: Pick<LocalSource, "openToSend">,
  memory: DigestMemory,
) {
  const reading = new Map<string, Promise<Summary>>();

  async function read(sha256: string): Promise<Summary> {
    const { chunks } = await openToSend(sha256);
    const summary = await digestChunks(chunks, { sha512: true, sha1: true });
    if (summary.sha256 === sha256) return summary;
    throw new TransferError(
      "invalid",
      `the content sha256:${sha256} is damaged in the store: upload the file again`,
    );
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
     * Returns the digest in lower-case hex. Throws a TransferError `notFound` when the content does not
     * exist.
     */
    async digestOf(sha256: string, algorithm: OtherAlgorithm): Promise<string> {
      const known = memory.get(sha256)[algorithm];
      if (known !== undefined) return known;
      const { sha512 = "", sha1 = "", md5 } = await readOnce(sha256);
      const digests = { sha512, sha1, md5 };
      memory.keep(sha256, digests);
      return digests[algorithm];
    },
    /** Records the digests that were computed while the content arrived. */
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
