const FIRST_DELAY = 2_000;
const LONGEST_DELAY = 120_000;
const LONGEST_RETRY_AFTER = 600_000;

/**
 * Returns when an artifact or listing is tried again (epoch ms) after its `tries`-th failure: after 2 s,
 * doubled each time up to 2 min, but not before `notBefore`, which counts up to 10 min. The last try is at
 * the end of the window, which began with the `first` failure; null after that (docs/decisions.md#retry).
 */
export function nextTry(
  now: number,
  window: number,
  first: number,
  tries: number,
  notBefore: number | null,
): number | null {
  const end = first + window;
  if (now >= end) return null;
  const delay = Math.min(FIRST_DELAY * 2 ** (tries - 1), LONGEST_DELAY);
  const asked = Math.min(notBefore ?? 0, now + LONGEST_RETRY_AFTER);
  return Math.min(Math.max(now + delay, asked), end);
}

/**
 * Returns when an artifact is due (epoch ms) that was put off without being tried: after half the time
 * that has passed since its `first` failure, but at least 1 s, at most 60 s, and not after the end of the
 * retry window. Null when that window, which began with the `first` failure, is over.
 */
export function nextTurn(now: number, window: number, first: number): number | null {
  const end = first + window;
  if (now >= end) return null;
  const delay = Math.min(Math.max((now - first) / 2, FIRST_DELAY / 2), LONGEST_DELAY / 2);
  return Math.min(Math.round(now + delay), end);
}

/**
 * For how long (ms) a REAL_TIME drain retries a file or version, or a cluster that accepts nothing at all;
 * used instead of the retry window of other runs.
 */
export const DRAIN_WINDOW = 60_000;

const FIRST_DRAIN_DELAY = 5_000;
const LONGEST_DRAIN_DELAY = 300_000;

/**
 * Returns the delay (ms) after the `failures`-th failure in a row, of a drain or of one file or version,
 * before the next drain tries again: 5 s, doubled each time up to 5 min.
 */
export function drainDelay(failures: number): number {
  return Math.min(FIRST_DRAIN_DELAY * 2 ** (failures - 1), LONGEST_DRAIN_DELAY);
}
