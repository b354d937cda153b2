import { TransferError } from "./failure.ts";
import type { ArtifactResult, Slice } from "./outcome.ts";

/** The time slice of a copy that is not part of a batch: no limit. */
export const UNHURRIED: Slice = { isOver: () => false, whole: true };

/** Throws between two chunks of a large blob when the batch's time is over. */
export function yieldTime({ isOver }: Slice): void {
  if (isOver())
    throw new TransferError(
      "yielded",
      "the batch's time is over; the artifact goes on in a later batch",
    );
}

/**
 * Throws before a large blob that must go in one request, if the batch must not hold its slot for that
 * long.
 */
export function yieldWhole({ whole }: Slice): void {
  if (!whole)
    throw new TransferError(
      "yieldedWhole",
      "a large blob must go in one request; it waits for a slot without a time limit",
    );
}

/** The result of an artifact whose batch ran out of time; null for any other error. */
export function yieldedResult({ kind }: TransferError): ArtifactResult | null {
  return kind === "yielded" || kind === "yieldedWhole"
    ? { kind: "yielded", whole: kind === "yieldedWhole" }
    : null;
}
