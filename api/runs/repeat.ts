import type { Logger } from "../deps.ts";

type Repeated = {
  /** Runs the work now, or if it is running, once more right after that. */
  now: () => void;
  stop: () => void;
};

/**
 * Runs `work` at once and then every `ms`, never twice at a time. A failure is logged, and the next
 * turn tries again.
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
    // A turn that is due while the work is still running is left out, so that long work gets
    // pauses.
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
