import { loadavg } from "node:os";
import { converge } from "./converge.ts";
import { startCrowd } from "./load-crowd.ts";
import type { Kept } from "./load-kept.ts";
import { judgeLies, type Lied } from "./load-lied.ts";
import { endRound, startRound } from "./load-round.ts";
import type { Followed } from "./load-slots.ts";
import type { Probes } from "./probes.ts";
import { reportsEnd } from "./reports.ts";
import { damageContents } from "./trouble-damage.ts";
import { healEnds, slowCrowd } from "./trouble-ends.ts";
import { makeTroubles, type Troubles } from "./troubles.ts";
import { verifyRound } from "./verify.ts";
import type { Watch } from "./watch.ts";
import type { World } from "./world.ts";

export type RoundParts = {
  probes: Probes;
  watch: Watch;
  followed: Followed[];
  lied: Lied[];
  kept: Kept;
};

/** Starts runs of every kind under trouble, waits until everything has come to rest, and compares. */
export async function troubledRound(
  world: World,
  troubles: Troubles,
  parts: RoundParts,
): Promise<void> {
  const { journal, ways } = world;
  const { watch, followed, kept } = parts;
  const { round } = troubles;
  const name = `r${round}`;
  const violations = journal.violationCount();
  const begun = await startRound(world, name);
  slowCrowd(world);
  const crowd = await startCrowd(world, name);
  const runs = [...begun.runs, ...crowd];
  for (const run of runs) watch.add(run.task, `${name} ${run.name}`);
  const what = troubles.withMachine ? "processes, disks, clocks and ends" : "ends";
  journal.note(
    `round ${round}: ${runs.length} runs are going on; troubles of ${what} for ${troubles.ms / 1000} s`,
  );
  const judge = await troubled(world, troubles, parts);
  await converge(world, runs, parts);
  await judge();
  await verifyRound(world, begun, runs, { followed, kept }).catch((error: unknown) =>
    journal.violated(
      "both ends can be compared",
      String(error instanceof Error ? error.stack : error),
    ),
  );
  const load = loadavg().map((value) => value.toFixed(0));
  journal.note(`round ${round} is verified; load of the machine: ${load.join(", ")}`);
  for (const run of runs) watch.drop(run.task);
  // The data of a round with violations stay for inspection.
  if (journal.violationCount() === violations) await endRound(world, begun, crowd);
  for (const way of Object.values(ways)) way.clear();
}

/** Makes the troubles beside all load, and ends both; returns what is to be judged once all has come to rest. */
async function troubled(
  world: World,
  troubles: Troubles,
  { probes, followed, lied, kept }: RoundParts,
): Promise<() => Promise<void>> {
  const changing = [...followed, ...lied];
  for (const one of changing) one.resume();
  const calm = new AbortController();
  const probing = probes.measure(calm.signal);
  const damaging = (["first", "second"] as const).map((end) =>
    damageContents(world, kept, end, calm.signal),
  );
  const told = lied.map((one) => ({
    one,
    before: one.ways.map((way) => world.lied[way]),
  }));
  await makeTroubles(world, troubles);
  world.journal.note("the troubles are over");
  calm.abort();
  world.signals.thawAll();
  healEnds(world);
  await probing;
  await Promise.all(changing.map((one) => one.pause()));
  return async () => {
    await Promise.all(damaging);
    await reportsEnd(world);
    for (const { one, before } of told) judgeLies(world, one, before);
  };
}
