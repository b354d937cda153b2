import { createHash } from "node:crypto";
import {
  DIGEST_ALGORITHMS,
  type DigestAlgorithm,
  type Digests,
} from "../../domain/artifact.ts";
import type { KnownContent } from "../../domain/content-digests.ts";
import { TransferError } from "../../domain/failure.ts";
import { digestParts, type Digest } from "../../domain/digest.ts";

/** Returns the digest of `bytes` in the algorithm `like`. */
export function digestOf(
  bytes: Uint8Array,
  like: "sha256" | "sha512" = "sha256",
): Digest {
  return `${like}:${createHash(like).update(bytes).digest("hex")}`;
}

/**
 * The expected digest and size of a stream. `told`: the length that its sender states; `misstated`: makes the error for
 * a stream whose digest is right and whose expected size is wrong.
 */
type Expected = {
  digest: Digest;
  size: number;
  told?: number | null;
  misstated?: (actual: number) => TransferError;
};

/**
 * Passes a stream through and verifies it. The last chunk is held back until size and digest are right, so a receiver
 * never gets all of a wrong stream, and nothing when the stated length is wrong. Throws `digestMismatch`, or the
 * `misstated` error if only the size is wrong; `what` names the content and its source.
 */
export async function* verified(
  source: AsyncIterable<Buffer>,
  expected: Expected,
  what: string,
): AsyncGenerator<Buffer, void, undefined> {
  const { misstated } = expected;
  const { algorithm } = digestParts(expected.digest);
  const hash = createHash(algorithm);
  let size = 0;
  let held: Buffer | undefined;
  let wrong = (expected.told ?? expected.size) !== expected.size;
  for await (const chunk of source) {
    size += chunk.length;
    wrong ||= size > expected.size;
    // The rest of content with a wrong size is read only for `misstated`: the digest shows whether the content
    // or the expected size is wrong.
    if (wrong && !misstated)
      throw damagedAt(what, `more than the expected ${expected.size} bytes`);
    hash.update(chunk);
    if (held !== undefined && !wrong) yield held;
    held = chunk;
  }
  const digest = `${algorithm}:${hash.digest("hex")}`;
  if (size !== expected.size && misstated && digest === expected.digest)
    throw misstated(size);
  if (size > expected.size)
    throw damagedAt(what, `more than the expected ${expected.size} bytes`);
  if (size < expected.size)
    throw damagedAt(what, `${size} of the expected ${expected.size} bytes`);
  if (digest !== expected.digest) throw damagedAt(what, `other content (${digest})`);
  if (held !== undefined) yield held;
}

/** The size and the digests of a content that was read; `digests` includes its sha256. */
export type Read = { size: number; digests: Digests };

/** Computes the hashes of one content in several algorithms at once. */
export function createHashes(algorithms: readonly DigestAlgorithm[]): {
  update: (chunk: Uint8Array) => void;
  digests: () => Digests;
} {
  const hashes = [...new Set(algorithms)].map(
    (each) => [each, createHash(each)] as const,
  );
  return {
    update: (chunk) => hashes.forEach(([, hash]) => hash.update(chunk)),
    digests: () =>
      Object.fromEntries(hashes.map(([each, hash]) => [each, hash.digest("hex")])),
  };
}

type Checks = {
  /** Builds the error to throw; `found` describes the bytes that were read. */
  damaged: (found: string) => TransferError;
  /** Called with size and digests of the whole content, before its last chunk is passed on. */
  onRead?: (read: Read) => void;
};

/**
 * Passes a stream through and verifies it by its size and its strongest digest, as far as they are known;
 * throws the error of `damaged` when one is wrong. The last chunk is held back until both are verified.
 */
export async function* checked<T extends Uint8Array>(
  source: AsyncIterable<T>,
  { size, digests }: KnownContent,
  { damaged, onRead }: Checks,
): AsyncGenerator<T, void, undefined> {
  const algorithm =
    DIGEST_ALGORITHMS.find((each) => digests[each] !== undefined) ?? "sha256";
  const hashes = createHashes(onRead ? [algorithm, "sha256"] : [algorithm]);
  let length = 0;
  let held: T | undefined;
  for await (const chunk of source) {
    length += chunk.length;
    if (size !== null && length > size)
      throw damaged(`more than the expected ${size} bytes`);
    hashes.update(chunk);
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (size !== null && length < size)
    throw damaged(`${length} of the expected ${size} bytes`);
  const found = hashes.digests();
  const expected = digests[algorithm];
  if (expected !== undefined && found[algorithm] !== expected)
    throw damaged(`other content (${algorithm}:${found[algorithm]})`);
  onRead?.({ size: length, digests: found });
  if (held !== undefined) yield held;
}

/** Builds the error for content that differs from the description that its registry gives. */
export function damagedAt(what: string, found: string): TransferError {
  return new TransferError(
    "digestMismatch",
    `${what}: the source sends ${found}: the copy at the source is corrupt; push it there again`,
  );
}
