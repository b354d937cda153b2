import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { median, percentile } from "../bench/measure.ts";
import { PROJECT, type World } from "./world.ts";

const ALONE_TURNS = 9;
const PAUSE_MS = 1_500;
/** More often would be a load of its own on the API that is measured. */
const LOOK_MS = 100;
const LONGEST_MS = 300_000;
/** Budget of small work beside all other load: at most TIMES_ALONE times its duration alone, plus MORE_MS. */
const TIMES_ALONE = 3;
const MORE_MS = 2_000;
const REAL_TIME_MS = 2_000;

type Samples = { small: number[]; realTime: number[] };
export type Probes = {
  alone: Samples;
  /** Durations measured while ends were slow and no process was in trouble. */
  beside: Samples;
  tasks: [task: string, name: string][];
  /** Measures small work again and again until the signal fires. */
  measure: (until: AbortSignal) => Promise<void>;
};

/**
 * Prepares small work to an end that has no trouble: a run of one file, and a REAL_TIME upload. Called before any other
 * load, to measure how long it takes alone.
 */
export async function startProbes(world: World): Promise<Probes> {
  const { product, clusters, signals, journal } = world;
  for (const name of ["probe-run", "probe-live"]) await product.hosted(PROJECT, name);
  const upload = (name: string) =>
    product.upload(PROJECT, name, "/one.bin", randomBytes(1_024), {
      "X-BKREPO-OVERWRITE": "true",
    });
  await upload("probe-run");
  const objects = (localRepoName: string) => [
    { localRepoName, repoType: "GENERIC" as const },
  ];
  const draft = {
    projectId: PROJECT,
    clusters: [clusters.direct],
    setting: { conflictStrategy: "OVERWRITE" },
  };
  const run = await product.run({ ...draft, objects: objects("probe-run") });
  const live = await product.run({
    ...draft,
    objects: objects("probe-live"),
    replicaType: "REAL_TIME",
  });

  const small = async () => {
    await upload("probe-run");
    const begun = performance.now();
    await product.execute(run);
    await closedAgain(world, run);
    return performance.now() - begun;
  };
  let number = 0;
  const realTime = async () => {
    const path = `/file-${(number += 1) % 50}.bin`;
    const bytes = randomBytes(1_024);
    await product.upload(PROJECT, "probe-live", path, bytes, {
      "X-BKREPO-OVERWRITE": "true",
    });
    const begun = performance.now();
    for (;;) {
      const found = await world.partner.download(PROJECT, "probe-live", path);
      const ms = performance.now() - begun;
      if (found?.equals(bytes) === true || ms > LONGEST_MS) return ms;
      await sleep(LOOK_MS);
    }
  };
  const untroubled = async (
    into: number[],
    what: string,
    work: () => Promise<number>,
  ) => {
    const begun = Date.now();
    // A failure means that the API is away, so there is nothing to measure.
    const ms = await work().catch(() => null);
    if (ms === null || !signals.quietSince(begun))
      return journal.count("probes not counted: processes were troubled");
    // One measurement stands for all that would have begun while it went on; otherwise the worst moments would have the
    // fewest samples.
    for (let rest = ms; rest > 0; rest -= PAUSE_MS) into.push(rest);
    if (ms > TIMES_ALONE * 1_000 + MORE_MS)
      journal.note(`${what} took ${(ms / 1000).toFixed(1)} s`);
  };

  await closedAgain(world, run);
  const alone: Samples = { small: [], realTime: [] };
  await realTime();
  for (let turn = 0; turn < ALONE_TURNS; turn += 1) {
    alone.small.push(await small());
    alone.realTime.push(await realTime());
  }
  const beside: Samples = { small: [], realTime: [] };
  const repeat = async (
    until: AbortSignal,
    into: number[],
    what: string,
    work: () => Promise<number>,
  ) => {
    for (; !until.aborted; await sleep(PAUSE_MS)) await untroubled(into, what, work);
  };
  return {
    alone,
    beside,
    tasks: [
      [run, "probe run"],
      [live, "probe live"],
    ],
    measure: async (until) => {
      await Promise.all([
        repeat(until, beside.small, "a small run", small),
        repeat(until, beside.realTime, "a REAL_TIME upload", realTime),
      ]);
    },
  };
}

async function closedAgain({ product }: World, task: string): Promise<void> {
  for (
    const end = Date.now() + LONGEST_MS;
    (await product.newestRecord(task))?.status === "RUNNING";
    await sleep(LOOK_MS)
  ) {
    if (Date.now() > end) return;
  }
}

/**
 * Returns lines for the report and records a violation for each exceeded budget; without a sample, or on a machine that
 * is shared with other work, nothing is checked.
 */
export function judgeFairness(
  { journal }: Pick<World, "journal">,
  { alone, beside }: Probes,
  isShared: boolean,
): string[] {
  const budget = TIMES_ALONE * median(alone.small) + MORE_MS;
  return [
    line("a one-file run", alone.small, beside.small, budget),
    line("a REAL_TIME upload", alone.realTime, beside.realTime, REAL_TIME_MS),
  ];

  function line(what: string, before: number[], samples: number[], most: number): string {
    const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
    if (samples.length === 0)
      return `${what}: alone ${seconds(median(before))}; beside: no sample`;
    const p95 = percentile(samples, 95);
    const text =
      `${what}: alone ${seconds(median(before))}; beside, of ${samples.length} moments: ` +
      `median ${seconds(median(samples))}, 95th percentile ${seconds(p95)}, ` +
      `longest ${seconds(Math.max(...samples))}; bound ${seconds(most)}`;
    if (p95 > most && !isShared) journal.violated("fairness", text);
    return text;
  }
}
