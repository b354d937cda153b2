import { createHash, hash } from "node:crypto";
import { TransferError } from "../../domain/failure.ts";
import { hashTurn } from "./hash-turns.ts";

/** What is known of a content before it arrives; each part that is given must be met. Digests in lower-case hex. */
export type Expected = { sha256?: string | undefined; sha512?: string | undefined; md5?: string | undefined; size?: number | undefined };
/** `md5` is empty where nobody wanted it, `sha512` absent where it was not expected. */
export type Summary = { sha256: string; sha512?: string; md5: string; size: number };

export type Digests = { size: () => number; update: (chunk: Uint8Array) => void; summary: () => Summary };

export type Wanted = { md5?: boolean | undefined; sha512?: boolean | undefined };

/** sha256, md5 and size of what is written through it. Without md5 it costs less than half. */
export function createDigests({ md5: wantsMd5 = true, sha512: wantsSha512 = false }: Wanted = {}): Digests {
  const sha256 = createHash("sha256");
  const md5 = wantsMd5 ? createHash("md5") : null;
  const sha512 = wantsSha512 ? createHash("sha512") : null;
  let size = 0;
  return {
    size: () => size,
    update(chunk) {
      sha256.update(chunk);
      md5?.update(chunk);
      sha512?.update(chunk);
      size += chunk.length;
    },
    summary: () => ({ sha256: sha256.digest("hex"), ...(sha512 ? { sha512: sha512.digest("hex") } : {}), md5: md5?.digest("hex") ?? "", size }),
  };
}

/** The same of a content in memory. */
export function summarise(content: Uint8Array, { sha512 = false }: Pick<Wanted, "sha512"> = {}): Summary {
  const more = sha512 ? { sha512: hash("sha512", content) } : {};
  return { sha256: hash("sha256", content), ...more, md5: hash("md5", content), size: content.length };
}

/** Of many, in their order; each in its turn. */
export async function summariseAll(contents: readonly Uint8Array[]): Promise<Summary[]> {
  const summaries: Summary[] = [];
  for (const content of contents) {
    await hashTurn(content.length);
    summaries.push(summarise(content));
  }
  return summaries;
}

/** Throws when the content is not what was announced. */
export function verify(found: Summary, expected: Expected): void {
  if (expected.size !== undefined && expected.size !== found.size) {
    throw new TransferError("invalid", `${expected.size} bytes were announced, ${found.size} arrived`);
  }
  for (const algorithm of ["sha256", "sha512", "md5"] as const) {
    const wanted = expected[algorithm];
    if (wanted === undefined || wanted === found[algorithm]) continue;
    throw new TransferError("digestMismatch", `the content has ${algorithm} ${found[algorithm]}, not ${wanted} as announced`);
  }
}
