import type { Logger } from "../deps.ts";

type Repeated = {
  /** Does the work now, or again right after the work that is under way. */
  now: () => void;
  stop: () => void;
};

/**
 * Does the work at once and then every `ms`, never twice at a time. A failure is logged, and the next turn tries again.
 */
export function repeat(
  ms: number,
  what: string,
  logger: Pick<Logger, "warn">,
  work: () => Promise<void>,
): Repeated {
  let busy = false;
  let wanted = true;
  const turns = async () => {
    if (busy) return;
    busy = true;
    while (wanted) {
      wanted = false;
      await work().catch((error: unknown) =>
        logger.warn({ err: error }, `${what} failed; it is tried again`),
      );
    }
    busy = false;
  };
  const now = () => {
    wanted = true;
    void turns();
  };
  const timer = setInterval(() => {
    // Work that takes longer than the period still gets a pause.
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
