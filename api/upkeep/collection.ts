/** What a collection has freed, in numbers. */
type Freed = { contents: number; bytes: number };

/** A collection that was asked for; times are epoch ms. */
export type Collection = {
  state: "RUNNING" | "DONE" | "FAILED";
  begun: number;
  ended: number | null;
  /** Why it failed; null unless it did. */
  reason: string | null;
  /** Files that are gone from the disk. */
  freed: Freed;
  /** Small contents that are gone from blobs.db, which uses their space again and does not shrink. */
  reusable: Freed;
  /** Contents that no file uses, but that were written or let go too lately to be removed yet. */
  waiting: Freed;
};

const none = (): Freed => ({ contents: 0, bytes: 0 });

export const add = (to: Freed, bytes: number): void => {
  to.contents += 1;
  to.bytes += bytes;
};

/**
 * Runs collections on demand, one at a time, and remembers the last one. `collect` does the work and counts in the
 * collection that it is given.
 */
export function createCollections(
  collect: (counted: Collection) => Promise<void>,
  now: () => number,
  failed: (error: unknown) => void,
) {
  let last: Collection | null = null;
  let running: { counted: Collection; ended: Promise<void> } | null = null;

  async function run(counted: Collection): Promise<void> {
    // Nothing may end before `running` is set.
    await Promise.resolve();
    try {
      await collect(counted);
      counted.state = "DONE";
    } catch (error) {
      counted.state = "FAILED";
      counted.reason = error instanceof Error ? error.message : String(error);
      failed(error);
    } finally {
      counted.ended = now();
      running = null;
    }
  }

  return {
    /** Begins a collection unless one is under way; `ended` resolves when it has ended, in whatever way. */
    begin(): { counted: Collection; ended: Promise<void> } {
      if (running !== null) return running;
      const counted: Collection = {
        state: "RUNNING",
        begun: now(),
        ended: null,
        reason: null,
        freed: none(),
        reusable: none(),
        waiting: none(),
      };
      last = counted;
      running = { counted, ended: run(counted) };
      return running;
    },
    /** Returns the collection under way or the last one; null: there was none since the start. */
    look: () => last,
    /** Resolves when none is under way. */
    idle: async () => running?.ended,
  };
}

export type Collections = ReturnType<typeof createCollections>;
