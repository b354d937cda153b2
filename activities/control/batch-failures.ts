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
 * Called for each time that a worker or process crashed while it sent a batch, to count the crash in
 * the metrics. `subject` names the batch; `deaths`: how many crashes of that batch so far.
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
    /** Fails the artifacts without an outcome of a batch that no worker could finish. */
    async failBatch(recordId: string, number: number): Promise<BatchCounts> {
      return failBatch(db, recordId, number, now());
    },

    /**
     * Isolates a batch in a process of its own, because workers crashed while they sent it. `deaths`:
     * how many workers so far.
     */
    async isolateBatch(recordId: string, number: number, deaths: number): Promise<void> {
      for (let nth = 1; nth <= deaths; nth += 1)
        died({ subject: batchName(db, recordId, number), deaths: nth });
      isolateBatch(db, recordId, number);
      turns.freed();
    },

    /**
     * Halves a batch that crashed its workers and then also the process of its own that it got. A
     * batch of one artifact is not halved: that artifact fails.
     */
    async splitBatch(recordId: string, number: number, reason: string): Promise<Split> {
      died({ subject: batchName(db, recordId, number), deaths: MOST_DEATHS + 1 });
      return splitBatch(db, recordId, number, reason, now());
    },
  };
}

/** Returns a name of the batch that people understand, with its task and cluster. */
function batchName(db: Db, recordId: string, number: number): string {
  const snapshot = snapshotOf(db, recordId);
  const end = findBatch(db, recordId, number);
  const to = snapshot?.clusters.find(({ id }) => id === end?.clusterId)?.name ?? "";
  return `batch ${number} of ${snapshot?.taskName ?? recordId} → ${to}`;
}
