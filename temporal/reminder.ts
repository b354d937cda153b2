import { elapsed } from "../domain/elapsed.ts";

const AGAIN_MS = 60_000;
const MOST_SENTENCES = 1_000;

/**
 * Decides when a reason to wait is worth a line in the log: at once, when it changes, and once a minute.
 */
export function createReminder() {
  let told: string | null = null;
  let at = 0;
  return {
    /** Whether to tell the reason now; if so, that is noted. */
    isDue(reason: string): boolean {
      if (reason === told && elapsed() - at < AGAIN_MS) return false;
      told = reason;
      at = elapsed();
      return true;
    },
    /** Call this when the wait is over; returns whether anything was told of it. */
    over(): boolean {
      const was = told !== null;
      told = null;
      return was;
    },
  };
}

/**
 * Returns a function that says whether to tell a sentence now: the first time, and then once a minute however often it
 * is asked. `now` is in ms of a clock that only goes forward.
 */
export function createRepeats(now = elapsed) {
  const told = new Map<string, number>();
  return (sentence: string): boolean => {
    const last = told.get(sentence);
    if (last !== undefined && now() - last < AGAIN_MS) return false;
    if (told.size >= MOST_SENTENCES) told.clear();
    told.set(sentence, now());
    return true;
  };
}
