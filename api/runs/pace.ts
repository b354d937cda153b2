/** How often the reconciler looks and how long it waits (ms). */
export type Pace = {
  interval: number;
  /** Records that are younger than this are still being started. */
  settled: number;
  /** Time between two looks at runs that are to end. */
  beat: number;
  /** How long a run that is to end may show no reaction before it is terminated. */
  patience: number;
};

const LONGEST_BEAT_MS = 5_000;
const LONGEST_PATIENCE_MS = 45_000;

/**
 * Derives all times from one interval (ms), so that one setting speeds up all of them. A long interval does not slow
 * down stops.
 */
export function paceOf(interval: number): Pace {
  return {
    interval,
    settled: interval / 2,
    beat: Math.min(interval / 12, LONGEST_BEAT_MS),
    patience: Math.min(interval * 0.75, LONGEST_PATIENCE_MS),
  };
}
