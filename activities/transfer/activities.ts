import { ApplicationFailure, CancelledFailure, Context } from "@temporalio/activity";
import { runBatch, type BatchResult } from "./batch.ts";
import { TransferError } from "../../domain/failure.ts";
import { type Lane, REFUSED, STOPPING } from "../../domain/lanes.ts";
import type { BatchDeps } from "./context.ts";
import { listObject, type Listed } from "./listing.ts";

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
    // The control plane refuses this worker, so nothing was tried: another worker gets the batch.
    if (error instanceof TransferError && error.kind === "refused")
      throw ApplicationFailure.create({
        message: error.message,
        type: REFUSED,
        nextRetryDelay: "10 seconds",
      });
    if (!context.cancellationSignal.aborted) throw error;
    if (context.cancellationDetails?.workerShutdown)
      throw ApplicationFailure.retryable("the worker is stopping", STOPPING);
    throw new CancelledFailure("the run was cancelled");
  }
}
