import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "@temporalio/worker";
import type { Logger } from "pino";
import type { TemporalSettings } from "./connect.ts";
import { workerConnection } from "./worker.ts";

type Options = {
  settings: TemporalSettings;
  namespace: string;
  taskQueue: string;
  activities: object;
  /** Activities at once. */
  slots: number;
  log: Logger;
};

/** Runs activities of one queue until it is stopped; connects again when Temporal was away for too long. `onUp` is called at the first connection. */
export function keepActivityWorker({ settings, namespace, taskQueue, activities, slots, log }: Options, onUp: () => void = () => {}) {
  let worker: Worker | undefined;
  const stopping = new AbortController();

  async function runOnce(): Promise<void> {
    const connection = await workerConnection(settings, log);
    worker = await Worker.create({
      connection,
      namespace,
      taskQueue,
      activities,
      maxConcurrentActivityTaskExecutions: slots,
      // Progress and cancellation are at most this late (design.md §5.5).
      maxHeartbeatThrottleInterval: "2s",
      defaultHeartbeatThrottleInterval: "2s",
      shutdownGraceTime: "1s",
      shutdownForceTime: "10s",
    });
    if (stopping.signal.aborted) return;
    onUp();
    await worker.run();
    await connection.close();
  }

  const running = (async () => {
    while (!stopping.signal.aborted) {
      await runOnce().catch((error: unknown) => log.error({ err: error, taskQueue }, "the worker broke off and starts again"));
      if (!stopping.signal.aborted) await sleep(1_000);
    }
  })();

  return {
    async stop(): Promise<void> {
      stopping.abort();
      if (worker?.getState() === "RUNNING") worker.shutdown();
      await running;
    },
  };
}
