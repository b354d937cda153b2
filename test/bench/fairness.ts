import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { closed, type Product } from "../rigs/runs/run-fixture.ts";
import { startProxy } from "../rigs/servers/proxy.ts";
import { percentile, median, within, type Row } from "./measure.ts";
import { type Bench, fromHosted, hosted, randomFiles, runAgain, runTask } from "./rig.ts";

const ANSWERS_AFTER_MS = 15_000;
const SLOW_CLUSTERS = 40;
const REPOSITORIES = 4;
const FILES = 200;
const HUGE = 20_000;
const FOLLOWING = 10;
const LOOK_MS = 10;
const SETTLED_LOOKS = 20;
const LONGEST_MS = 300_000;
/** Budget of a small run beside the crowd: at most TIMES_ALONE times its duration alone, plus MORE_MS. */
const TIMES_ALONE = 3;
const MORE_MS = 2_000;
const REAL_TIME_MS = 2_000;

/**
 * Measures a run of one file of 1 KiB, and REAL_TIME uploads to ten clusters, alone and beside forty clusters that
 * answer each request after 15 s and a run of 20,000 files.
 */
export async function fairness(bench: Bench): Promise<Row[]> {
  const { product, second, target, say } = bench;
  const slow = await startSlow(second.url);
  const keys: string[] = [];
  try {
    const small = await prepareSmall(bench);
    const followed = await follow(bench);
    // The first upload creates the repositories at the ten clusters.
    await followed();
    const alone = await measure(bench, small, followed);
    say(`alone: ${text(alone.small)}; REAL_TIME ${text(alone.realTime)}`);
    keys.push(...(await crowd(bench, slow.url)));
    await slow.busy();
    keys.push(
      await product.run({
        projectId: "bench",
        objects: fromHosted("fair-huge"),
        clusters: [target],
      }),
    );
    const over = new AbortController();
    const again = keepRunning(product, keys, over.signal);
    const beside = await measure(bench, small, followed).finally(() => over.abort());
    await again;
    say(`beside: ${text(beside.small)}; REAL_TIME ${text(beside.realTime)}`);
    const running = await stillRunning(product, keys);
    say(`${running} of ${keys.length} runs beside were not over at the end`);
    return rows(alone, beside);
  } finally {
    for (const key of keys) await product.stop(key);
    for (const key of keys) await closed(product, key, LONGEST_MS);
    await slow.stop();
  }
}

type Measured = { small: number[]; realTime: number[] };
const text = (all: number[]) => all.map((ms) => Math.round(ms)).join(", ");

function rows(alone: Measured, beside: Measured): Row[] {
  const [least, most] = [
    median(alone.small),
    TIMES_ALONE * median(alone.small) + MORE_MS,
  ];
  const took = median(beside.small);
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  return [
    {
      work: `one file beside ${SLOW_CLUSTERS} slow clusters, a huge run and REAL_TIME`,
      ours: `${seconds(took)} (${beside.small.map((ms) => (ms / 1000).toFixed(2)).join(", ")})`,
      peer: `${seconds(least)} alone`,
      ratio: (took / least).toFixed(2),
      budget: `≤ ${TIMES_ALONE} × alone + ${MORE_MS / 1000} s`,
      met: took <= most,
    },
    within(
      `REAL_TIME to ${FOLLOWING} healthy clusters beside them, 95th percentile`,
      percentile(beside.realTime, 95),
      REAL_TIME_MS,
      beside.realTime,
    ),
  ];
}

/**
 * Creates a task of one file and runs it once; returns a function that runs it again and returns the ms
 * that took.
 */
async function prepareSmall(bench: Bench): Promise<() => Promise<number>> {
  const { product, target } = bench;
  await hosted(bench, "fair-small", [{ path: "/one.bin", content: randomBytes(1024) }]);
  const { key } = await runTask(product, {
    objects: fromHosted("fair-small"),
    clusters: [target],
    setting: { conflictStrategy: "OVERWRITE" },
  });
  return async () => {
    await product.upload("bench", "fair-small", "/one.bin", randomBytes(1024), {
      "x-bkrepo-overwrite": "true",
    });
    return (await runAgain(product, key)).ms;
  };
}

