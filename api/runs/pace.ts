/** How often the reconciler looks, and how long it waits, in ms. */
export type Pace = {
  interval: number;
  /** Younger records are still being started. */
  settled: number;
  /** Between two looks at runs that are to end. */
  beat: number;
  /** How long a run that is to end may show no reaction. */
  patience: number;
};

const LONGEST_BEAT_MS = 5_000;
const LONGEST_PATIENCE_MS = 45_000;

/**
 * All of it hangs on the one interval, so that one setting makes all of it quicker; a stop takes no longer for a longer
 * one.
 */
export function paceOf(interval: number): Pace {
  return {
    interval,
    settled: interval / 2,
    beat: Math.min(interval / 12, LONGEST_BEAT_MS),
    patience: Math.min(interval * 0.75, LONGEST_PATIENCE_MS),
  };
}
