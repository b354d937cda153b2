import { Context } from "@temporalio/activity";

const HEARTBEAT_MS = 2_000;

/** For work that yields now and then, however long it takes, and however long it waits for its turn. */
export async function heartbeating<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
