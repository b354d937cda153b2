import { setTimeout as sleep } from "node:timers/promises";
import type { Pace } from "../../activities/store/file-digest.ts";
import { hashTurn } from "../../activities/store/hash-turns.ts";
import { elapsed } from "../../domain/elapsed.ts";

/** Bytes a second that a reader in the background takes from the disk at most. */
const MOST_RATE = 32 * 1024 ** 2;
/** A reader sleeps only if it must for so long (ms). */
const SHORTEST_SLEEP = 20;

/** Creates the pace of a reader in the background, for which nobody waits. It rejects when `signal` fires. */
export function backgroundPace(signal: AbortSignal): Pace {
  let free = 0;
  return async (bytes) => {
    await hashTurn(bytes);
    signal.throwIfAborted();
    const now = elapsed();
    free = Math.max(free, now) + (bytes / MOST_RATE) * 1_000;
    if (free - now > SHORTEST_SLEEP) await sleep(free - now, undefined, { signal });
  };
}
