import { fork, type ChildProcess } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { context as traces, propagation } from "@opentelemetry/api";
import { ApplicationFailure, CancelledFailure, Context } from "@temporalio/activity";
import type { Logger } from "pino";
import { TransferError } from "../../domain/failure.ts";
import { STOPPING } from "../../domain/lanes.ts";
import { isRefusal, workerRefused } from "../transfer/refused.ts";
import type { BatchResult } from "../transfer/batch.ts";
import type { AloneMessage } from "./messages.ts";
import { elapsed } from "../../domain/elapsed.ts";

const ENTRY = fileURLToPath(new URL(`start${extname(import.meta.url)}`, import.meta.url));
/** A process for one batch that sends its worker no message for this long (ms) counts as hung and is killed. */
const SILENT_MS = 30_000;
const LOOK_MS = 1_000;

/**
 * Activities that run one batch in a process of its own, so that a batch that crashes its process harms no
 * other batch. A batch that fails or loses its process gives a non-retryable error that says why; a worker
 * that stops gives a retryable one, and a cancelled run a CancelledFailure.
 */
export function createAloneActivities(log: Pick<Logger, "warn">) {
  return {
    async transferBatch(recordId: string, number: number): Promise<BatchResult> {
      const context = Context.current();
      const child = fork(ENTRY, [recordId, String(number), traceparent()], {
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      });
      const kill = () => void child.kill("SIGKILL");
      context.cancellationSignal.addEventListener("abort", kill);
      try {
        return await outcomeOf(child, () => context.heartbeat());
      } catch (error) {
        if (context.cancellationDetails?.workerShutdown)
          throw ApplicationFailure.retryable("the worker is stopping", STOPPING);
        if (context.cancellationSignal.aborted)
          throw new CancelledFailure("the run was cancelled");
        if (isRefusal(error)) throw workerRefused(error);
        const reason = error instanceof Error ? error.message : String(error);
        log.warn({ recordId, number, reason }, "a batch in a process of its own failed");
        throw ApplicationFailure.nonRetryable(reason, "BatchFailed");
      } finally {
        context.cancellationSignal.removeEventListener("abort", kill);
        kill();
      }
    },
  };
}

/**
 * Returns the current trace as the value of the header `traceparent` (W3C Trace Context); "" without a
 * trace.
 */
function traceparent(): string {
  const carrier: { traceparent?: string } = {};
  propagation.inject(traces.active(), carrier);
  return carrier.traceparent ?? "";
}

/**
 * Resolves with the result that the child process sends. Rejects with the reason that the child sends when
 * its batch fails, or when the child sends neither, with how it ended or why it could not be started. Kills
 * a child that is silent for SILENT_MS.
 */
async function outcomeOf(
  child: ChildProcess,
  heartbeat: () => void,
): Promise<BatchResult> {
  let heard = elapsed();
  let silent = false;
  const timer = setInterval(() => {
    if (elapsed() - heard < SILENT_MS) return;
    silent = true;
    child.kill("SIGKILL");
  }, LOOK_MS);
  try {
    return await new Promise<BatchResult>((resolve, reject) => {
      child.on("message", (message: AloneMessage) => {
        heard = elapsed();
        heartbeat();
        if (message.type === "done") resolve(message.result);
        if (message.type === "failed") reject(new Error(message.reason));
        if (message.type === "refused")
          reject(new TransferError("refused", message.reason));
      });
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        const how = silent
          ? `sent no message for ${SILENT_MS / 1_000} s`
          : `ended with ${signal ?? `exit code ${code}`}`;
        reject(new Error(`the batch's own process ${how}`));
      });
    });
  } finally {
    clearInterval(timer);
  }
}
