/** Times (ms) that set how often runs are looked at and how long they get to start or to end. */
export type Pace = {
  interval: number;
  /** Age (ms) from which the reconciler looks at a record; younger ones are still being started. */
  settled: number;
  /** Time (ms) between two looks at runs that are to end. */
  beat: number;
  /** How long (ms) a run that is to end may show no progress before it is terminated. */
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
