import { setTimeout as sleep } from "node:timers/promises";
import type { LeaseAnswer } from "../../domain/worker-messages.ts";

/** Shortest and longest share of a second that is asked for at once. */
const LEASES_PER_SECOND = 10;
const AWAY_MS = 1_000;

/** Answers how many of `bytes` may pass, one at least. */
export type Throttle = (bytes: number, signal: AbortSignal) => Promise<number>;

export const UNLIMITED = async (bytes: number): Promise<number> => bytes;

/**
 * Lets `rate` bytes a second pass for one execution and cluster, as the control plane leases them; callers are served
 * in order, each with what is there, so that none waits long for another's large piece. Without a lease nothing passes
 * (docs/decisions.md#rate-limit).
 */
export function createThrottle(rate: number, lease: (bytes: number) => Promise<LeaseAnswer>): Throttle {
  if (rate <= 0) return UNLIMITED;
  const share = Math.ceil(rate / LEASES_PER_SECOND);
  let available = 0;
  let queue: Promise<unknown> = Promise.resolve();

  async function pass(bytes: number, signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      const passing = Math.min(available, bytes);
      available -= passing;
      if (passing > 0) return passing;
      const granted = await lease(Math.max(Math.min(bytes, rate), share)).catch(() => ({ bytes: 0, waitMs: AWAY_MS }));
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
