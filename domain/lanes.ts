/**
 * Kinds of slots of a transfer worker, each with its own queue.
 * - SHARED: for all other batches.
 * - QUICK: reserved for small batches to ends that are not known to be slow; none holds its slot for long.
 * - WHOLE: for large blobs that an end accepts in one request only, so that they cannot be interrupted.
 * - ALONE: one batch at a time in a process of its own, for batches whose workers died.
 */
export const LANES = ["SHARED", "QUICK", "WHOLE", "ALONE"] as const;
export type Lane = (typeof LANES)[number];

/** Maximum number of batches that one transfer worker handles at once, by lane. */
export const SLOTS = {
  SHARED: 32,
  QUICK: 8,
  WHOLE: 4,
  ALONE: 1,
} as const satisfies Record<Lane, number>;

/**
 * Maximum number of SHARED batches of one end (a cluster, or a linked repository) that are open at once
 * over all runs.
 */
export const MOST_OPEN = 16;
/** Maximum number of SHARED batches that are open at once for an end that is known to be slow. */
export const MOST_OPEN_SLOW = 4;
/** Maximum share of all SHARED slots that all slow ends together may have. */
export const SLOW_SHARE = 0.5;
/** SHARED batches that may be cut per slot, so that no slot is empty while the next batch is cut. */
export const AHEAD_SHARE = 1.5;
/**
 * Maximum number of QUICK batches of one end at once; an end that is not known to be quick gets only one,
 * and a slow end none.
 */
export const MOST_QUICK = 4;

/**
 * An end becomes slow when its answers take at least SLOW_MS, and is no longer slow when they take at most
 * FAST_MS.
 */
export const SLOW_MS = 3_000;
export const FAST_MS = 1_000;
/** If a worker holds a SHARED batch for longer than this (ms), the cluster of the batch counts as slow. */
export const OVERSTAYED_MS = 90_000;

export type Amount = { artifacts: number; bytes: number };
export const isAtMost = ({ artifacts, bytes }: Amount, most: Amount): boolean =>
  artifacts <= most.artifacts && bytes <= most.bytes;

/**
 * A run is small if all that it plans for a cluster is at most SMALL_RUN. In a REAL_TIME task each batch is
 * judged alone, and is small if it is at most SMALL_NEWS.
 */
export const SMALL_RUN: Amount = { artifacts: 50, bytes: 64 * 1024 ** 2 };
export const SMALL_NEWS: Amount = { artifacts: 200, bytes: 64 * 1024 ** 2 };

/**
 * `begins`: for how long (ms) a batch begins new artifacts; `ends`: after how long (ms) its work under way
 * is interrupted and handed back, null: never.
 */
type SliceLimits = { begins: number; ends: number | null };

/**
 * Returns the time limits of a batch in the lane. `slice`: for how long (ms) a SHARED batch begins new
 * artifacts.
 */
export function sliceOf(lane: Lane, slice: number): SliceLimits {
  if (lane === "QUICK") return { begins: slice / 4, ends: slice / 2 };
  return { begins: lane === "SHARED" ? slice : Number.POSITIVE_INFINITY, ends: null };
}

/**
 * After this many deaths of workers during one batch, the batch gets a process of its own: it may be the
 * cause.
 */
export const MOST_DEATHS = 2;

/**
 * Types of the failures with which a worker gives a batch back because the worker stops (STOPPING) or is
 * not admitted (REFUSED); neither counts as a death of a worker.
 */
export const STOPPING = "WorkerStopping";
export const REFUSED = "WorkerRefused";
