import { setBounded } from "../../domain/bounded.ts";
import type { GrantAnswer } from "../../domain/worker-messages.ts";

/** Maximum unused bandwidth that a bucket saves: that of this many ms. */
const SAVED_MS = 250;
/** A new bucket holds the bandwidth of this many ms. */
const FIRST_MS = 100;
const MOST_BUCKETS = 10_000;

/**
 * Creates the function that grants bandwidth from one token bucket for each execution and cluster,
 * over all workers (docs/decisions.md#rate-limit). A bucket that is lost, as with the process,
 * begins anew with the bandwidth of FIRST_MS. `now`: a clock (ms) that never goes back.
 */
export function createBandwidth(now: () => number) {
  const buckets = new Map<string, { level: number; time: number }>();

  /**
   * Grants up to `wanted` bytes at `rate` bytes per second (0 or less: no limit). `waitMs`: in how
   * many ms the worker may ask again.
   */
  return function grant(key: string, rate: number, wanted: number): GrantAnswer {
    if (rate <= 0) return { bytes: wanted, waitMs: 0 };
    const time = now();
    const bucket = buckets.get(key) ?? { level: 0, time: time - FIRST_MS };
    const most = (rate * SAVED_MS) / 1000;
    bucket.level = Math.min(most, bucket.level + ((time - bucket.time) * rate) / 1000);
    bucket.time = time;
    const bytes = Math.max(0, Math.min(wanted, Math.floor(bucket.level)));
    bucket.level -= bytes;
    setBounded(buckets, key, bucket, MOST_BUCKETS);
    const missing = Math.min(wanted - bytes, most);
    return {
      bytes,
      waitMs: bytes > 0 ? 0 : Math.max(5, Math.ceil((missing / rate) * 1000)),
    };
  };
}
