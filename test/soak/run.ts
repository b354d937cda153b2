import { setTimeout as sleep } from "node:timers/promises";
import { randomOf } from "../rigs/runs/run-fixture.ts";
import { converge } from "./converge.ts";
import { createCrashCheck } from "./crashes.ts";
import { prepareCrowd, startCrowd } from "./load-crowd.ts";
import { endRound, startRound } from "./load-round.ts";
import { startSlots, type Followed } from "./load-slots.ts";
import { startProbes, type Probes } from "./probes.ts";
import { report } from "./report.ts";
import { drawEndTroubles, healEnds, makeEndTrouble, slowCrowd } from "./trouble-ends.ts";
import { drawProcessTroubles, makeProcessTrouble } from "./trouble-processes.ts";
import { verifyRound } from "./verify.ts";
import { startWatch, type Watch } from "./watch.ts";
import { startWorld, type World } from "./world.ts";

/**
 * `npm run soak -- --minutes=60 [--seed=N]`: runs every kind of work under every kind of trouble, and checks all the
 * time what must hold (docs/soak.md).
 */

const TROUBLE_MS = { least: 40_000, most: 120_000 };
const CHECK_MS = 1_000;
const LATE_MS = 10_000;

const option = (name: string) =>
  process.argv
    .find((argument) => argument.startsWith(`--${name}=`))
    ?.slice(name.length + 3);
const minutes = Number(option("minutes") ?? 60);
const seed = Number(option("seed") ?? Math.floor(Math.random() * 2 ** 31));
if (!(minutes > 0) || !Number.isInteger(seed)) {
  console.error("Usage: npm run soak -- [--minutes=60] [--seed=N]");
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
  const probes = await startProbes(world);
  journal.note("the world has started; small work alone was measured");
  const watch = startWatch(world, over.signal);
  const checkCrashes = createCrashCheck(world);
  const crashes = setInterval(checkCrashes, CHECK_MS);
  const followed = await startSlots(world, over.signal);
  for (const { task, name } of followed)
    watch.add(task, name, { realTime: name === "live" });
  for (const [task, name] of probes.tasks)
    watch.add(task, name, { realTime: name === "probe live" });
  try {
    await rounds(world, { probes, watch, followed });
  } catch (error) {
    journal.violated(
      "the soak itself goes on",
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    );
  }
  clearInterval(crashes);
  checkCrashes();
  journal.count("looks at records", watch.looks());
  return report(world, probes, seed);
}

type Parts = { probes: Probes; watch: Watch; followed: Followed[] };

async function rounds(world: World, parts: Parts): Promise<void> {
  const end = Date.now() + minutes * 60_000;
  for (let round = 1; round === 1 || Date.now() + longestRoundMs / 2 < end; round += 1) {
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
  { round, probes, watch, followed }: Parts & { round: number },
): Promise<void> {
  const { journal, signals, ways } = world;
  const name = `r${round}`;
  const violations = journal.violationCount();
  const processes = round % 2 === 0 ? drawProcessTroubles(random, troubleMs) : [];
  const ends = drawEndTroubles(random, troubleMs);
  const begun = await startRound(world, name);
  slowCrowd(world);
  const crowd = await startCrowd(world, name);
  const runs = [...begun.runs, ...crowd];
  for (const run of runs) watch.add(run.task, `${name} ${run.name}`);
  followed.forEach((one) => one.resume());
  journal.note(
    `round ${round}: ${runs.length} runs are going on; ` +
      `troubles of ${processes.length > 0 ? "processes and ends" : "ends"} for ${troubleMs / 1000} s`,
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
  await Promise.all([
    inTurn(processes, made),
    inTurn(ends, (trouble) => makeEndTrouble(world, trouble)),
    sleep(troubleMs),
  ]);
  journal.note("the troubles are over");
  calm.abort();
  signals.thawAll();
  healEnds(world);
  await probing;
  await Promise.all(followed.map((one) => one.pause()));
  await converge(world, runs, followed);
  await verifyRound(world, begun, runs, followed).catch((error: unknown) =>
    journal.violated(
      "both ends can be compared",
      String(error instanceof Error ? error.stack : error),
    ),
  );
  journal.note(`round ${round} is verified`);
  for (const run of runs) watch.drop(run.task);
  // The data of a round with violations stay for inspection.
  if (journal.violationCount() === violations) await endRound(world, begun, crowd);
  for (const way of Object.values(ways)) way.clear();
}
