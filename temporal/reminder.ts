const AGAIN_MS = 60_000;

/**
 * Decides when a reason to wait is worth a line in the log: at once, when it changes, and once a minute.
 */
export function createReminder() {
  let told: string | null = null;
  let at = 0;
  return {
    /** Whether to tell the reason now; if so, that is noted. */
    isDue(reason: string): boolean {
      if (reason === told && Date.now() - at < AGAIN_MS) return false;
      told = reason;
      at = Date.now();
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
