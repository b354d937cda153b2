import { type Lane, sliceOf } from "../../domain/lanes.ts";
import type { Slice } from "../../domain/outcome.ts";

/**
 * The time of a batch from now on. `onEnd` is called when what is under way must be broken off; `close` ends the clock.
 */
export function openSlice(lane: Lane, sliceMs: number, onEnd: () => void): Slice & { close: () => void } {
  const { begins, ends } = sliceOf(lane, sliceMs);
  const over = performance.now() + begins;
  const timer = ends === null ? undefined : setTimeout(onEnd, ends);
  return {
    isOver: () => performance.now() >= over,
    whole: lane === "WHOLE" || lane === "ALONE",
    close: () => clearTimeout(timer),
  };
}
