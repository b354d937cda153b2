import { createHash, hash } from "node:crypto";
import { DIGEST_ALGORITHMS, type DigestAlgorithm } from "../../domain/artifact.ts";
import type { OtherAlgorithm } from "../../domain/content-digests.ts";
import { TransferError } from "../../domain/failure.ts";
import { hashTurn } from "./hash-turns.ts";

/**
 * Digests (lower-case hex) and size that a sender announces for a content; the content must match each
 * given value.
 */
export type Expected = { [A in DigestAlgorithm]?: string | undefined } & {
  size?: number | undefined;
};
/**
 * Size and digests of a content. `md5` is empty if it was not requested; `sha512` and `sha1` are absent
 * if they were not requested.
 */
export type Summary = {
  sha256: string;
  sha512?: string;
  sha1?: string;
  md5: string;
  size: number;
};

export type Digests = {
  size: () => number;
  update: (chunk: Uint8Array) => void;
  summary: () => Summary;
};

export type Wanted = { [A in OtherAlgorithm]?: boolean | undefined };

/** Returns which digests must be computed besides sha256 and md5, so that `verify` can compare them. */
export const wantedOf = ({ sha512, sha1 }: Expected): Wanted => ({
  sha512: sha512 !== undefined,
  sha1: sha1 !== undefined,
});

/**
 * Computes size, sha256 and md5 of the chunks that it is given, and sha512 and sha1 if requested. With
 * `md5` false it computes no md5 and takes less than half the time.
 */
export function createDigests({
  md5: wantsMd5 = true,
  sha512: wantsSha512 = false,
  sha1: wantsSha1 = false,
}: Wanted = {}): Digests {
  const sha256 = createHash("sha256");
  const md5 = wantsMd5 ? createHash("md5") : null;
  const sha512 = wantsSha512 ? createHash("sha512") : null;
  const sha1 = wantsSha1 ? createHash("sha1") : null;
  const all = [sha256, md5, sha512, sha1].filter((each) => each !== null);
  let size = 0;
  return {
    size: () => size,
    update(chunk) {
      for (const each of all) each.update(chunk);
      size += chunk.length;
    },
    summary: () => ({
      sha256: sha256.digest("hex"),
      ...(sha512 ? { sha512: sha512.digest("hex") } : {}),
      ...(sha1 ? { sha1: sha1.digest("hex") } : {}),
      md5: md5?.digest("hex") ?? "",
      size,
    }),
  };
}

/**
 * Computes the digests of a whole stream. Before each chunk it waits for `hashTurn`, which limits how much
 * is hashed at once.
 */
export async function digestChunks(
  chunks: AsyncIterable<Uint8Array>,
  wanted: Wanted = {},
): Promise<Summary> {
  const digests = createDigests(wanted);
  for await (const chunk of chunks) {
    await hashTurn(chunk.length);
    digests.update(chunk);
  }
  return digests.summary();
}

/** Computes the digests of a content in memory at once, without waiting for a turn (`hashTurn`). */
export function summarise(
  content: Uint8Array,
  { sha512 = false, sha1 = false }: Pick<Wanted, "sha512" | "sha1"> = {},
): Summary {
  const more = {
    ...(sha512 ? { sha512: hash("sha512", content) } : {}),
    ...(sha1 ? { sha1: hash("sha1", content) } : {}),
  };
  return {
    sha256: hash("sha256", content),
    ...more,
    md5: hash("md5", content),
    size: content.length,
  };
}

/**
 * Computes the digests of many contents, in their order. Before each content it waits for `hashTurn`, which
 * limits how much is hashed at once.
 */
export async function summariseAll(contents: readonly Uint8Array[]): Promise<Summary[]> {
  const summaries: Summary[] = [];
  for (const content of contents) {
    await hashTurn(content.length);
    summaries.push(summarise(content));
  }
  return summaries;
}

/**
 * Throws a TransferError when the size (`invalid`) or a digest (`digestMismatch`) differs from the
 * announced value.
 */
export function verify(found: Summary, expected: Expected): void {
  if (expected.size !== undefined && expected.size !== found.size) {
    throw new TransferError(
      "invalid",
      `${expected.size} bytes were announced, ${found.size} arrived: send the content again, or announce its size`,
    );
  }
  for (const algorithm of DIGEST_ALGORITHMS) {
    const wanted = expected[algorithm];
    if (wanted === undefined || wanted === found[algorithm]) continue;
    throw new TransferError(
      "digestMismatch",
      `the content has ${algorithm} ${found[algorithm]}, not ${wanted} as announced: ` +
        "send the content again, or announce its digest",
    );
  }
}
