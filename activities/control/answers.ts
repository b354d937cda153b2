/** The answer of an activity must stay below 4 KiB in the history; counted in bytes, as names may be non-ASCII. */
const MOST_BYTES = 4_000;

/** Returns the first items of a list, as many as one answer holds, at least one. */
export function firstOf<T>(list: readonly T[]): T[] {
  let bytes = 0;
  const end = list.findIndex(
    (item, at) =>
      (bytes += Buffer.byteLength(JSON.stringify(item)) + 1) > MOST_BYTES && at > 0,
  );
  return list.slice(0, end === -1 ? list.length : end);
}

/** Returns the list, or null when it is too long for one answer. */
export const whole = <T>(list: T[]): T[] | null =>
  firstOf(list).length === list.length ? list : null;
