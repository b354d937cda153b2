import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openDb } from "../../db/open.ts";
import { newest } from "../rigs/runs/run-fixture.ts";
import { addManyNodes } from "../rigs/db/planned-run.ts";
import { percentile, within, type Row } from "./measure.ts";
import { askInfo, type Bench, fromHosted, hosted, runTask } from "./rig.ts";

const MANY = 1_000_000;
/** Files added in one transaction: few enough that the transactions of the instance do not wait long. */
const CHUNK = 10_000;
const RUN = 100_000;
const LOOK_MS = 250;

type Seen = Awaited<ReturnType<typeof newest>>;

/**
 * Measures how long the API takes to answer other requests during the plan of 1,000,000 files, its end, and a whole run
 * of 100,000 files.
 */
export async function infoBeside(bench: Bench): Promise<Row[]> {
  const { product, target, say } = bench;
  await product.hosted("bench", "info");
  const { key: asked } = await runTask(product, {
    objects: fromHosted("info"),
    clusters: [target],
  });
  await fill(bench);
  say(`${MANY} files are there`);
  const planning = await product.run({
    projectId: "bench",
    objects: fromHosted("million"),
    clusters: [target],
  });
  const plan = await beside(
    bench,
    asked,
    planning,
    ({ counts, status }) => counts.planned >= MANY || status !== "RUNNING",
  );
  await product.stop(planning);
  const end = await beside(bench, asked, planning, ({ status }) => status !== "RUNNING");
  await product.remove(planning);
  await hosted(bench, "hundred-thousand", files());
  const running = await product.run({
    projectId: "bench",
    objects: fromHosted("hundred-thousand"),
    clusters: [target],
  });
  const run = await beside(bench, asked, running, ({ status }) => status !== "RUNNING");
  return [
    within(
      "info, 99th percentile, during the plan of 1,000,000 files",
      percentile(plan, 99),
      50,
      plan,
    ),
    within("info, 99th percentile, while that run ends", percentile(end, 99), 50, end),
    within(
      "info, 99th percentile, during a run of 100,000 files",
      percentile(run, 99),
      50,
      run,
    ),
  ];
}

/** Adds the rows of the files to the running instance's database. The store does not have their contents. */
async function fill({ first, product }: Bench): Promise<void> {
  await product.hosted("bench", "million");
  const db = openDb(join(first.dataDir, "replication.db"));
  for (let from = 0; from < MANY; from += CHUNK) {
    addManyNodes(db, "million", CHUNK, { folders: MANY / 100, from, projectId: "bench" });
    await sleep(5);
  }
  db.$client.close();
}

async function beside(
  { product, say }: Bench,
  asked: string,
  key: string,
  done: (record: Seen) => boolean,
): Promise<number[]> {
  const state = { over: false };
  const watching = (async () => {
    for (; !state.over; await sleep(LOOK_MS)) {
      state.over = done(await newest(product, key));
    }
  })();
  const all = await askInfo(product, asked, (times) => !state.over || times < 100);
  await watching;
  const [middle, slow] = [percentile(all, 50), percentile(all, 99)].map(Math.round);
  say(`${all.length} answers, median ${middle}, 99th percentile ${slow} ms`);
  return all;
}

/** Generates the files; contents repeat, since only their number matters here. */
function* files(): Generator<{ path: string; content: Buffer }> {
  const contents = Array.from({ length: 1_000 }, () => randomBytes(100));
  for (let at = 0; at < RUN; at += 1)
    yield {
      path: `/folder-${at % 500}/file-${at}.bin`,
      content: contents[at % contents.length] ?? Buffer.alloc(0),
    };
}
