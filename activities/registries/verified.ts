import { createHash } from "node:crypto";
import { TransferError } from "../../domain/failure.ts";
import { digestParts, type Digest } from "../../domain/digest.ts";

/** The digest of `bytes` in the algorithm of `like`. */
export function digestOf(bytes: Uint8Array, like: "sha256" | "sha512" = "sha256"): Digest {
  return `${like}:${createHash(like).update(bytes).digest("hex")}`;
}

/**
 * The same bytes, checked: the last chunk is held back until size and digest are known to be right, so whoever
 * receives a wrong stream never receives all of it. Throws `digestMismatch`; `what` names the thing and its source.
 */
export async function* verified(
  source: AsyncIterable<Buffer>,
  expected: { digest: Digest; size: number },
  what: string,
): AsyncGenerator<Buffer, void, undefined> {
  const { algorithm } = digestParts(expected.digest);
  const hash = createHash(algorithm);
  let size = 0;
  let held: Buffer | undefined;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > expected.size) throw mismatch(what, `more than its ${expected.size} bytes`);
    hash.update(chunk);
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (size < expected.size) throw mismatch(what, `${size} of its ${expected.size} bytes`);
  const digest = `${algorithm}:${hash.digest("hex")}`;
  if (digest !== expected.digest) throw mismatch(what, `other content (${digest})`);
  if (held !== undefined) yield held;
}

function mismatch(what: string, got: string): TransferError {
  return new TransferError("digestMismatch", `${what}: the source sends ${got}: its copy is corrupt; push it there again`);
}
