import { TransferError } from "./failure.ts";
import type { ArtifactResult, Slice } from "./outcome.ts";

/** The time slice of a copy that is not part of a batch: no limit. */
export const UNHURRIED: Slice = { isOver: () => false, whole: true };

/**
 * Throws a "yielded" TransferError if the time of the batch is over. Called between two chunks of a large blob; the
 * target has confirmed `offset` bytes of it, and `earlier` bytes in an earlier batch. If it has lost some of those
 * and there are no more by now, throws "server" instead: a try that failed, because a batch that yields is neither
 * counted nor delayed. `subject` names the upload or its target.
 */
export function yieldUpload(
  { isOver }: Slice,
  { offset, earlier, subject }: { offset: number; earlier: number; subject: string },
): void {
  if (!isOver()) return;
  if (offset > earlier)
    throw new TransferError(
      "yielded",
      "the batch's time is over; the artifact goes on in a later batch",
    );
  throw new TransferError(
    "server",
    `${subject} lost ${earlier} bytes of the upload between two batches and has ${offset} of them again: ` +
      "if that repeats, check how long it keeps uploads",
  );
}

/**
 * Throws a "yieldedWhole" TransferError unless the batch has no time limit (`whole`). Called before a large
 * blob that must go in one request, or a content whose upload no later batch can find again.
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
