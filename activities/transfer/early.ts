import { subjectOf } from "../../domain/artifact.ts";
import type { TransferError } from "../../domain/failure.ts";
import { failureResult } from "../../domain/failure-result.ts";
import {
  type ArtifactOutcome,
  type ArtifactResult,
  noParts,
} from "../../domain/outcome.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import type { Batch } from "./work.ts";

/** This file builds the outcomes of artifacts that ended before the target was contacted about them. */

export function failed(reason: string): ArtifactOutcome {
  return outcomeOf({ kind: "failed", reason, conflict: false, stopsCluster: false });
}

export function earlyOutcome(
  artifact: BatchArtifact,
  error: TransferError,
  subject = subjectOf(artifact),
): ArtifactOutcome {
  return outcomeOf(
    failureResult(error, `${subject}: ${error.message}`, artifact.uploads),
  );
}

/** Builds the outcome "failed" of an artifact that was deleted at the source after the run was planned. */
export function goneOutcome(
  { projectId, object }: Batch,
  artifact: BatchArtifact,
  subject = subjectOf(artifact),
): ArtifactOutcome {
  return failed(
    `${subject} is no longer in ${projectId}/${object.localRepoName}: it was deleted after the run was planned`,
  );
}

/**
 * Builds the outcome of an artifact that is postponed to a later batch because an end is silent. The
 * uploads of earlier attempts are kept.
 */
export function notTried({ uploads }: BatchArtifact, silence: string): ArtifactOutcome {
  const reason = `postponed, because other artifacts got no answer: ${silence}`;
  return outcomeOf({
    kind: "again",
    reason,
    notBefore: null,
    uploads,
    throttled: false,
    untried: true,
  });
}

function outcomeOf(result: ArtifactResult): ArtifactOutcome {
  const parts = noParts();
  parts.node.failed = result.kind === "failed" ? 1 : 0;
  return { result, digest: null, size: null, parts, bytesSent: 0, unsent: true };
}
