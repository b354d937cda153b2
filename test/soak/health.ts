import { setTimeout as sleep } from "node:timers/promises";
import { percentile } from "../bench/measure.ts";
import type { End } from "./ends.ts";
import type { World } from "./world.ts";

const LOOK_MS = 500;
/** Longest time in ms for an answer of a process that nobody troubles, on a machine that is busy. */
const ANSWERS_WITHIN_MS = 10_000;

/** Asks both instances all the time whether they live; returns the times of their answers in ms. */
export function watchHealth(world: World, until: AbortSignal): () => string {
  const { ends, signals, journal } = world;
  const times: number[] = [];
  const look = async ({ name, instance }: End) => {
    const begun = Date.now();
    const signal = AbortSignal.timeout(ANSWERS_WITHIN_MS);
    const status = await fetch(`${instance.url}/health/live`, { signal }).then(
      async (answer) => {
        await answer.arrayBuffer();
        return String(answer.status);
      },
      String,
    );
    if (!signals.quietSince(begun)) return;
    times.push(Date.now() - begun);
    if (status !== "200") journal.violated("/health/live answers", `${name}: ${status}`);
  };
  for (const end of Object.values(ends))
    void (async () => {
      for (; !until.aborted; await sleep(LOOK_MS)) await look(end);
    })();
  return () =>
    times.length === 0
      ? "/health/live: no sample"
      : `/health/live, ${times.length} answers: median ${percentile(times, 50)} ms, 95th percentile ` +
        `${percentile(times, 95)} ms, longest ${Math.max(...times)} ms`;
}
