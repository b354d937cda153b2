import { TransferError } from "./failure.ts";
import type { ArtifactResult, Slice } from "./outcome.ts";

/** The time slice of a copy that is not part of a batch: no limit. */
export const UNHURRIED: Slice = { isOver: () => false, whole: true };

/**
 * Throws a "yielded" TransferError if the time of the batch is over. Called between two chunks of a large
 * blob.
 */
export function yieldTime({ isOver }: Slice): void {
  if (isOver())
    throw new TransferError(
      "yielded",
      "the batch's time is over; the artifact goes on in a later batch",
    );
}

/**
 * Throws a "yieldedWhole" TransferError unless the batch has no time limit (`whole`). Called before a large
 * blob that must go in one request.
 */
export function yieldWhole({ whole }: Slice): void {
  if (!whole)
    throw new TransferError(
      "yieldedWhole",
      "a large blob must go in one request; it waits for a slot without a time limit",
    );
}

/** Returns the result of an artifact for a "yielded" or "yieldedWhole" error; null for any other error. */
export function yieldedResult({ kind }: TransferError): ArtifactResult | null {
  return kind === "yielded" || kind === "yieldedWhole"
    ? { kind: "yielded", whole: kind === "yieldedWhole" }
    : null;
}