/**
 * Creates ten clusters, each with its own REAL_TIME task and target; returns a function that uploads a file and returns
 * the ms until it has arrived at all of them.
 */
async function follow({ product, other, second }: Bench): Promise<() => Promise<number>> {
  await product.hosted("bench", "fair-followed");
  const places = Array.from({ length: FOLLOWING }, (_, at) => `fair-followed-${at}`);
  for (const place of places) {
    const cluster = await product.partner(place, second);
    await product.run({
      projectId: "bench",
      objects: fromHosted("fair-followed", place),
      clusters: [cluster],
      replicaType: "REAL_TIME",
    });
  }
  let number = 0;
  const isAt = (place: string, path: string) =>
    other.download("bench", place, path).then((bytes) => bytes !== null);
  return async () => {
    const path = `/file-${(number += 1)}.bin`;
    await product.upload("bench", "fair-followed", path, randomBytes(1024));
    const begun = performance.now();
    const arrivals = places.map(async (place) => {
      while (!(await isAt(place, path))) {
        if (performance.now() - begun > LONGEST_MS)
          throw new Error(`${path} did not arrive at ${place}`);
        await sleep(LOOK_MS * FOLLOWING);
      }
    });
    await Promise.all(arrivals);
    return performance.now() - begun;
  };
}

async function measure(
  { times }: Bench,
  small: () => Promise<number>,
  followed: () => Promise<number>,
): Promise<Measured> {
  const measured: Measured = { small: [], realTime: [] };
  for (let turn = 0; turn < 2 * times + 1; turn += 1) {
    measured.small.push(await small());
    measured.realTime.push(await followed());
  }
  return measured;
}

/** Starts a run of several repositories to each slow cluster, and fills the repository of the huge run. */
async function crowd(bench: Bench, url: string): Promise<string[]> {
  const { product, second } = bench;
  await hosted(bench, "fair-huge", randomFiles(HUGE, 100));
  const names = Array.from({ length: REPOSITORIES }, (_, at) => `fair-crowd-${at}`);
  for (const name of names) await hosted(bench, name, randomFiles(FILES, 1024));
  const keys: string[] = [];
  for (let at = 0; at < SLOW_CLUSTERS; at += 1) {
    const cluster = await product.partner(`slow-${at}`, second, url);
    keys.push(
      await product.run({
        projectId: "bench",
        objects: names.flatMap((name) => fromHosted(name)),
        clusters: [cluster],
      }),
    );
  }
  return keys;
}

/** Executes each task again once its run has ended, so that the crowd stays complete. */
async function keepRunning(
  product: Product,
  keys: readonly string[],
  until: AbortSignal,
): Promise<void> {
  for (; !until.aborted; await sleep(500)) {
    for (const key of keys) {
      const record = await product.newestRecord(key);
      if (record?.status === "SUCCESS" && !until.aborted) await product.execute(key);
    }
  }
}

async function stillRunning(product: Product, keys: string[]): Promise<number> {
  const newest = await Promise.all(keys.map(async (key) => product.newestRecord(key)));
  return newest.filter((record) => record?.status === "RUNNING").length;
}

/**
 * Starts a proxy to `url` that delays each request by 15 s; `busy` waits until the product has its maximum of requests
 * open.
 */
async function startSlow(
  url: string,
): Promise<{ url: string; busy: () => Promise<void>; stop: () => Promise<void> }> {
  const proxy = await startProxy(url);
  proxy.fault = () => ({ kind: "latency", ms: ANSWERS_AFTER_MS });
  const open = () => proxy.requests.filter(({ closed }) => closed === null).length;
  return {
    url: proxy.url,
    async busy() {
      for (let [most, looks] = [0, 0]; most === 0 || looks < SETTLED_LOOKS; looks += 1) {
        if (open() > most) [most, looks] = [open(), 0];
        await sleep(100);
      }
    },
    stop: proxy.stop,
  };
}
