import type { TransferError } from "../../domain/failure.ts";
import { noParts, type ArtifactOutcome, type ArtifactResult, type PartCounts, type UploadState } from "../../domain/outcome.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import type { StatedVersion } from "../../domain/sync-versions.ts";
import { yieldedResult } from "./slice.ts";

/** A digest mismatch in transit is tried three times in all (design.md §6, Retry). */
const MISMATCH_TRIES = 3;

/** How a version ended, and how many of its files did how. */
export function versionOutcome(stated: StatedVersion, result: ArtifactResult, files: Partial<PartCounts>, bytesSent: number): ArtifactOutcome {
  const parts = noParts();
  parts.node = { ...parts.node, ...files };
  const size = stated.files.reduce((sum, file) => sum + file.size, 0);
  return { result, digest: stated.digest, size, parts, bytesSent };
}

/** What a trouble means for one version: tried again later when that makes sense, else failed. */
export function troubleOutcome(stated: StatedVersion, error: TransferError, uploads: UploadState[], bytesSent: number): ArtifactOutcome {
  const failed = error.retryable || yieldedResult(error) ? 0 : stated.files.length;
  return versionOutcome(stated, troubleResult(`${stated.package} ${stated.version}`, error, uploads), { failed }, bytesSent);
}

/** The same for one of which nothing was asked of the target yet. */
export function earlyOutcome({ name, version, uploads }: BatchArtifact, error: TransferError): ArtifactOutcome {
  const parts = noParts();
  parts.node.failed = error.retryable ? 0 : 1;
  return { result: troubleResult(`${name} ${version}`, error, uploads), digest: null, size: null, parts, bytesSent: 0 };
}

function troubleResult(name: string, error: TransferError, uploads: UploadState[]): ArtifactResult {
  const reason = `${name}: ${error.message}`;
  const yielded = yieldedResult(error);
  if (yielded) return yielded;
  if (!error.retryable) return { kind: "failed", reason, conflict: false, stopsCluster: false };
  return {
    kind: "again",
    reason,
    notBefore: error.notBefore ?? null,
    uploads,
    throttled: error.kind === "throttled",
    unreachable: error.kind === "unreachable" || error.kind === "timeout",
    ...(error.kind === "digestMismatch" ? { maxTries: MISMATCH_TRIES } : {}),
  };
}
