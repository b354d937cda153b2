import { Context } from "@temporalio/activity";

const HEARTBEAT_MS = 2_000;

/** Runs work with heartbeats, however long it takes or waits for its turn. The work must yield now and then. */
export async function heartbeating<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
