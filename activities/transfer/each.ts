import pLimit from "p-limit";
import type { ArtifactOutcome, ArtifactResult } from "../../domain/outcome.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import { hasWritten, watchWrites } from "../registries/writes.ts";
import { notTried } from "./early.ts";
import { stoppable, type Work } from "./work.ts";

/**
 * After this many consecutive artifacts for which an end did not answer (`unreachable`), the remaining
 * artifacts are postponed.
 */
const MOST_UNREACHABLE = 3;

/**
 * Copies artifacts, `concurrency` at a time, and reports the outcome of each. Postpones the rest when an
 * end no longer answers. Begins no further artifact when the signal fires, the batch's time is over, or an
 * outcome stops the cluster.
 */
export async function copyEach(
  whole: Work,
  artifacts: readonly BatchArtifact[],
  copy: (artifact: BatchArtifact, at: number) => Promise<ArtifactOutcome>,
): Promise<void> {
  const { work, isStopped } = stoppable(whole);
  const { signal, slice, begin, end, concurrency } = work;
  const limit = pLimit(concurrency);
  const pulse = createPulse();

  const send = async (artifact: BatchArtifact, at: number): Promise<ArtifactResult> => {
    begin(artifact);
    return watchWrites(async () => {
      const outcome = await copy(artifact, at);
      end(artifact, hasWritten() ? outcome : { ...outcome, unsent: true });
      return outcome.result;
    });
  };
  const sendOrLeave = async (artifact: BatchArtifact, at: number) => {
    const silence = await pulse.silence();
    if (signal.aborted || isStopped()) return;
    if (silence === null) {
      // The first artifact begins however little time is left, so that every batch makes progress.
      return at > 0 && slice.isOver() ? undefined : pulse.watch(send(artifact, at));
    }
    begin(artifact);
    end(artifact, notTried(artifact, silence));
  };
  await Promise.all(
    artifacts.map((artifact, at) => limit(() => sendOrLeave(artifact, at))),
  );
}

/** Finds out from the results of artifacts that an end no longer answers. */
function createPulse() {
  const inFlight = new Set<Promise<void>>();
  const state: { unanswered: number; reason: string } = { unanswered: 0, reason: "" };

  const take = (result: ArtifactResult) => {
    const unanswered = result.kind === "again" && result.unreachable === true;
    state.unanswered = unanswered ? state.unanswered + 1 : 0;
    if (unanswered) state.reason = result.reason;
  };
  return {
    /**
     * Returns why no further artifact should begin, or null. If an artifact got no answer, first waits
     * for those in flight, whose results show whether the end answers.
     */
    async silence(): Promise<string | null> {
      while (
        state.unanswered > 0 &&
        state.unanswered < MOST_UNREACHABLE &&
        inFlight.size > 0
      )
        await Promise.race(inFlight);
      return state.unanswered < MOST_UNREACHABLE ? null : state.reason;
    },
    async watch(sending: Promise<ArtifactResult>): Promise<void> {
      const watched: Promise<void> = sending
        .then(take)
        .finally(() => inFlight.delete(watched));
      inFlight.add(watched);
      await watched;
    },
  };
}
