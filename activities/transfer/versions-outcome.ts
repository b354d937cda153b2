import type { TransferError } from "../../domain/failure.ts";
import { noParts, type ArtifactOutcome, type ArtifactResult, type PartCounts, type UploadState } from "../../domain/outcome.ts";
import type { StatedVersion } from "../../domain/sync-versions.ts";
import { troubleResult } from "./trouble.ts";

/** How a version ended, and how many of its files did how. */
export function versionOutcome(stated: StatedVersion, result: ArtifactResult, files: Partial<PartCounts>, bytesSent: number): ArtifactOutcome {
  const parts = noParts();
  parts.node = { ...parts.node, ...files };
  const size = stated.files.reduce((sum, file) => sum + file.size, 0);
  return { result, digest: stated.digest, size, parts, bytesSent };
}

/** What a trouble means for one version: tried again later when that makes sense, else failed. */
export function troubleOutcome(stated: StatedVersion, error: TransferError, uploads: UploadState[], bytesSent: number): ArtifactOutcome {
  const result = troubleResult(error, `${stated.package} ${stated.version}: ${error.message}`, uploads);
  return versionOutcome(stated, result, { failed: result.kind === "failed" ? stated.files.length : 0 }, bytesSent);
}
