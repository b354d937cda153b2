import type { TransferError } from "../../domain/failure.ts";
import { noParts, type ArtifactOutcome, type ArtifactResult, type PartCounts, type UploadState } from "../../domain/outcome.ts";
import { troubleResult } from "./trouble.ts";

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
  const result = troubleResult(error, `${file.fullPath}: ${error.message}`, uploads);
  const part = result.kind === "failed" ? "failed" : null;
  return fileOutcome(file, result, part, part, bytesSent);
}
