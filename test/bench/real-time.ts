import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { median, percentile, within, type Row } from "./measure.ts";
import { type Bench, fromHosted } from "./rig.ts";

const TURNS = 20;
const LOOK_MS = 10;
const LONGEST_MS = 60_000;
/** Pauses between the measured uploads, short and long. */
const PAUSES_MS = [0, 300, 1_000, 2_500];

/** Measures the time from an upload's answer until a REAL_TIME task has brought the file to the other instance. */
export async function realTime({ product, other, target, say }: Bench): Promise<Row[]> {
  await product.hosted("bench", "real-time");
  const key = await product.run({
    projectId: "bench",
    objects: fromHosted("real-time"),
    clusters: [target],
    replicaType: "REAL_TIME",
  });
  const all: number[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const path = `/file-${turn}.bin`;
    await product.upload("bench", "real-time", path, randomBytes(1024));
    const begun = performance.now();
    while ((await other.download("bench", "real-time", path)) === null) {
      if (performance.now() - begun > LONGEST_MS)
        throw new Error(`${path} did not arrive`);
      await sleep(LOOK_MS);
    }
    all.push(performance.now() - begun);
    await sleep(PAUSES_MS[turn % PAUSES_MS.length]);
  }
  await product.remove(key);
  say(`median ${Math.round(median(all))} ms`);
  return [
    within(
      "REAL_TIME: a file of 1 KiB, 95th percentile",
      percentile(all, 95),
      2_000,
      all,
    ),
  ];
}
