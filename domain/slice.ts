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
 * Does what `yieldTime` does for an upload of which the target has confirmed `offset` bytes. In an earlier batch it
 * confirmed `earlier` bytes: if it has lost some of them and there are no more by now, this was a try that failed
 * ("server"), because a batch that yields is neither counted nor delayed. `subject` names upload and target.
 */
export function yieldUpload(
  slice: Slice,
  { offset, earlier, subject }: { offset: number; earlier: number; subject: string },
): void {
  if (slice.isOver() && offset <= earlier)
    throw new TransferError(
      "server",
      `${subject} lost ${earlier} bytes of the upload between two batches and has ${offset} of them again: ` +
        "if that repeats, check how long it keeps uploads",
    );
  yieldTime(slice);
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
