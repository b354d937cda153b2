import { FAST_MS, SLOW_MS } from "../../domain/lanes.ts";

/** What is known of how quickly ends answer; an end is a cluster's id, or `project/repository` of a linked one. */
export type Paces = {
  /** Takes in that an answer of the end took so long (ms). */
  note: (end: string, waitMs: number) => void;
  isSlow: (end: string) => boolean;
  /** It has answered quickly when it was last asked. */
  isQuick: (end: string) => boolean;
  /** Slow ends, and since when (epoch ms). */
  slow: () => Map<string, number>;
};

type Known = { waitMs: number; slowSince: number | null };

const MOST_KEPT = 10_000;

/** In memory: after a restart of the process the first batches and the checks of the clusters tell anew. */
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
      new Map([...ends].flatMap(([end, { slowSince }]) => (slowSince === null ? [] : [[end, slowSince] as const]))),
  };
}
