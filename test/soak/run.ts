import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { randomOf } from "../rigs/runs/run-fixture.ts";
import { converge } from "./converge.ts";
import { createCrashCheck } from "./crashes.ts";
import { watchHealth } from "./health.ts";
import { prepareCrowd, startCrowd } from "./load-crowd.ts";
import { prepareKept, type Kept } from "./load-kept.ts";
import { judgeLies, startLied, type Lied } from "./load-lied.ts";
import { endRound, startRound } from "./load-round.ts";
import { startSlots, type Followed } from "./load-slots.ts";
import { startProbes, type Probes } from "./probes.ts";
import { report } from "./report.ts";
import { reportsEnd, watchReports } from "./reports.ts";
import { drawClockTroubles, makeClockTrouble } from "./trouble-clocks.ts";
import { damageContents } from "./trouble-damage.ts";
import { drawDiskTroubles, makeDiskTrouble } from "./trouble-disks.ts";
import { drawLies, tellLie } from "./trouble-lies.ts";
import { drawEndTroubles, healEnds, makeEndTrouble, slowCrowd } from "./trouble-ends.ts";
import { drawProcessTroubles, makeProcessTrouble } from "./trouble-processes.ts";
import { verifyRound } from "./verify.ts";
import { startWatch, type Watch } from "./watch.ts";
import { startWorld, type World } from "./world.ts";

/**
 * `npm run soak -- --minutes=60 [--seed=N] [--shared]`: runs every kind of work under every kind of trouble, and checks all the
 * time what must hold (docs/soak.md).
 */

const TROUBLE_MS = { least: 40_000, most: 120_000 };
/** Rounds without and with troubles of the machine; each kind comes at least once. */
const KINDS_OF_ROUNDS = 2;
const CHECK_MS = 1_000;
const LATE_MS = 10_000;

const option = (name: string) =>
  process.argv
    .find((argument) => argument.startsWith(`--${name}=`))
    ?.slice(name.length + 3);
const minutes = Number(option("minutes") ?? 60);
const seed = Number(option("seed") ?? Math.floor(Math.random() * 2 ** 31));
const isShared = process.argv.includes("--shared");
if (!(minutes > 0) || !Number.isInteger(seed)) {
  console.error("Usage: npm run soak -- [--minutes=60] [--seed=N] [--shared]");
  process.exit(2);
}

const random = randomOf(seed);
const troubleMs = Math.min(
  Math.max((minutes * 60_000) / 5, TROUBLE_MS.least),
  TROUBLE_MS.most,
);
/** The longest round so far, in ms; a round that cannot end in time is not started. */
let longestRoundMs = troubleMs;

console.log(`soak of ${minutes} minutes, --seed=${seed}; starting the world`);
const world = await startWorld(seed);
const over = new AbortController();
process.once("SIGINT", () => void world.remove(true).then(() => process.exit(130)));
let failed = true;
try {
  failed = await soak(world);
} finally {
  over.abort();
  await world.remove(failed);
}
process.exit(failed ? 1 : 0);

async function soak(world: World): Promise<boolean> {
  const { journal } = world;
  await prepareCrowd(world);
  const kept = await prepareKept(world);
  const probes = await startProbes(world);
  journal.note("the world has started; small work alone was measured");
  watchReports(world, over.signal);
  const healthTimes = watchHealth(world, over.signal);
  const watch = startWatch(world, over.signal);
  const checkCrashes = createCrashCheck(world);
  const crashes = setInterval(checkCrashes, CHECK_MS);
  const followed = await startSlots(world, over.signal);
  const lied = await startLied(world, over.signal);
  for (const { task, name } of [...followed, ...lied, kept])
    watch.add(task, name, { realTime: name === "live" });
  for (const [task, name] of probes.tasks)
    watch.add(task, name, { realTime: name === "probe live" });
  try {
    await rounds(world, { probes, watch, followed, lied, kept });
  } catch (error) {
    journal.violated(
      "the soak itself goes on",
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    );
  }
  clearInterval(crashes);
  checkCrashes();
  journal.count("looks at records", watch.looks());
  journal.note(healthTimes());
  return report(world, probes, { seed, isShared });
}

