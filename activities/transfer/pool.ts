import { elapsed } from "../../domain/elapsed.ts";

/** A pooled value is closed when it has not been used for this long (ms). */
const IDLE_MS = 60_000;

type Entry<T> = { value: T; users: number; lastUsed: number };

export type Pool<T> = {
  use: <R>(key: string, open: () => T, work: (value: T) => Promise<R>) => Promise<R>;
};

/**
 * Keeps values that are expensive to open (connections, tokens, knowledge of a target), by key, for later
 * batches of the same run.
 */
export function createPool<T>(close: (value: T) => void): Pool<T> {
  const entries = new Map<string, Entry<T>>();
  const sweep = () => {
    for (const [key, entry] of entries) {
      if (entry.users > 0 || elapsed() - entry.lastUsed < IDLE_MS) continue;
      entries.delete(key);
      close(entry.value);
    }
  };
  const timer = setInterval(sweep, IDLE_MS / 4);
  timer.unref();

  return {
    async use(key, open, work) {
      const entry = entries.get(key) ?? { value: open(), users: 0, lastUsed: 0 };
      entries.set(key, entry);
      entry.users += 1;
      try {
        return await work(entry.value);
      } finally {
        entry.users -= 1;
        entry.lastUsed = elapsed();
      }
    },
  };
}
