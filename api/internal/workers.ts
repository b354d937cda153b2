import type { Problem } from "../../activities/secrets/internal.ts";
import type { Refusal } from "../../domain/worker-messages.ts";
import type { Logger } from "../deps.ts";

/** A worker says hello more often than this; one that was silent for so long is gone. */
const GONE_MS = 60_000;
/** A refusal is told in the log again after this. */
const TOLD_AGAIN_MS = 60_000;
const MOST_KEPT = 1_000;

export type RefusedWorker = { worker: string; refusal: Refusal; message: string; since: number; last: number };

export type Workers = {
  /** `worker`: what it calls itself, "" when it does not. */
  seen: (worker: string) => void;
  refused: (problem: Problem, worker: string) => void;
  /** Transfer workers that were heard of lately, here and elsewhere. */
  count: () => number;
  /** Names of these, with when they were heard of last (epoch ms). */
  list: () => { worker: string; last: number }[];
  /** Workers that were refused lately, and not let in since. */
  refusals: () => RefusedWorker[];
};

/** Which transfer workers there are, by what they ask. `count` in `onRefused`: for numbers. */
export function createWorkers(now: () => number, logger: Pick<Logger, "error">, onRefused: (refusal: Refusal) => void = () => {}): Workers {
  const known = new Map<string, number>();
  const turnedAway = new Map<string, RefusedWorker & { told: number }>();
  const fresh = <T>(map: Map<string, T>, last: (value: T) => number) => {
    for (const [key, value] of map) if (now() - last(value) > GONE_MS || map.size > MOST_KEPT) map.delete(key);
    return map;
  };

  return {
    seen(worker) {
      if (worker === "") return;
      known.set(worker, now());
      turnedAway.delete(worker);
    },
    refused({ refusal, message }, worker) {
      onRefused(refusal);
      const before = turnedAway.get(worker);
      const tells = before === undefined || before.refusal !== refusal || now() - before.told > TOLD_AGAIN_MS;
      turnedAway.set(worker, { worker, refusal, message, since: before?.since ?? now(), last: now(), told: tells ? now() : before.told });
      if (tells) logger.error({ worker, refusal }, `A transfer worker is refused: ${message}`);
    },
    count: () => fresh(known, (last) => last).size,
    list: () => [...fresh(known, (last) => last)].map(([worker, last]) => ({ worker, last })),
    refusals: () => [...fresh(turnedAway, ({ last }) => last).values()],
  };
}
