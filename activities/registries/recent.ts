/** How long and of how many keys answers are remembered. */
type Bounds = { lifeMs: number; most: number };

type Recent<T> = {
  /**
   * The answer that is remembered, else that of `load`; callers at the same time share one. `fresh`: it must have been
   * asked for after this call.
   */
  get: (key: string, load: () => Promise<T>, fresh?: boolean) => Promise<T>;
  forget: (key: string) => void;
};

/** Remembers answers of an end, of which one serves many questions, for a short while. Failures are not remembered. */
export function createRecent<T>({ lifeMs, most }: Bounds, now: () => number = () => performance.now()): Recent<T> {
  const known = new Map<string, { answer: Promise<T>; until: number }>();

  return {
    async get(key, load, fresh = false) {
      const found = known.get(key);
      if (!fresh && found && found.until > now()) return found.answer;
      const entry = { answer: load(), until: now() + lifeMs };
      known.delete(key);
      known.set(key, entry);
      const [oldest] = known.keys();
      if (known.size > most && oldest !== undefined) known.delete(oldest);
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
