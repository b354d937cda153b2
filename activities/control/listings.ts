import { SLOTS } from "../../domain/lanes.ts";
import type { Paces } from "./paces.ts";

/** How many objects of one slow repository may be listed at the same time. */
const MOST_OF_ONE = 2;
/** Maximum share of all SHARED slots for listings of repositories that are not known to answer quickly. */
const UNPROVEN_SHARE = 0.25;
const ASK_AGAIN_MS = 10_000;
/**
 * A worker reports every few seconds that its listing goes on; after this long (ms) without a report the
 * listing counts as dead.
 */
const GONE_MS = 30_000;

/**
 * Limits the listings of linked repositories, which hold slots while they wait for an answer: few may run
 * at the same time for repositories that are not known to answer quickly, and fewer for one slow
 * repository. The state is in memory; after a restart of the process a few too many listings may begin.
 * `ticks`: milliseconds of a clock that nobody sets; `now`: the time of day, epoch ms.
 */
export function createListings(
  paces: Pick<Paces, "isSlow" | "isQuick">,
  workers: () => number,
  { ticks, now }: { ticks: () => number; now: () => number },
) {
  const open = new Map<string, { source: string; last: number }>();
  return {
    /**
     * Returns null when the listing may begin or continue, otherwise when to ask again (epoch ms).
     * `source`: the linked repository; `key` identifies the listed object of a run.
     */
    begin(source: string, key: string): number | null {
      const time = ticks();
      for (const [other, { last }] of open) if (time - last > GONE_MS) open.delete(other);
      const unproven = [...open].filter(
        ([other, listing]) => other !== key && !paces.isQuick(listing.source),
      );
      const most = Math.max(1, workers()) * SLOTS.SHARED * UNPROVEN_SHARE;
      const ofOne = unproven.filter(([, listing]) => listing.source === source).length;
      const isFull =
        unproven.length >= most || (paces.isSlow(source) && ofOne >= MOST_OF_ONE);
      if (!open.has(key) && !paces.isQuick(source) && isFull) return now() + ASK_AGAIN_MS;
      open.set(key, { source, last: time });
      return null;
    },
    /** Records that the listing with this key is still in progress; does nothing if it is unknown. */
    alive(key: string): void {
      const listing = open.get(key);
      if (listing) listing.last = ticks();
    },
    end: (key: string): void => void open.delete(key),
  };
}
