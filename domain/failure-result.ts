import type { TransferError } from "./failure.ts";
import type { ArtifactResult, UploadState } from "./outcome.ts";
import { yieldedResult } from "./slice.ts";

/** A digest mismatch in transit is tried three times in all. */
const MISMATCH_TRIES = 3;

/**
 * Builds the result of one artifact from an error: yielded, again where a retry makes sense (`passes`), else failed. An
 * artifact that was stopped while its own batch goes on was stopped for another one, and counts as untried. `uploads`:
 * where a later try resumes.
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
