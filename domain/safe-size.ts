/**
 * Returns a number of bytes that somebody else states as one that can be added and stored: an integer from 0 to the
 * largest that a number holds exactly.
 */
export const safeSize = (bytes: number): number =>
  Math.min(Math.max(Math.trunc(bytes), 0), Number.MAX_SAFE_INTEGER);
