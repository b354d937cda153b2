import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "@temporalio/worker";
import type { Logger } from "pino";
import type { Asked } from "./diagnosis.ts";
import type { Tracing } from "./tracing.ts";
import { workerConnection } from "./worker.ts";

/** One queue: its activities, and how many activities run at once. */
type Queue = { taskQueue: string; activities: object; slots: number };

type Options = {
  asked: Asked;
  queues: readonly Queue[];
  /**
   * Maximum time (ms) for which the SDK holds back heartbeats of an activity. Progress in Temporal's UI,
   * and the cancellation of the activity, are late by about this much.
   */
  heartbeatInterval: number;
  /** Null: traces are not wanted. */
  tracing: Tracing | null;
  log: Logger;
  /** Whether this process tells in its log why it waits for Temporal. */
  alone?: boolean;
};

/**
 * Runs the activities of some queues until the caller stops it; reconnects after an outage of Temporal.
 * `onUp` is called each time its workers have started.
 */
export function keepActivityWorkers(
  { asked, queues, heartbeatInterval, tracing, log, alone = false }: Options,
  onUp: () => void = () => {},
) {
  let workers: Worker[] = [];
  const stopping = new AbortController();
  const endAll = () =>
    workers
      .filter((worker) => worker.getState() === "RUNNING")
      .forEach((worker) => worker.shutdown());

  async function runOnce(): Promise<void> {
    const { signal } = stopping;
    const connection = await workerConnection({ asked, log, signal, alone });
    workers = await Promise.all(
      queues.map(({ taskQueue, activities, slots }) =>
        Worker.create({
          connection,
          namespace: asked.namespace,
          taskQueue,
          activities,
          ...(tracing && { interceptors: tracing.activityInterceptors }),
          maxConcurrentActivityTaskExecutions: slots,
          maxHeartbeatThrottleInterval: heartbeatInterval,
          defaultHeartbeatThrottleInterval: heartbeatInterval,
          shutdownGraceTime: "1s",
          shutdownForceTime: "10s",
        }),
      ),
    );
    if (stopping.signal.aborted) return;
    onUp();
    // If one worker breaks, the others end, too: all of them start again together.
    const ended = await Promise.allSettled(
      workers.map((worker) => worker.run().finally(endAll)),
    );
    await connection.close();
    for (const end of ended) if (end.status === "rejected") throw end.reason;
  }

  const running = (async () => {
    while (!stopping.signal.aborted) {
      const names = queues.map(({ taskQueue }) => taskQueue);
      await runOnce().catch((error: unknown) => {
        if (stopping.signal.aborted) return;
        log.error(
          { err: error, queues: names },
          "the workers of these queues failed and start again",
        );
      });
      if (!stopping.signal.aborted) await sleep(1_000);
    }
  })();

  return {
    async stop(): Promise<void> {
      stopping.abort();
      endAll();
      await running;
    },
  };
}
