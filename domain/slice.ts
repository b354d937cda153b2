import { TransferError } from "./failure.ts";
import type { ArtifactResult, Slice } from "./outcome.ts";

/** For copies outside of a batch. */
export const UNHURRIED: Slice = { isOver: () => false, whole: true };

/** Throws between two chunks of a large blob when the batch's time is over. */
export function yieldTime({ isOver }: Slice): void {
  if (isOver()) throw new TransferError("yielded", "the batch has had its time; it goes on in its next turn");
}

/** Throws before a large blob that goes in one request, where the batch must not hold its slot for that long. */
export function yieldWhole({ whole }: Slice): void {
  if (!whole)
    throw new TransferError("yieldedWhole", "a large blob must go in one request; it waits for a slot for such");
}

/** The result of an artifact whose batch had to let go of it; null when the error is another. */
export function yieldedResult({ kind }: TransferError): ArtifactResult | null {
  return kind === "yielded" || kind === "yieldedWhole" ? { kind: "yielded", whole: kind === "yieldedWhole" } : null;
}
