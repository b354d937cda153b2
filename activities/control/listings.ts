import { SLOTS, SLOW_SHARE } from "../../domain/lanes.ts";
import type { Paces } from "./paces.ts";

/** Objects of one slow repository that are listed at once. */
const MOST_OF_ONE = 2;
const ASK_AGAIN_MS = 10_000;
/** A worker that lists asks for each page; one that did not for so long has died. */
const GONE_MS = 120_000;

/**
 * Lists of slow linked repositories, which hold slots while they wait for an answer: few of one, and of all together half of the share that
 * slow ends have. In memory: a restart of the process lets a few too many begin.
 */
export function createListings(paces: Pick<Paces, "isSlow">, workers: () => number, now: () => number) {
  const open = new Map<string, { source: string; last: number }>();
  return {
    /** Null: go on; else when to ask again (epoch ms). `key`: the object of a run. */
    begin(source: string, key: string): number | null {
      const time = now();
      for (const [other, { last }] of open) if (time - last > GONE_MS) open.delete(other);
      const slow = [...open].filter(([other, listing]) => other !== key && paces.isSlow(listing.source));
      const most = (Math.max(1, workers()) * SLOTS.SHARED * SLOW_SHARE) / 2;
      const isFull = slow.length >= most || slow.filter(([, listing]) => listing.source === source).length >= MOST_OF_ONE;
      if (!open.has(key) && paces.isSlow(source) && isFull) return time + ASK_AGAIN_MS;
      open.set(key, { source, last: time });
      return null;
    },
    end: (key: string): void => void open.delete(key),
  };
}
