import type {
  ArtifactOutcome,
  CopyHooks,
  CopyRules,
  Slice,
} from "../../domain/outcome.ts";
import type { BatchAnswer, BatchArtifact, Waits } from "../../domain/worker-messages.ts";
import type { Throttle } from "./throttle.ts";

export type Batch = Extract<BatchAnswer, { kind: "batch" }>;

/** One batch in progress: the artifacts to send, and the callbacks that record their outcomes. */
export type Work = {
  artifacts: BatchArtifact[];
  batch: Batch;
  hooks: (artifact: BatchArtifact) => CopyHooks;
  rules: (artifact: BatchArtifact) => CopyRules;
  signal: AbortSignal;
  slice: Slice;
  begin: (artifact: BatchArtifact) => void;
  end: (artifact: BatchArtifact, outcome: ArtifactOutcome) => void;
  concurrency: number;
};

/** Sends the artifacts of one batch. */
export type Send = (work: Work) => Promise<void>;

/**
 * Both open ends of a batch, with everything that is known of them. Later batches of the run between the
 * same ends may reuse the route.
 */
export type Route = {
  send: Send;
  throttle: Throttle;
  waits: () => Waits;
  close: () => void;
};

/**
 * Wraps `work` so that `isStopped` returns whether an outcome has stopped the cluster; nothing more may
 * begin then.
 */
export function stoppable(work: Work): { work: Work; isStopped: () => boolean } {
  let stopped = false;
  const end: Work["end"] = (artifact, outcome) => {
    if (outcome.result.kind === "failed" && outcome.result.stopsCluster) stopped = true;
    work.end(artifact, outcome);
  };
  return { work: { ...work, end }, isStopped: () => stopped };
}
