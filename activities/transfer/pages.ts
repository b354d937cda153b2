import type { Artifact } from "../../domain/artifact.ts";
import { TransferError, toTransferError } from "../../domain/failure.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import type { Source } from "../registries/contract.ts";
import { earlyOutcome, goneOutcome } from "./early.ts";
import { stoppable, type Work } from "./work.ts";

/** An artifact of the batch: as it is planned, and as its source describes it now. */
export type Present = { planned: BatchArtifact; artifact: Artifact };

/**
 * Describes the artifacts of a batch page by page and passes those that still exist to `send`; an artifact
 * that was deleted since the plan, or cannot be described, ends at once. `prepare` runs before each page
 * that is sent; if it or the description of a page fails, all remaining artifacts end with that failure.
 * Begins no further page when the batch's time is over or an outcome stops the cluster.
 */
export async function eachPage(
  whole: Work,
  source: Source,
  { prepare, send }: Steps,
): Promise<void> {
  const { work, isStopped } = stoppable(whole);
  const { signal, slice } = work;
  for (
    let rest = work.artifacts;
    rest.length > 0 && !isStopped() && (rest === work.artifacts || !slice.isOver());
  ) {
    const described = await orEnd(work, rest, () => source.describe(rest, signal));
    if (described === null) return;
    const present = described.flatMap((artifact, at) =>
      presentOf(work, rest[at], artifact),
    );
    const later = rest.slice(described.length);
    if (present.length > 0) {
      const left = [...present.map(({ planned }) => planned), ...later];
      if ((await orEnd(work, left, () => prepare(signal).then(() => true))) === null)
        return;
      await send(work, present);
    }
    rest = later;
  }
}

type Steps = {
  prepare: (signal: AbortSignal) => Promise<void>;
  send: (work: Work, present: Present[]) => Promise<void>;
};

/**
 * Runs a step that concerns all `artifacts`. If the step fails, all of them end with its failure, and the
 * result is null. Throws only when the signal fired or the control plane refuses this worker.
 */
async function orEnd<T>(
  { signal, end }: Work,
  artifacts: BatchArtifact[],
  step: () => Promise<T>,
): Promise<T | null> {
  try {
    return await step();
  } catch (error) {
    signal.throwIfAborted();
    const failure = toTransferError(error);
    // "refused": the control plane refuses this worker, which says nothing about the artifacts.
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
  if (artifact !== null && !(artifact instanceof TransferError))
    return [{ planned, artifact }];
  work.end(
    planned,
    artifact === null
      ? goneOutcome(work.batch, planned)
      : earlyOutcome(planned, artifact),
  );
  return [];
}
