import type { Artifact } from "../../domain/artifact.ts";
import { TransferError, toTransferError } from "../../domain/failure.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import type { Source } from "../registries/contract.ts";
import { stoppable, type Work } from "./context.ts";
import { earlyOutcome, goneOutcome } from "./early.ts";

/** An artifact of the batch as its source describes it. */
export type Present = { planned: BatchArtifact; artifact: Artifact };

/**
 * Describes the artifacts of a batch, some at a time, and hands on those that are still there; what was deleted since
 * the plan, or cannot be described, ends at once. Begins no further page when the batch's time is over, or when an
 * artifact stops its cluster. A failure of `prepare`, which is called before each page, ends all that are left.
 */
export async function eachPage(whole: Work, source: Source, { prepare, send }: Steps): Promise<void> {
  const { work, isStopped } = stoppable(whole);
  const { signal, slice } = work;
  for (let rest = work.artifacts; rest.length > 0 && !isStopped() && (rest === work.artifacts || !slice.isOver());) {
    const described = await orEnd(work, rest, () => source.describe(rest, signal));
    if (described === null) return;
    const present = described.flatMap((artifact, at) => presentOf(work, rest[at], artifact));
    const later = rest.slice(described.length);
    if (present.length > 0) {
      const left = [...present.map(({ planned }) => planned), ...later];
      if ((await orEnd(work, left, () => prepare(signal).then(() => true))) === null) return;
      await send(work, present);
    }
    rest = later;
  }
}

type Steps = {
  prepare: (signal: AbortSignal) => Promise<void>;
  send: (work: Work, present: Present[]) => Promise<void>;
};

/** Null: it failed, which is the outcome of the artifacts. */
async function orEnd<T>({ signal, end }: Work, artifacts: BatchArtifact[], step: () => Promise<T>): Promise<T | null> {
  try {
    return await step();
  } catch (error) {
    signal.throwIfAborted();
    const failure = toTransferError(error);
    // Of a worker that is not let in any more nothing is the artifacts' outcome.
    if (failure.kind === "refused") throw failure;
    for (const artifact of artifacts) end(artifact, earlyOutcome(artifact, failure));
    return null;
  }
}

function presentOf(
  work: Work,
  planned: BatchArtifact | undefined,
  artifact: Artifact | TransferError | null,
): Present[] {
  if (!planned) return [];
  if (artifact !== null && !(artifact instanceof TransferError)) return [{ planned, artifact }];
  work.end(planned, artifact === null ? goneOutcome(work.batch, planned) : earlyOutcome(planned, artifact));
  return [];
}
