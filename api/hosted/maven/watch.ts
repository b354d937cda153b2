import { createHash } from "node:crypto";
import type { Checksum } from "../../../domain/maven/layout.ts";

/**
 * Lets a body pass, computes its `hashes` and keeps its first `keep` bytes. `digests` and `kept`
 * are to be called once, after the whole body has passed.
 */
export function watchBody(
  body: AsyncIterable<Uint8Array>,
  { hashes, keep }: { hashes: readonly Checksum[]; keep: number },
) {
  const running = hashes.map((checksum) => [checksum, createHash(checksum)] as const);
  const kept: Uint8Array[] = [];
  let size = 0;

  async function* watched(): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of body) {
      for (const [, hash] of running) hash.update(chunk);
      if (size < keep) kept.push(chunk.subarray(0, keep - size));
      size += chunk.length;
      yield chunk;
    }
  }
  return {
    body: watched(),
    digests: (): Record<string, string> =>
      Object.fromEntries(
        running.map(([checksum, hash]) => [checksum, hash.digest("hex")]),
      ),
    kept: (): Uint8Array => Buffer.concat(kept),
  };
}
