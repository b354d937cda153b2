import type { Db } from "../open.ts";
import { takeBatch } from "./batch.ts";
import { takeReports } from "./outcomes.ts";
import { noParts } from "../../domain/outcome.ts";
import type { ArtifactReport } from "../../domain/worker-messages.ts";

export type BatchCounts = { total: number; again: number; failed: number };

const REASON = "no transfer worker could finish the batch: each that tried died or was lost; see the workers' logs";

/** Fails what has no outcome in a batch that no worker could finish, as a worker of its own would report it. */
export function failBatch(db: Db, recordId: string, number: number, now: number): BatchCounts {
  const batch = takeBatch(db, recordId, number, now);
  if (batch.kind === "halted") return { total: 0, again: 0, failed: 0 };
  const reports = batch.artifacts.map(
    ({ seq, name, version, size, plannedSize, uploads }): ArtifactReport => ({
      seq,
      name,
      version,
      sizePlanned: plannedSize !== null,
      size: size ?? plannedSize,
      startTime: now,
      bytesSent: 0,
      uploads,
      outcome: {
        result: { kind: "failed", reason: REASON, conflict: false, stopsCluster: false },
        digest: null,
        size: null,
        parts: noParts(),
        bytesSent: 0,
      },
    }),
  );
  takeReports(db, { recordId, number, lease: batch.lease, reports }, 0, now);
  return { total: reports.length, again: 0, failed: reports.length };
}
