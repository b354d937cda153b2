import { SLOTS } from "../../domain/lanes.ts";
import type { Paces } from "./paces.ts";

/** Objects of one slow repository that are listed at once. */
const MOST_OF_ONE = 2;
/** Of all SHARED slots, the share of lists of repositories that have not lately answered quickly. */
const UNPROVEN_SHARE = 0.25;
const ASK_AGAIN_MS = 10_000;
/** A worker that lists says so every few seconds; one that did not for so long has died. */
const GONE_MS = 30_000;

/**
 * Lists of linked repositories hold slots while they wait for an answer: of those that have not lately answered quickly
 * few may go on at once, of one that is slow fewer. In memory: a restart of the process lets a few too many begin.
 */
export function createListings(paces: Pick<Paces, "isSlow" | "isQuick">, workers: () => number, now: () => number) {
  const open = new Map<string, { source: string; last: number }>();
  return {
    /** Null: go on; else when to ask again (epoch ms). `key`: the object of a run. */
    begin(source: string, key: string): number | null {
      const time = now();
      for (const [other, { last }] of open) if (time - last > GONE_MS) open.delete(other);
      const unproven = [...open].filter(([other, listing]) => other !== key && !paces.isQuick(listing.source));
      const most = Math.max(1, workers()) * SLOTS.SHARED * UNPROVEN_SHARE;
      const ofOne = unproven.filter(([, listing]) => listing.source === source).length;
      const isFull = unproven.length >= most || (paces.isSlow(source) && ofOne >= MOST_OF_ONE);
      if (!open.has(key) && !paces.isQuick(source) && isFull) return time + ASK_AGAIN_MS;
      open.set(key, { source, last: time });
      return null;
    },
    /** It goes on. */
    alive(key: string): void {
      const listing = open.get(key);
      if (listing) listing.last = now();
    },
    end: (key: string): void => void open.delete(key),
  };
}
