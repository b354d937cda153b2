import { FAST_MS, SLOW_MS } from "../../domain/lanes.ts";

/** How quickly ends answer. An end is the id of a cluster, or `project/repository` of a linked repository. */
export type Paces = {
  /** Records how long (ms) an answer of the end took. */
  note: (end: string, waitMs: number) => void;
  isSlow: (end: string) => boolean;
  /** Whether the newest noted answer of the end was quick; false if none is known. */
  isQuick: (end: string) => boolean;
  /** Returns the slow ends, and since when each is slow (epoch ms). */
  slow: () => Map<string, number>;
};

type Known = { waitMs: number; slowSince: number | null };

const MOST_KEPT = 10_000;

/**
 * Records how quickly ends answer, in memory. After a restart the paces are learned again from the first
 * batches, listings and cluster checks.
 */
export function createPaces(now: () => number): Paces {
  const ends = new Map<string, Known>();
  return {
    note(end, waitMs) {
      const since = ends.get(end)?.slowSince ?? null;
      const isSlow = waitMs >= SLOW_MS || (since !== null && waitMs > FAST_MS);
      ends.delete(end);
      ends.set(end, { waitMs, slowSince: isSlow ? (since ?? now()) : null });
      const [oldest] = ends.keys();
      if (ends.size > MOST_KEPT && oldest !== undefined) ends.delete(oldest);
    },
    isSlow: (end) => typeof ends.get(end)?.slowSince === "number",
    isQuick: (end) => (ends.get(end)?.waitMs ?? Number.POSITIVE_INFINITY) <= FAST_MS,
    slow: () =>
      new Map(
        [...ends].flatMap(([end, { slowSince }]) =>
          slowSince === null ? [] : [[end, slowSince] as const],
        ),
      ),
  };
}
