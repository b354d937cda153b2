import type { Digest } from "../../../../domain/digest.ts";
import type { TransferError } from "../../../../domain/failure.ts";
import { type ImageCopy } from "./copy.ts";
import { keep } from "./memory.ts";

/** A blob as it is sent. `misstated`: the error where its manifest says another size than it has. */
export type SizedBlob = { digest: Digest; size: number; misstated: (actual: number) => TransferError };

/** The source's bytes of a blob, checked; what they prove of its size is kept. */
export async function* readSource(
  { source, seen }: ImageCopy,
  blob: SizedBlob,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const { registry, name } = source;
  const misstated = (actual: number) => {
    keep(seen.sizes, blob.digest, actual);
    return blob.misstated(actual);
  };
  yield* registry.readBlob(name, blob, misstated, signal);
  keep(seen.sizes, blob.digest, blob.size);
}
