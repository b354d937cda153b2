import { setTimeout as sleep } from "node:timers/promises";
import type { GrantAnswer } from "../../domain/worker-messages.ts";

/**
 * A throttle requests at least the bytes of a tenth of a second as one grant, and at most those of one
 * second.
 */
const GRANTS_PER_SECOND = 10;
/** How long (ms) the throttle waits before it requests a grant again from a control plane that is away. */
const AWAY_MS = 1_000;

/**
 * Waits until some of `bytes` may be sent and returns how many, at least one. While it waits, it throws
 * when the signal fires.
 */
export type Throttle = (bytes: number, signal: AbortSignal) => Promise<number>;

export const UNLIMITED = async (bytes: number): Promise<number> => bytes;

/**
 * Limits one execution and cluster to `rate` bytes per second (0 or less: no limit), in grants of the
 * control plane. Callers are served in order, each with the bytes that are available, so that none waits
 * long behind another's large piece. Without a grant nothing is sent (docs/decisions.md#rate-limit).
 */
export function createThrottle(
  rate: number,
  grant: (bytes: number) => Promise<GrantAnswer>,
): Throttle {
  if (rate <= 0) return UNLIMITED;
  const share = Math.ceil(rate / GRANTS_PER_SECOND);
  let available = 0;
  let queue: Promise<unknown> = Promise.resolve();

  async function pass(bytes: number, signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      const passing = Math.min(available, bytes);
      available -= passing;
      if (passing > 0) return passing;
      const granted = await grant(Math.max(Math.min(bytes, rate), share)).catch(() => ({
        bytes: 0,
        waitMs: AWAY_MS,
      }));
      available += granted.bytes;
      if (granted.bytes === 0) await sleep(granted.waitMs, undefined, { signal });
    }
  }

  return (bytes, signal) => {
    const turn = queue.then(() => pass(bytes, signal));
    queue = turn.catch(() => {});
    return turn;
  };
}
