import { elapsed } from "../../domain/elapsed.ts";

/** Measures how quickly an end answers requests. */
export type Pace = {
  /**
   * Measures one request. Call `request` when it begins, `sent` when its body is sent and it waits for
   * the answer, and `over` when the answer has begun or failed.
   */
  request: () => { sent: () => void; over: () => void };
  /**
   * Returns the average time (ms) that recent answers took to begin, or half of the time that a pending answer
   * has taken so far, if that is longer. Null until the first request is sent.
   */
  waitMs: () => number | null;
};

/** Weight of the newest answer in the average; all earlier answers together have the rest. */
const NEWEST = 0.3;
/**
 * Maximum number of requests that are measured at once. Further ones may wait for one of our own connections,
 * so their time says nothing about the end.
 */
const MEASURED_AT_ONCE = 16;

export function createPace(now: () => number = elapsed): Pace {
  const open = new Set<{ since: number | null }>();
  let mean: number | null = null;
  return {
    request() {
      const wait: { since: number | null } = { since: null };
      const isMeasured = open.size < MEASURED_AT_ONCE;
      if (isMeasured) open.add(wait);
      return {
        sent: () => void (wait.since = now()),
        over() {
          if (!open.delete(wait) || wait.since === null) return;
          const took = now() - wait.since;
          mean = mean === null ? took : mean + (took - mean) * NEWEST;
        },
      };
    },
    waitMs() {
      const waits = [...open].flatMap(({ since }) =>
        since === null ? [] : [now() - since],
      );
      if (mean === null && waits.length === 0) return null;
      return Math.max(mean ?? 0, ...waits.map((wait) => wait / 2));
    },
  };
}

/** Passes `body` through; calls `sent` when all of it has gone. */
export async function* thenSent<T>(
  body: AsyncIterable<T>,
  sent: () => void,
): AsyncGenerator<T, void, undefined> {
  yield* body;
  sent();
}
