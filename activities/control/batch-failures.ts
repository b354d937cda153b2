import type { Db } from "../../db/open.ts";
import { findBatch } from "../../db/runs/end-batch.ts";
import { failBatch } from "../../db/runs/fail-batch.ts";
import { snapshotOf } from "../../db/records/snapshots.ts";
import {
  type BatchCounts,
  isolateBatch,
  type Split,
  splitBatch,
} from "../../db/runs/split-batch.ts";
import { MOST_DEATHS } from "../../domain/lanes.ts";
import type { Turns } from "./turns.ts";

/**
 * Counts in the metrics one failed attempt to send a batch: its worker died, or the batch's own process
 * died or failed. `subject` names the batch; `deaths`: which attempt failed: 1 to MOST_DEATHS in workers,
 * MOST_DEATHS + 1 in a process of its own.
 */
export type Died = (death: { subject: string; deaths: number }) => void;

type BatchFailureDeps = {
  db: Db;
  now: () => number;
  turns: Pick<Turns, "freed">;
  died: Died;
};

/** Activities for batches that their workers could not finish. */
export function createBatchFailureActivities({ db, now, turns, died }: BatchFailureDeps) {
  return {
    /**
     * Fails the artifacts without an outcome of a batch that no worker could finish. Only runs that began
     * before batches were halved call this.
     */
    async failBatch(recordId: string, number: number): Promise<BatchCounts> {
      return failBatch(db, recordId, number, now());
    },

    /**
     * Marks a batch to be sent in a process of its own, because workers died while they sent it. `deaths`:
     * how many workers so far.
     */
    async isolateBatch(recordId: string, number: number, deaths: number): Promise<void> {
      for (let nth = 1; nth <= deaths; nth += 1)
        died({ subject: batchName(db, recordId, number), deaths: nth });
      isolateBatch(db, recordId, number);
      turns.freed();
    },

    /**
     * Halves a batch that could not be sent in a process of its own either. If only one of its artifacts
     * has no outcome, the batch is not halved: that artifact fails with `reason`.
     */
    async splitBatch(recordId: string, number: number, reason: string): Promise<Split> {
      died({ subject: batchName(db, recordId, number), deaths: MOST_DEATHS + 1 });
      return splitBatch(db, recordId, number, reason, now());
    },
  };
}

/**
 * Returns a name of the batch for people: its number, task and cluster. If the record is gone, its id
 * stands for the task, and the cluster is missing.
 */
function batchName(db: Db, recordId: string, number: number): string {
  const snapshot = snapshotOf(db, recordId);
  const end = findBatch(db, recordId, number);
  const to = snapshot?.clusters.find(({ id }) => id === end?.clusterId)?.name ?? "";
  return `batch ${number} of ${snapshot?.taskName ?? recordId} → ${to}`;
}
