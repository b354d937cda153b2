import type { TransferError } from "../../domain/failure.ts";
import { noParts, type ArtifactOutcome, type ArtifactResult, type PartCounts, type UploadState } from "../../domain/outcome.ts";
import { yieldedResult } from "./slice.ts";

/** A digest mismatch in transit is tried three times in all (design.md §6, Retry). */
const MISMATCH_TRIES = 3;

type Told = { fullPath: string; sha256: string; size: number };
type Part = keyof PartCounts;

/** How a file's two parts ended: the node, and the content as its one blob. Null: not ended. */
export function fileOutcome(file: Told, result: ArtifactResult, node: Part | null, blob: Part | null, bytesSent: number): ArtifactOutcome {
  const parts = noParts();
  if (node) parts.node[node] = 1;
  if (blob) parts.blob[blob] = 1;
  return { result, digest: `sha256:${file.sha256}`, size: file.size, parts, bytesSent };
}

/** What a trouble means for one file: tried again later when that makes sense, else failed. */
export function troubleOutcome(file: Told, error: TransferError, uploads: UploadState[], bytesSent: number): ArtifactOutcome {
  const reason = `${file.fullPath}: ${error.message}`;
  const yielded = yieldedResult(error);
  if (yielded) return fileOutcome(file, yielded, null, null, bytesSent);
  if (!error.retryable) {
    return fileOutcome(file, { kind: "failed", reason, conflict: false, stopsCluster: false }, "failed", "failed", bytesSent);
  }
  const result: ArtifactResult = {
    kind: "again",
    reason,
    notBefore: error.notBefore ?? null,
    uploads,
    throttled: error.kind === "throttled",
    unreachable: error.kind === "unreachable" || error.kind === "timeout",
    ...(error.kind === "digestMismatch" ? { maxTries: MISMATCH_TRIES } : {}),
  };
  return fileOutcome(file, result, null, null, bytesSent);
}
