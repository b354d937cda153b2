import { ApplicationFailure, CancelledFailure, Context } from "@temporalio/activity";
import { runBatch, type BatchResult } from "./batch.ts";
import { TransferError } from "../../domain/failure.ts";
import { type Lane, REFUSED, STOPPING } from "../../domain/lanes.ts";
import type { BatchDeps } from "./context.ts";
import { listObject, type Listed } from "./listing.ts";

export type { BatchResult } from "./batch.ts";

/** What transfer workers do for workflows. Inputs are ids; what they mean is fetched from the control plane. */
export function createTransferActivities(deps: BatchDeps) {
  return {
    async transferBatch(recordId: string, number: number): Promise<BatchResult> {
      return heartbeating((signal, heartbeat) => runBatch(deps, { recordId, number, signal, heartbeat }));
    },
    /** Lists a linked object on from where it stands, for a while. */
    async listPages(recordId: string, object: number, lane: Lane = "SHARED"): Promise<Listed> {
      return heartbeating((signal, heartbeat) => listObject(deps, { recordId, object, lane, signal, heartbeat }));
    },
  };
}

export type TransferActivities = ReturnType<typeof createTransferActivities>;

/** A worker that stops gives its work back to be done elsewhere; a cancelled run does not. */
async function heartbeating<T>(work: (signal: AbortSignal, heartbeat: () => void) => Promise<T>): Promise<T> {
  const context = Context.current();
  try {
    const result = await work(context.cancellationSignal, () => context.heartbeat());
    context.cancellationSignal.throwIfAborted();
    return result;
  } catch (error) {
    // Nothing was tried: the batch goes to a worker that is let in.
    if (error instanceof TransferError && error.kind === "refused")
      throw ApplicationFailure.create({ message: error.message, type: REFUSED, nextRetryDelay: "10 seconds" });
    if (!context.cancellationSignal.aborted) throw error;
    if (context.cancellationDetails?.workerShutdown)
      throw ApplicationFailure.retryable("the worker is stopping", STOPPING);
    throw new CancelledFailure("the run was cancelled");
  }
}
