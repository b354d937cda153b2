const FIRST_DELAY = 2_000;
const LONGEST_DELAY = 120_000;
const LONGEST_RETRY_AFTER = 600_000;

/**
 * When something that failed for the `tries`-th time is due again (epoch ms): after 2 s × 2, at most 2 min, `notBefore`
 * honoured up to 10 min; the last try is at the end of the window that began with the first failure, and after that
 * there is none (null). docs/decisions.md#retry.
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
 * When something is due that was not tried because others before it got no answer: sooner than these, so that it goes
 * before them. Null as above.
 */
export function nextTurn(now: number, window: number, first: number): number | null {
  const end = first + window;
  if (now >= end) return null;
  const delay = Math.min(Math.max((now - first) / 2, FIRST_DELAY / 2), LONGEST_DELAY / 2);
  return Math.min(Math.round(now + delay), end);
}

/**
 * A REAL_TIME drain keeps trying a file, or a cluster that takes nothing at all, for this long; it stands in the place
 * of the retry window.
 */
export const DRAIN_WINDOW = 60_000;

const FIRST_DRAIN_DELAY = 5_000;
const LONGEST_DRAIN_DELAY = 300_000;

/** How long after the `failures`-th drain in a row that failed the next one begins: 5 s × 2, at most 5 min. */
export function drainDelay(failures: number): number {
  return Math.min(FIRST_DRAIN_DELAY * 2 ** (failures - 1), LONGEST_DRAIN_DELAY);
}
