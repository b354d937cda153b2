import type { Logger } from "./deps.ts";

export type Repeated = {
  /** Takes a turn now, or right after the one that is under way. */
  now: () => void;
  stop: () => void;
};

/** At once and then every `ms`, never twice at a time; a failure is logged and tried again at the next turn. */
export function repeat(ms: number, what: string, logger: Pick<Logger, "warn">, work: () => Promise<void>): Repeated {
  let busy = false;
  let wanted = false;
  const turn = async () => {
    wanted = busy;
    if (busy) return;
    busy = true;
    await work().catch((error: unknown) => logger.warn({ err: error }, `${what} failed; it is tried again`));
    busy = false;
    if (wanted) void turn();
  };
  const timer = setInterval(() => void turn(), ms);
  void turn();
  return { now: () => void turn(), stop: () => clearInterval(timer) };
}
