import { type Lane, sliceOf } from "../../domain/lanes.ts";
import type { Slice } from "../../domain/outcome.ts";
import { elapsed } from "../../domain/elapsed.ts";

/**
 * Starts the clock of a batch or listing. `onEnd` is called only in the lane QUICK: when the work in
 * progress must be interrupted. `close` stops the clock.
 */
export function openSlice(
  lane: Lane,
  sliceMs: number,
  onEnd: () => void,
): Slice & { close: () => void } {
  const { begins, ends } = sliceOf(lane, sliceMs);
  const over = elapsed() + begins;
  const timer = ends === null ? undefined : setTimeout(onEnd, ends);
  return {
    isOver: () => elapsed() >= over,
    whole: lane === "WHOLE" || lane === "ALONE",
    close: () => clearTimeout(timer),
  };
}
