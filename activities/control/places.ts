import {
  AHEAD_SHARE,
  MOST_OPEN,
  MOST_OPEN_SLOW,
  MOST_QUICK,
  OVERSTAYED_MS,
  SLOW_SHARE,
} from "../../domain/lanes.ts";
import type { Open } from "../../db/runs/cut-lanes.ts";
import { endsOf } from "../../db/runs/end-batch.ts";
import type { Paces } from "./paces.ts";

/** The ends of a batch: its cluster, and the linked repository if it is read from one. */
type Ends = readonly string[];

/**
 * Counts SHARED batches by end and compares the counts with the limits of domain/lanes.ts. Counted are the
 * open batches and those that workflows may cut but have not cut yet.
 */
export type Places = {
  /** Counts `n` more batches of these ends. */
  take: (ends: Ends, n: number) => void;
  /** Whether one more batch of these ends may be cut. */
  has: (ends: Ends) => boolean;
  /**
   * Returns by how many batches slow ends exceed a limit: that of all slow ends together, or that of one of
   * `ends`, whichever is exceeded more. 0: a limit is reached exactly; negative: there is room.
   */
  excess: (ends: Ends) => number;
};

type PlacesNow = {
  open: readonly Open[];
  /** Workflows that may cut `granted` batches and have not done so yet. */
  given: Iterable<{ ends: Ends; granted: number }>;
  /** SHARED slots of all workers. */
  slots: number;
  isSlow: Paces["isSlow"];
  now: number;
};

export function countPlaces({
  open,
  given,
  slots,
  isSlow: isKnownSlow,
  now,
}: PlacesNow): Places {
  const overstayed = overstayedEnds(open, now);
  const isSlow = (end: string) => isKnownSlow(end) || overstayed.has(end);
  const [all, slow] = [createCount(), createCount()];
  const take = (ends: Ends, n: number) => {
    all.add(ends, n);
    if (ends.some(isSlow)) slow.add(ends, n);
  };
  for (const batches of open)
    if (batches.lane === "SHARED") take(endsOf(batches), batches.n);
  for (const { ends, granted } of given) take(ends, granted);
  // A batch with one slow end is counted as slow at both ends. So a quick cluster gets at most
  // MOST_OPEN_SLOW batches from slow sources, which therefore cannot fill it.
  const excess = (ends: Ends) =>
    Math.max(
      slow.total() - slots * SLOW_SHARE,
      ...ends.map((end) => slow.of(end) - MOST_OPEN_SLOW),
    );
  const has = (ends: Ends) =>
    all.total() < slots * AHEAD_SHARE &&
    ends.every((end) => all.of(end) < MOST_OPEN) &&
    (!ends.some(isSlow) || excess(ends) < 0);
  return { take, has, excess };
}

/** Counts batches, in all and by end. */
function createCount() {
  const byEnd = new Map<string, number>();
  let total = 0;
  return {
    add(ends: Ends, n: number): void {
      total += n;
      for (const end of ends) byEnd.set(end, (byEnd.get(end) ?? 0) + n);
    },
    of: (end: string) => byEnd.get(end) ?? 0,
    total: () => total,
  };
}

/**
 * Returns the clusters with a SHARED batch that its worker has held for longer than OVERSTAYED_MS, far
 * beyond its slice of time.
 */
function overstayedEnds(open: readonly Open[], now: number): Set<string> {
  const long = open.filter(
    ({ lane, taken }) =>
      lane === "SHARED" && taken !== null && now - taken > OVERSTAYED_MS,
  );
  return new Set(long.map(({ clusterId }) => clusterId));
}

/**
 * Returns how many more QUICK batches of these ends may be cut: none if an end is slow; otherwise each end
 * may have MOST_QUICK open at once, or only one if any of the ends is not known to be quick.
 */
export function quickRoom(
  open: readonly Open[],
  ends: Ends,
  { isSlow, isQuick }: Pick<Paces, "isSlow" | "isQuick">,
): number {
  if (ends.some(isSlow)) return 0;
  const most = ends.every(isQuick) ? MOST_QUICK : 1;
  const used = (end: string) =>
    open
      .filter((batches) => batches.lane === "QUICK" && endsOf(batches).includes(end))
      .reduce((sum, { n }) => sum + n, 0);
  return Math.max(0, most - Math.max(...ends.map(used)));
}
