import { setTimeout as sleep } from "node:timers/promises";
import type { LeaseAnswer } from "../../domain/worker-messages.ts";

/** Shortest and longest share of a second that is asked for at once. */
const LEASES_PER_SECOND = 10;
const AWAY_MS = 1_000;

export type Throttle = (bytes: number, signal: AbortSignal) => Promise<void>;

/**
 * Lets `rate` bytes a second pass for one execution and cluster, as the control plane leases them; callers are served in order. Without a
 * lease nothing passes (design.md §6, rateLimit).
 */
export function createThrottle(rate: number, lease: (bytes: number) => Promise<LeaseAnswer>): Throttle {
  if (rate <= 0) return async () => {};
  const share = Math.ceil(rate / LEASES_PER_SECOND);
  let available = 0;
  let queue: Promise<void> = Promise.resolve();

  async function pass(bytes: number, signal: AbortSignal): Promise<void> {
    let missing = bytes;
    while (missing > 0) {
      signal.throwIfAborted();
      const taken = Math.min(available, missing);
      available -= taken;
      missing -= taken;
      if (missing === 0) return;
      const granted = await lease(Math.max(Math.min(missing, rate), share)).catch(() => ({ bytes: 0, waitMs: AWAY_MS }));
      available += granted.bytes;
      if (granted.bytes === 0) await sleep(granted.waitMs, undefined, { signal });
    }
  }

  return (bytes, signal) => {
    const turn = queue.then(() => pass(bytes, signal));
    queue = turn.catch(() => {});
    return turn;
  };
}
