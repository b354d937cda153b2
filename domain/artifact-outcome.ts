import { type Artifact, sizeOf, strongest, subjectOf } from "./artifact.ts";
import type { TransferError } from "./failure.ts";
import { failureResult } from "./failure-result.ts";
import {
  noParts,
  type ArtifactOutcome,
  type ArtifactResult,
  type PartCounts,
  type Parts,
  type UploadState,
} from "./outcome.ts";

/** Numbers of parts of an artifact by how they ended; absent = 0. */
export type Ended = Partial<PartCounts>;

/**
 * Builds the outcome of an artifact from how its parts ended (`nodes`). `blob` says how the content of a
 * single file ended. It differs from `nodes` if only the node was written, because the target had the
 * content.
 */
export function artifactOutcome(
  artifact: Artifact,
  result: ArtifactResult,
  nodes: Ended,
  bytesSent: number,
  blob: Ended = nodes,
): ArtifactOutcome {
  const parts: Parts = noParts();
  parts.node = { ...parts.node, ...nodes };
  if (artifact.version === "") parts.blob = { ...parts.blob, ...blob };
  return {
    result,
    digest: digestOf(artifact),
    size: sizeOf(artifact.parts),
    parts,
    bytesSent,
  };
}

/**
 * Builds the outcome of an artifact from an error: "yielded" if the slice of the batch was over, "again" if
 * the artifact was cancelled or a retry makes sense, else "failed".
 */
export function failedOutcome(
  artifact: Artifact,
  error: TransferError,
  uploads: UploadState[],
  bytesSent: number,
): ArtifactOutcome {
  const result = failureResult(
    error,
    `${subjectOf(artifact)}: ${error.message}`,
    uploads,
  );
  return artifactOutcome(
    artifact,
    result,
    result.kind === "failed" ? { failed: artifact.parts.length } : {},
    bytesSent,
  );
}

function digestOf({ digest, parts }: Artifact): string | null {
  const [only, ...others] = parts;
  return (
    digest ?? (only !== undefined && others.length === 0 ? strongest(only.digests) : null)
  );
}
