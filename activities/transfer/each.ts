import pLimit from "p-limit";
import type { ArtifactOutcome, ArtifactResult } from "../../domain/outcome.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import { stoppable, type Work } from "./context.ts";
import { notTried } from "./early.ts";

/** After this many artifacts in a row that got no answer, each after a long wait, the rest is not tried now. */
const MOST_UNREACHABLE = 3;

export type EachInTurn = (
  work: Work,
  artifacts: readonly BatchArtifact[],
  copy: (artifact: BatchArtifact, at: number) => Promise<ArtifactOutcome>,
) => Promise<void>;

/**
 * Copies artifacts one by one, some at once, and hands in what becomes of each. Begins no other when the batch's time
 * is over, when one stops its cluster, or when an end does not answer any more.
 */
export const copyEach: EachInTurn = async (whole, artifacts, copy) => {
  const { work, isStopped } = stoppable(whole);
  const { signal, slice, begin, end, concurrency } = work;
  const limit = pLimit(concurrency);
  const pulse = createPulse();

  const send = async (artifact: BatchArtifact, at: number): Promise<ArtifactResult> => {
    begin(artifact);
    const outcome = await copy(artifact, at);
    end(artifact, outcome);
    return outcome.result;
  };
  const sendOrLeave = async (artifact: BatchArtifact, at: number) => {
    const silence = await pulse.silence();
    if (signal.aborted || isStopped()) return;
    if (silence === null) {
      // The first goes however little time is left, so that every batch gets on.
      return at > 0 && slice.isOver() ? undefined : pulse.watch(send(artifact, at));
    }
    begin(artifact);
    end(artifact, notTried(artifact, silence));
  };
  await Promise.all(artifacts.map((artifact, at) => limit(() => sendOrLeave(artifact, at))));
};

/** Notices that an end does not answer any more. */
function createPulse() {
  const inFlight = new Set<Promise<void>>();
  const state: { unanswered: number; reason: string } = { unanswered: 0, reason: "" };

  const take = (result: ArtifactResult) => {
    const unanswered = result.kind === "again" && result.unreachable === true;
    state.unanswered = unanswered ? state.unanswered + 1 : 0;
    if (unanswered) state.reason = result.reason;
  };
  return {
    /** Why nothing more should be begun; null when it may. Where one got no answer, those in flight tell. */
    async silence(): Promise<string | null> {
      while (state.unanswered > 0 && state.unanswered < MOST_UNREACHABLE && inFlight.size > 0)
        await Promise.race(inFlight);
      return state.unanswered < MOST_UNREACHABLE ? null : state.reason;
    },
    async watch(sending: Promise<ArtifactResult>): Promise<void> {
      const watched: Promise<void> = sending.then(take).finally(() => inFlight.delete(watched));
      inFlight.add(watched);
      await watched;
    },
  };
}
