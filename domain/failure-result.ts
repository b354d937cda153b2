import type { TransferError } from "./failure.ts";
import type { ArtifactResult, UploadState } from "./outcome.ts";
import { yieldedResult } from "./slice.ts";

/** Maximum number of tries, in all, of an artifact that fails because a digest does not match. */
const MISMATCH_TRIES = 3;

/**
 * Turns an error into the result of one artifact: "yielded" if the slice of its batch was over; "again" if
 * the artifact was cancelled, which counts as untried, or if a retry makes sense (`passes`); else "failed".
 * `uploads`: where a later try resumes.
 */
export function failureResult(
  error: TransferError,
  reason: string,
  uploads: UploadState[],
  passes = error.retryable,
): ArtifactResult {
  const yielded = yieldedResult(error);
  if (yielded) return yielded;
  const later = {
    kind: "again",
    reason,
    notBefore: error.notBefore ?? null,
    uploads,
    throttled: error.kind === "throttled",
  } as const;
  if (error.kind === "cancelled") return { ...later, untried: true };
  if (!passes)
    return {
      kind: "failed",
      reason,
      conflict: false,
      stopsCluster: false,
      ...(error.kind === "noSpace" && { full: true }),
    };
  const unreachable = error.kind === "unreachable" || error.kind === "timeout";
  return {
    ...later,
    unreachable,
    ...(error.kind === "digestMismatch" ? { maxTries: MISMATCH_TRIES } : {}),
  };
}
