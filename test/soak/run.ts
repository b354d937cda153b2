import { randomOf } from "../rigs/runs/run-fixture.ts";
import { createCrashCheck } from "./crashes.ts";
import { watchHealth } from "./health.ts";
import { prepareCrowd } from "./load-crowd.ts";
import { prepareKept } from "./load-kept.ts";
import { startLied } from "./load-lied.ts";
import { startSlots } from "./load-slots.ts";
import { startProbes } from "./probes.ts";
import { report } from "./report.ts";
import { watchReports } from "./reports.ts";
import { type RoundParts, troubledRound } from "./round.ts";
import { drawTroubles } from "./troubles.ts";
import { startWatch } from "./watch.ts";
import { startWorld, type World } from "./world.ts";

/**
 * `npm run soak -- --minutes=60 [--seed=N] [--shared]`: runs every kind of work under every kind of trouble, and
 * checks all the time what must hold (docs/soak.md).
 */

const TROUBLE_MS = { least: 40_000, most: 120_000 };
/** Rounds without and with troubles of the machine; each kind comes at least once. */
const KINDS_OF_ROUNDS = 2;
const CHECK_MS = 1_000;

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
process.once("SIGINT", () => {
  over.abort();
  void world.remove(true).then(() => process.exit(130));
});
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

async function rounds(world: World, parts: RoundParts): Promise<void> {
  const end = Date.now() + minutes * 60_000;
  const isTime = () => Date.now() + longestRoundMs / 2 < end;
  for (let round = 1; round <= KINDS_OF_ROUNDS || isTime(); round += 1) {
    const begun = Date.now();
    await troubledRound(world, drawTroubles(random, round, troubleMs), parts);
    longestRoundMs = Math.max(longestRoundMs, Date.now() - begun);
  }
}
