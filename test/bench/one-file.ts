import { randomBytes } from "node:crypto";
import { median, within, type Row } from "./measure.ts";
import { type Bench, fromHosted, hosted, runAgain, runTask } from "./rig.ts";

const TURNS = 20;

/** Measures a run of one changed file of 1 KiB by a task that has run before. */
export async function oneFile(bench: Bench): Promise<Row[]> {
  const { product, target, say } = bench;
  await hosted(bench, "one-file", [{ path: "/one.bin", content: randomBytes(1024) }]);
  const setting = { conflictStrategy: "OVERWRITE" };
  const { key } = await runTask(product, {
    objects: fromHosted("one-file"),
    clusters: [target],
    setting,
  });
  const all: number[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    await product.upload("bench", "one-file", "/one.bin", randomBytes(1024), {
      "x-bkrepo-overwrite": "true",
    });
    all.push((await runAgain(product, key)).ms);
  }
  say(all.map((ms) => Math.round(ms)).join(", "));
  return [within("one file of 1 KiB, warm service", median(all), 300, all)];
}
