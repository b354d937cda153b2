import type { TransferError } from "./failure.ts";
import type { ArtifactResult, UploadState } from "./outcome.ts";
import { yieldedResult } from "./slice.ts";

/** An artifact whose digest does not match on arrival is tried three times in all. */
const MISMATCH_TRIES = 3;

/**
 * Turns an error into the result of one artifact: "yielded" if its batch was out of time, "again" if a
 * retry makes sense (`passes`), else "failed". A cancelled artifact counts as untried: it was stopped
 * because of another artifact. `uploads`: where a later try resumes.
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
  if (!passes) return { kind: "failed", reason, conflict: false, stopsCluster: false };
  const unreachable = error.kind === "unreachable" || error.kind === "timeout";
  return {
    ...later,
    unreachable,
    ...(error.kind === "digestMismatch" ? { maxTries: MISMATCH_TRIES } : {}),
  };
}
