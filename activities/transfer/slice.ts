import { TransferError } from "../../domain/failure.ts";
import { type Lane, sliceOf } from "../../domain/lanes.ts";
import type { ArtifactResult, Slice } from "../../domain/outcome.ts";

/** The time of a batch from now on. `onEnd` is called when what is under way must be broken off; `close` ends the clock. */
export function openSlice(lane: Lane, sliceMs: number, onEnd: () => void): Slice & { close: () => void } {
  const { begins, ends } = sliceOf(lane, sliceMs);
  const over = performance.now() + begins;
  const timer = ends === null ? undefined : setTimeout(onEnd, ends);
  return { isOver: () => performance.now() >= over, whole: lane === "WHOLE" || lane === "ALONE", close: () => clearTimeout(timer) };
}

/** For copies outside of a batch. */
export const UNHURRIED: Slice = { isOver: () => false, whole: true };

/** Throws between two chunks of a large blob when the batch's time is over. */
export function yieldTime({ isOver }: Slice): void {
  if (isOver()) throw new TransferError("yielded", "the batch has had its time; it goes on in its next turn");
}

/** Throws before a large blob that goes in one request, where the batch must not hold its slot for that long. */
export function yieldWhole({ whole }: Slice): void {
  if (!whole) throw new TransferError("yieldedWhole", "a large blob must go in one request; it waits for a slot for such");
}

/** The result of an artifact whose batch had to let go of it; null when the error is another. */
export function yieldedResult({ kind }: TransferError): ArtifactResult | null {
  return kind === "yielded" || kind === "yieldedWhole" ? { kind: "yielded", whole: kind === "yieldedWhole" } : null;
}
