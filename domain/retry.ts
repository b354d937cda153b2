const FIRST_DELAY = 2_000;
const LONGEST_DELAY = 120_000;
const LONGEST_RETRY_AFTER = 600_000;

/**
 * When something that failed for the `tries`-th time is due again (epoch ms): after 2 s × 2, at most 2 min, `notBefore` honoured up to 10 min;
 * the last try is at the end of the window that began with the first failure, and after that there is none (null). Design.md §6, Retry.
 */
export function nextTry(now: number, window: number, first: number, tries: number, notBefore: number | null): number | null {
  const end = first + window;
  if (now >= end) return null;
  const delay = Math.min(FIRST_DELAY * 2 ** (tries - 1), LONGEST_DELAY);
  const asked = Math.min(notBefore ?? 0, now + LONGEST_RETRY_AFTER);
  return Math.min(Math.max(now + delay, asked), end);
}
