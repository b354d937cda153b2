import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { newest } from "../rigs/runs/run-fixture.ts";
import { memory, within, type Row } from "./measure.ts";
import { type Bench, fromHosted, hosted, runAgain, watchMemory } from "./rig.ts";

const FILES = 100_000;

/**
 * Measures the plan of a repository of 100,000 files, a run that finds every file at the target, and the memory of
 * both.
 */
export async function manyFiles(bench: Bench): Promise<Row[]> {
  const { product, target, say } = bench;
  await hosted(bench, "many-files", files());
  say("the repository is filled");
  const watched = watchMemory(bench);
  const begun = performance.now();
  const key = await product.run({
    projectId: "bench",
    objects: fromHosted("many-files"),
    clusters: [target],
  });
  let planned = 0;
  for (let over = false; !over; await sleep(50)) {
    const { status, counts, errorReason } = await newest(product, key);
    if (planned === 0 && counts.planned === FILES) planned = performance.now() - begun;
    over = status !== "RUNNING";
    if (over && status !== "SUCCESS")
      throw new Error(`the run ended ${status}: ${errorReason}`);
  }
  say(
    `planned after ${Math.round(planned)} ms, sent after ${Math.round(performance.now() - begun)} ms`,
  );
  const again = await runAgain(product, key);
  const {
    "the target's control": receiver,
    temporal: _temporal,
    ...ours
  } = watched.peaks();
  return [
    within("plan of 100,000 files of a hosted repository", planned, 30_000),
    within("the same again, nothing to do", again.ms, 60_000),
    memory(
      "memory of both, peaks",
      { ...ours, "the target's control": receiver ?? null },
      300,
    ),
  ];
}

/** Generates the files; contents repeat, since only their number matters here. */
function* files(): Generator<{ path: string; content: Buffer }> {
  const contents = Array.from({ length: 1_000 }, () => randomBytes(100));
  for (let at = 0; at < FILES; at += 1)
    yield {
      path: `/folder-${at % 500}/file-${at}.bin`,
      content: contents[at % contents.length] ?? Buffer.alloc(0),
    };
}