type Parts = {
  probes: Probes;
  watch: Watch;
  followed: Followed[];
  lied: Lied[];
  kept: Kept;
};

async function rounds(world: World, parts: Parts): Promise<void> {
  const end = Date.now() + minutes * 60_000;
  const isTime = () => Date.now() + longestRoundMs / 2 < end;
  for (let round = 1; round <= KINDS_OF_ROUNDS || isTime(); round += 1) {
    const begun = Date.now();
    await troubledRound(world, { round, ...parts });
    longestRoundMs = Math.max(longestRoundMs, Date.now() - begun);
  }
}

/**
 * Starts runs of every kind under trouble, waits until everything has come to rest, and compares. Odd rounds trouble
 * only the ends, and measure fairness; even ones also the processes.
 */
async function troubledRound(
  world: World,
  { round, probes, watch, followed, lied, kept }: Parts & { round: number },
): Promise<void> {
  const { journal, signals, ways } = world;
  const name = `r${round}`;
  const violations = journal.violationCount();
  const withMachine = round % 2 === 0;
  const processes = withMachine ? drawProcessTroubles(random, troubleMs) : [];
  const disks = withMachine ? drawDiskTroubles(random, troubleMs) : [];
  const clocks = withMachine ? drawClockTroubles(random, troubleMs) : [];
  const ends = drawEndTroubles(random, troubleMs);
  const lies = drawLies(random, troubleMs);
  const begun = await startRound(world, name);
  slowCrowd(world);
  const crowd = await startCrowd(world, name);
  const runs = [...begun.runs, ...crowd];
  for (const run of runs) watch.add(run.task, `${name} ${run.name}`);
  for (const one of [...followed, ...lied]) one.resume();
  journal.note(
    `round ${round}: ${runs.length} runs are going on; ` +
      `troubles of ${withMachine ? "processes, disks, clocks and ends" : "ends"} for ${troubleMs / 1000} s`,
  );
  const calm = new AbortController();
  const probing = probes.measure(calm.signal);
  const start = Date.now();
  const inTurn = async <T extends { at: number }>(
    troubles: readonly T[],
    make: (trouble: T) => unknown,
  ) => {
    for (const trouble of troubles) {
      await sleep(Math.max(0, start + trouble.at - Date.now()));
      // A trouble is left out if it waited too long for the previous one, so that not all of them come at once.
      if (Date.now() < start + trouble.at + LATE_MS) await make(trouble);
    }
  };
  const made = (trouble: (typeof processes)[number]) =>
    makeProcessTrouble(world, trouble).catch((error: unknown) =>
      journal.violated(
        "everything is ready again",
        `after ${JSON.stringify(trouble)}: ${String(error).slice(-2_000)}`,
      ),
    );
  const damaging = (["first", "second"] as const).map((end) =>
    damageContents(world, kept, end, calm.signal),
  );
  const told = lied.map((one) => ({
    one,
    before: one.ways.map((way) => world.lied[way]),
  }));
  await Promise.all([
    inTurn(processes, made),
    inTurn(disks, (trouble) => makeDiskTrouble(world, trouble)),
    inTurn(clocks, (trouble) => makeClockTrouble(world, trouble)),
    inTurn(ends, (trouble) => makeEndTrouble(world, trouble)),
    inTurn(lies, (trouble) => tellLie(world, trouble)),
    sleep(troubleMs),
  ]);
  journal.note("the troubles are over");
  calm.abort();
  signals.thawAll();
  healEnds(world);
  await probing;
  await Promise.all([...followed, ...lied].map((one) => one.pause()));
  await converge(world, runs, { followed, lied });
  await Promise.all(damaging);
  await reportsEnd(world);
  for (const { one, before } of told) judgeLies(world, one, before);
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
