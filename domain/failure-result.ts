import type { TransferError } from "./failure.ts";
import type { ArtifactResult, UploadState } from "./outcome.ts";
import { yieldedResult } from "./slice.ts";

/** A digest mismatch in transit is tried three times in all. */
const MISMATCH_TRIES = 3;

/**
 * What a failure means for one artifact: handed back, tried again later when that makes sense (`passes`), else failed.
 * One that was stopped though its own batch goes on was stopped for another, and has not been tried. `uploads`: where a
 * later try goes on.
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
  return { ...later, unreachable, ...(error.kind === "digestMismatch" ? { maxTries: MISMATCH_TRIES } : {}) };
}
