import { Context } from "@temporalio/activity";

const HEARTBEAT_MS = 2_000;

/**
 * Runs `work` and sends heartbeats to Temporal until it ends. The work must let the event loop run now
 * and then, else no heartbeat is sent.
 */
export async function heartbeating<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
