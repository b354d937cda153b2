import { setTimeout as sleep } from "node:timers/promises";
import type { EndName } from "./ends.ts";
import type { World } from "./world.ts";

type ClockTrouble = { at: number; end: EndName; step: number; ms: number };

/** Below RETRY_WINDOW together, because the time since a first failure is a stored one. */
const STEPS_MS = [-300_000, -20_000, 20_000, 300_000];

/** Draws steps of the clock of all processes of an end. */
export function drawClockTroubles(
  random: () => number,
  lengthMs: number,
): ClockTrouble[] {
  const troubles: ClockTrouble[] = [];
  for (
    let at = 3_000 + random() * 10_000;
    at < lengthMs;
    at += 20_000 + random() * 20_000
  )
    troubles.push({
      at,
      end: random() < 0.6 ? "first" : "second",
      step: STEPS_MS[Math.floor(random() * STEPS_MS.length)] ?? 0,
      ms: Math.min(2_000 + random() * 25_000, lengthMs - at),
    });
  return troubles;
}

/** Sets the clock of an end, and sets it right again later; resolves then. */
export async function makeClockTrouble(
  { ends, signals, journal }: World,
  { end, step, ms }: ClockTrouble,
): Promise<void> {
  const { clock } = ends[end];
  journal.count(`clock set ${step < 0 ? "back" : "forward"}`);
  journal.note(
    `${end}'s clock is set by ${step / 1000} s for ${Math.round(ms / 1000)} s`,
  );
  await signals.disturb(async () => {
    clock.set(step);
    await sleep(ms);
    clock.set(0);
  });
}
