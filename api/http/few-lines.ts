const MINUTE_MS = 60_000;

/**
 * Limits the lines that strangers can make a log write. Returns a function that writes a line, or only counts it
 * beyond `most` in a minute; at the end of the minute `more` is called with the number of those that were counted.
 */
export function createFewLines(
  most: number,
  more: (count: number) => void,
  minuteMs = MINUTE_MS,
) {
  let [written, counted] = [0, 0];
  let isOpen = false;
  const end = () => {
    const count = counted;
    [written, counted, isOpen] = [0, 0, false];
    if (count > 0) more(count);
  };
  return (line: () => void): void => {
    if (!isOpen) setTimeout(end, minuteMs).unref();
    isOpen = true;
    if (written < most) line();
    else counted += 1;
    written += 1;
  };
}
