import type { TransferError } from "../../domain/failure.ts";
import { type ArtifactOutcome, type ArtifactResult, noParts, type UploadState } from "../../domain/outcome.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import { yieldedResult } from "./slice.ts";

/** A digest mismatch in transit is tried three times in all (design.md §6, Retry). */
const MISMATCH_TRIES = 3;

/**
 * What a trouble means for one artifact: handed back, tried again later when that makes sense (`passes`), else failed. One that was stopped
 * though its own batch goes on was stopped for another, and has not been tried. `uploads`: where a later try goes on.
 */
export function troubleResult(error: TransferError, reason: string, uploads: UploadState[], passes = error.retryable): ArtifactResult {
  const yielded = yieldedResult(error);
  if (yielded) return yielded;
  const later = { kind: "again", reason, notBefore: error.notBefore ?? null, uploads, throttled: error.kind === "throttled" } as const;
  if (error.kind === "cancelled") return { ...later, untried: true };
  if (!passes) return { kind: "failed", reason, conflict: false, stopsCluster: false };
  const unreachable = error.kind === "unreachable" || error.kind === "timeout";
  return { ...later, unreachable, ...(error.kind === "digestMismatch" ? { maxTries: MISMATCH_TRIES } : {}) };
}

/** What a trouble means for an artifact when it comes before the target was asked anything about it. `subject`: what people call the artifact. */
export function earlyOutcome({ uploads }: BatchArtifact, subject: string, error: TransferError): ArtifactOutcome {
  const result = troubleResult(error, `${subject}: ${error.message}`, uploads);
  const parts = noParts();
  parts.node.failed = result.kind === "failed" ? 1 : 0;
  return { result, digest: null, size: null, parts, bytesSent: 0 };
}
