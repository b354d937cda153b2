import type { Logger } from "../deps.ts";

export type Repeated = {
  /** Takes a turn now, or right after the one that is under way. */
  now: () => void;
  stop: () => void;
};

/** At once and then every `ms`, never twice at a time; a failure is logged and tried again at the next turn. */
export function repeat(ms: number, what: string, logger: Pick<Logger, "warn">, work: () => Promise<void>): Repeated {
  let busy = false;
  let wanted = true;
  const turns = async () => {
    if (busy) return;
    busy = true;
    while (wanted) {
      wanted = false;
      await work().catch((error: unknown) => logger.warn({ err: error }, `${what} failed; it is tried again`));
    }
    busy = false;
  };
  const now = () => {
    wanted = true;
    void turns();
  };
  const timer = setInterval(() => {
    // What takes longer than the period gets a pause nevertheless.
    if (!busy) now();
  }, ms);
  void turns();
  return {
    now,
    stop() {
      wanted = false;
      clearInterval(timer);
    },
  };
}
