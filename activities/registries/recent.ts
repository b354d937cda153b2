import { setBounded } from "../../domain/bounded.ts";

/** How long (ms) answers are remembered, and at most how many. */
type Bounds = { lifeMs: number; most: number };

type Recent<T> = {
  /**
   * Returns the remembered answer, or else the result of `load`; concurrent callers share one `load`. `fresh`:
   * calls `load` although an answer is remembered.
   */
  get: (key: string, load: () => Promise<T>, fresh?: boolean) => Promise<T>;
  forget: (key: string) => void;
};

/**
 * Remembers answers of an end for a short while, so that the same request is not sent many times.
 * Failures are not remembered.
 */
export function createRecent<T>(
  { lifeMs, most }: Bounds,
  now: () => number = () => performance.now(),
): Recent<T> {
  const known = new Map<string, { answer: Promise<T>; until: number }>();

  return {
    async get(key, load, fresh = false) {
      const found = known.get(key);
      if (!fresh && found && found.until > now()) return found.answer;
      const entry = { answer: load(), until: now() + lifeMs };
      known.delete(key);
      setBounded(known, key, entry, most);
      try {
        return await entry.answer;
      } catch (error) {
        if (known.get(key) === entry) known.delete(key);
        throw error;
      }
    },
    forget: (key) => void known.delete(key),
  };
}
