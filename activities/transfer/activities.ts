import { ApplicationFailure, CancelledFailure, Context } from "@temporalio/activity";
import { runBatch, type BatchResult } from "./batch.ts";
import { type Lane, STOPPING } from "../../domain/lanes.ts";
import type { BatchDeps } from "./context.ts";
import { listObject, type Listed } from "./listing.ts";
import { isRefusal, workerRefused } from "./refused.ts";

export type { BatchResult } from "./batch.ts";

/**
 * Activities of transfer workers. Their inputs only name a batch, or an object to list; a worker fetches
 * everything else from the control plane.
 */
export function createTransferActivities(deps: BatchDeps) {
  return {
    async transferBatch(recordId: string, number: number): Promise<BatchResult> {
      return heartbeating((signal, heartbeat) =>
        runBatch(deps, { recordId, number, signal, heartbeat }),
      );
    },
    /**
     * Continues listing an object whose repository is linked, for as long as the listing may hold its
     * slot.
     */
    async listPages(
      recordId: string,
      objectIndex: number,
      lane: Lane = "SHARED",
    ): Promise<Listed> {
      return heartbeating((signal, heartbeat) =>
        listObject(deps, { recordId, object: objectIndex, lane, signal, heartbeat }),
      );
    },
  };
}

export type TransferActivities = ReturnType<typeof createTransferActivities>;

/**
 * Runs `work` with a function that sends heartbeats. If the worker stops, or the control plane refuses it,
 * throws a retryable failure, so that another worker continues; if the run is cancelled, throws that it was
 * cancelled. Any other error of `work` is thrown as it is.
 */
async function heartbeating<T>(
  work: (signal: AbortSignal, heartbeat: () => void) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  try {
    const result = await work(context.cancellationSignal, () => context.heartbeat());
    context.cancellationSignal.throwIfAborted();
    return result;
  } catch (error) {
    if (isRefusal(error)) throw workerRefused(error);
    if (!context.cancellationSignal.aborted) throw error;
    if (context.cancellationDetails?.workerShutdown)
      throw ApplicationFailure.retryable("the worker is stopping", STOPPING);
    throw new CancelledFailure("the run was cancelled");
  }
}
