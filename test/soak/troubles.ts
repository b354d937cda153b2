import { setTimeout as sleep } from "node:timers/promises";
import { drawClockTroubles, makeClockTrouble } from "./trouble-clocks.ts";
import { drawDiskTroubles, makeDiskTrouble } from "./trouble-disks.ts";
import { drawEndTroubles, makeEndTrouble } from "./trouble-ends.ts";
import { drawLies, tellLie } from "./trouble-lies.ts";
import { drawProcessTroubles, makeProcessTrouble } from "./trouble-processes.ts";
import type { World } from "./world.ts";

/** The troubles of a round, drawn at its beginning. */
export type Troubles = ReturnType<typeof drawTroubles>;

const LATE_MS = 10_000;

/** Draws the troubles of a round: odd ones trouble only the ends; even ones also processes, disks and clocks. */
export function drawTroubles(random: () => number, round: number, ms: number) {
  const withMachine = round % 2 === 0;
  return {
    round,
    ms,
    withMachine,
    processes: withMachine ? drawProcessTroubles(random, ms) : [],
    disks: withMachine ? drawDiskTroubles(random, ms) : [],
    clocks: withMachine ? drawClockTroubles(random, ms) : [],
    ends: drawEndTroubles(random, ms),
    lies: drawLies(random, ms),
  };
}

/** Makes all troubles, each kind in its order; resolves when their time is over. */
export async function makeTroubles(world: World, troubles: Troubles): Promise<void> {
  const start = Date.now();
  const inTurn = async <T extends { at: number }>(
    all: readonly T[],
    make: (trouble: T) => unknown,
  ) => {
    for (const trouble of all) {
      await sleep(Math.max(0, start + trouble.at - Date.now()));
      // A trouble is left out if it waited too long for the previous one, so that not all of them come at once.
      if (Date.now() < start + trouble.at + LATE_MS) await make(trouble);
    }
  };
  const made = (trouble: Troubles["processes"][number]) =>
    makeProcessTrouble(world, trouble).catch((error: unknown) =>
      world.journal.violated(
        "everything is ready again",
        `after ${JSON.stringify(trouble)}: ${String(error).slice(-2_000)}`,
      ),
    );
  await Promise.all([
    inTurn(troubles.processes, made),
    inTurn(troubles.disks, (trouble) => makeDiskTrouble(world, trouble)),
    inTurn(troubles.clocks, (trouble) => makeClockTrouble(world, trouble)),
    inTurn(troubles.ends, (trouble) => makeEndTrouble(world, trouble)),
    inTurn(troubles.lies, (trouble) => tellLie(world, trouble)),
    sleep(troubles.ms),
  ]);
}
