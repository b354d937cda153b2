/** How quickly an end answers, as the requests to it find. */
export type Pace = {
  /**
   * Call when a request begins: `sent` when it has said all and waits for its answer, `over` when that has begun or
   * failed.
   */
  request: () => { sent: () => void; over: () => void };
  /**
   * What an answer lately took (ms); one that is waited for counts by half of its time so far. Null while nothing was
   * asked.
   */
  waitMs: () => number | null;
};

/** How much the newest answer counts beside those before. */
const NEWEST = 0.3;
/** Requests beyond this many at once may wait for a connection of ours: their time says nothing of the end. */
const MEASURED_AT_ONCE = 16;

export function createPace(now: () => number = Date.now): Pace {
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
      const waits = [...open].flatMap(({ since }) => (since === null ? [] : [now() - since]));
      if (mean === null && waits.length === 0) return null;
      return Math.max(mean ?? 0, ...waits.map((wait) => wait / 2));
    },
  };
}

/** `body` as it is; `sent` is called when all of it has gone. */
export async function* thenSent<T>(body: AsyncIterable<T>, sent: () => void): AsyncGenerator<T, void, undefined> {
  yield* body;
  sent();
}
