/**
 * Maximum size (bytes) of a list in the answer of an activity, so that the answer stays below 4 KiB in
 * Temporal's history. It is counted in bytes, not in characters, because names may be non-ASCII.
 */
const MOST_BYTES = 4_000;

/**
 * Returns the first items of a list: as many as fit into one answer of an activity (MOST_BYTES), and at
 * least one.
 */
export function firstOf<T>(list: readonly T[]): T[] {
  let bytes = 0;
  const end = list.findIndex(
    (item, at) =>
      (bytes += Buffer.byteLength(JSON.stringify(item)) + 1) > MOST_BYTES && at > 0,
  );
  return list.slice(0, end === -1 ? list.length : end);
}

/**
 * Returns the list, or null when it has several items that do not fit into one answer of an activity
 * (MOST_BYTES).
 */
export const whole = <T>(list: T[]): T[] | null =>
  firstOf(list).length === list.length ? list : null;
