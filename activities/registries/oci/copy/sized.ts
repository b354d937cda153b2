import type { Digest } from "../../../../domain/digest.ts";
import type { TransferError } from "../../../../domain/failure.ts";
import { type ImageCopy } from "./copy.ts";
import { keep } from "./memory.ts";

/** A blob to send. `misstated` makes the error for a blob whose size differs from the one in its manifest. */
export type SizedBlob = {
  digest: Digest;
  size: number;
  misstated: (actual: number) => TransferError;
};

/** Reads and verifies a blob of the source; remembers the size that reading has proved. */
export async function* readSource(
  { source, memory }: ImageCopy,
  blob: SizedBlob,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const { registry, name } = source;
  const misstated = (actual: number) => {
    keep(memory.sizes, blob.digest, actual);
    return blob.misstated(actual);
  };
  yield* registry.readBlob(name, blob, misstated, signal);
  keep(memory.sizes, blob.digest, blob.size);
}
