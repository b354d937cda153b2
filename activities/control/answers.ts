/** An activity's answer stays below 4 KiB in the history, names that are not ASCII included. */
const MOST_BYTES = 4_000;

/** The first of a list, as many as one answer holds, one at least. */
export function firstOf<T>(list: readonly T[]): T[] {
  let bytes = 0;
  const end = list.findIndex(
    (item, at) => (bytes += Buffer.byteLength(JSON.stringify(item)) + 1) > MOST_BYTES && at > 0,
  );
  return list.slice(0, end === -1 ? list.length : end);
}

/** The list, or null when one answer does not hold it. */
export const whole = <T>(list: T[]): T[] | null => (firstOf(list).length === list.length ? list : null);
