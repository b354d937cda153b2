import { setBounded } from "../../domain/bounded.ts";
import { elapsed } from "../../domain/elapsed.ts";

/**
 * How long (ms) answers are remembered, and at most how many; with `bytesOf`, which tells what an answer takes in
 * memory, at most `mostBytes` of them.
 */
type Bounds<T> = {
  lifeMs: number;
  most: number;
  mostBytes?: number;
  bytesOf?: (answer: T) => number;
};

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
  { lifeMs, most, mostBytes = Infinity, bytesOf = () => 0 }: Bounds<T>,
  now: () => number = elapsed,
): Recent<T> {
  type Entry = { answer: Promise<T>; until: number; bytes: number };
  const known = new Map<string, Entry>();

  /** Forgets the oldest answers until the others take no more than `mostBytes`. */
  function makeRoom(): void {
    let bytes = 0;
    for (const [key, entry] of [...known].toReversed()) {
      bytes += entry.bytes;
      if (bytes > mostBytes) known.delete(key);
    }
  }

  return {
    async get(key, load, fresh = false) {
      const found = known.get(key);
      if (!fresh && found && found.until > now()) return found.answer;
      const entry: Entry = { answer: load(), until: now() + lifeMs, bytes: 0 };
      known.delete(key);
      setBounded(known, key, entry, most);
      try {
        const answer = await entry.answer;
        entry.bytes = bytesOf(answer);
        makeRoom();
        return answer;
      } catch (error) {
        if (known.get(key) === entry) known.delete(key);
        throw error;
      }
    },
    forget: (key) => void known.delete(key),
  };
}
