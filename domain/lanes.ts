/**
 * Kinds of slots of a transfer worker, each with a queue of its own.
 * - SHARED: for any batch.
 * - QUICK: kept for small batches to ends that are not known to be slow; none holds its slot for long.
 * - WHOLE: for large blobs that an end takes in one request only, so that they cannot be put off half-way.
 * - ALONE: one batch at a time in a process of its own, for batches whose workers died.
 */
export const LANES = ["SHARED", "QUICK", "WHOLE", "ALONE"] as const;
export type Lane = (typeof LANES)[number];

/** Batches that one transfer worker handles at once. */
export const SLOTS = { SHARED: 32, QUICK: 8, WHOLE: 4, ALONE: 1 } as const satisfies Record<Lane, number>;

/** SHARED batches of one end (a cluster, or a linked repository) that may be open at once over all runs. */
export const MOST_OPEN = 16;
/** The same of an end that is known to be slow. */
export const MOST_OPEN_SLOW = 4;
/** Of all SHARED slots, the share that all slow ends together may have. */
export const SLOW_SHARE = 0.5;
/** SHARED batches cut ahead of the slots, so that none stands empty while the next is cut. */
export const AHEAD_SHARE = 1.5;
/** QUICK batches of one end at once; one whose pace is not known yet gets only the first. */
export const MOST_QUICK = 4;

/** An end is slow when its answers take this long, and not any more when they take less than the other (ms). */
export const SLOW_MS = 3_000;
export const FAST_MS = 1_000;
/** A SHARED batch that its worker has for this long makes its cluster slow: it holds its slot far beyond its slice. */
export const OVERSTAYED_MS = 90_000;

export type Amount = { artifacts: number; bytes: number };
export const isAtMost = ({ artifacts, bytes }: Amount, most: Amount): boolean =>
  artifacts <= most.artifacts && bytes <= most.bytes;

/** A run is small when all it plans for a cluster is at most this; a REAL_TIME batch is when it is itself. */
export const SMALL_RUN: Amount = { artifacts: 50, bytes: 64 * 1024 ** 2 };
export const SMALL_NEWS: Amount = { artifacts: 200, bytes: 64 * 1024 ** 2 };

/**
 * How long (ms) a batch begins new artifacts, and after how long what is under way is broken off and handed back; null:
 * never.
 */
export type SliceLimits = { begins: number; ends: number | null };

/** `slice`: how long a SHARED batch begins new artifacts. */
export function sliceOf(lane: Lane, slice: number): SliceLimits {
  if (lane === "QUICK") return { begins: slice / 4, ends: slice / 2 };
  return { begins: lane === "SHARED" ? slice : Number.POSITIVE_INFINITY, ends: null };
}

/** After so many deaths of workers over it a batch goes to a process of its own: it may be what kills them. */
export const MOST_DEATHS = 2;

/** Types of failures with which a worker gives a batch back untried; it has not died over it. */
export const STOPPING = "WorkerStopping";
export const REFUSED = "WorkerRefused";
