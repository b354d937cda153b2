import type { Db } from "../open.ts";
import { takeBatch } from "./batch.ts";
import { type BatchCounts, failAll } from "./split-batch.ts";

const REASON =
  "no transfer worker could finish the batch: each that tried died or was lost; see the workers' logs";

/**
 * Fails the artifacts without an outcome in a batch that no worker could finish. Only runs that
 * were started by a release without the halving of batches call this.
 */
export function failBatch(
  db: Db,
  recordId: string,
  number: number,
  now: number,
): BatchCounts {
  const batch = takeBatch(db, recordId, number, now);
  if (batch.kind !== "batch") return { total: 0, again: 0, failed: 0 };
  // Artifacts that an attempt postponed before its worker died are in none of the counts of
  // `failAll`; `rest` tells the run that something may be left to cut.
  return {
    ...failAll(
      db,
      { recordId, number, epoch: batch.epoch },
      batch.artifacts,
      REASON,
      now,
    ),
    rest: 1,
  };
}
