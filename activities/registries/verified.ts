import { createHash } from "node:crypto";
import { DIGEST_ALGORITHMS, type DigestAlgorithm, type Digests } from "../../domain/artifact.ts";
import type { KnownContent } from "../../domain/content-digests.ts";
import { TransferError } from "../../domain/failure.ts";
import { digestParts, type Digest } from "../../domain/digest.ts";

/** The digest of `bytes` in the algorithm of `like`. */
export function digestOf(bytes: Uint8Array, like: "sha256" | "sha512" = "sha256"): Digest {
  return `${like}:${createHash(like).update(bytes).digest("hex")}`;
}

/**
 * What is expected of a stream. `told`: the length that its sender tells; `misstated`: the error where only the
 * expected size is wrong.
 */
type Expected = {
  digest: Digest;
  size: number;
  told?: number | null;
  misstated?: (actual: number) => TransferError;
};

/**
 * The same bytes, checked: the last chunk is held back until size and digest are known to be right, so whoever receives
 * a wrong stream never receives all of it, and nothing of one that is told to have another length. Throws
 * `digestMismatch`, or what `misstated` makes of a stream that has the digest, and not the size; `what` names the thing
 * and its source.
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
    // Read on only to find out whether content or size is wrong.
    if (wrong && !misstated) throw damagedAt(what, `more than its ${expected.size} bytes`);
    hash.update(chunk);
    if (held !== undefined && !wrong) yield held;
    held = chunk;
  }
  const digest = `${algorithm}:${hash.digest("hex")}`;
  if (size !== expected.size && misstated && digest === expected.digest) throw misstated(size);
  if (size > expected.size) throw damagedAt(what, `more than its ${expected.size} bytes`);
  if (size < expected.size) throw damagedAt(what, `${size} of its ${expected.size} bytes`);
  if (digest !== expected.digest) throw damagedAt(what, `other content (${digest})`);
  if (held !== undefined) yield held;
}

/** What was read of it; `digests` has its sha256, too. */
export type Read = { size: number; digests: Digests };

/** Hashes of one content in several algorithms at once. */
export function createHashes(algorithms: readonly DigestAlgorithm[]): {
  update: (chunk: Uint8Array) => void;
  digests: () => Digests;
} {
  const hashes = [...new Set(algorithms)].map((each) => [each, createHash(each)] as const);
  return {
    update: (chunk) => hashes.forEach(([, hash]) => hash.update(chunk)),
    digests: () => Object.fromEntries(hashes.map(([each, hash]) => [each, hash.digest("hex")])),
  };
}

type Checks = {
  /** The error to throw, by what came instead. */
  damaged: (found: string) => TransferError;
  /** Hears of the whole content before its last chunk is handed out. */
  onRead?: (read: Read) => void;
};

/** As `verified`, by the size and the strongest digest that are known. */
export async function* checked<T extends Uint8Array>(
  source: AsyncIterable<T>,
  { size, digests }: KnownContent,
  { damaged, onRead }: Checks,
): AsyncGenerator<T, void, undefined> {
  const algorithm = DIGEST_ALGORITHMS.find((each) => digests[each] !== undefined) ?? "sha256";
  const hashes = createHashes(onRead ? [algorithm, "sha256"] : [algorithm]);
  let length = 0;
  let held: T | undefined;
  for await (const chunk of source) {
    length += chunk.length;
    if (size !== null && length > size) throw damaged(`more than its ${size} bytes`);
    hashes.update(chunk);
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (size !== null && length < size) throw damaged(`${length} of its ${size} bytes`);
  const found = hashes.digests();
  const expected = digests[algorithm];
  if (expected !== undefined && found[algorithm] !== expected)
    throw damaged(`other content (${algorithm}:${found[algorithm]})`);
  onRead?.({ size: length, digests: found });
  if (held !== undefined) yield held;
}

/** The error of content that a registry or share tells wrong of. */
export function damagedAt(what: string, found: string): TransferError {
  return new TransferError(
    "digestMismatch",
    `${what}: the source sends ${found}: its copy is corrupt; push it there again`,
  );
}
