import type { Problem } from "../../activities/secrets/internal.ts";
import { type Lane, SLOTS } from "../../domain/lanes.ts";
import type { Refusal } from "../../domain/worker-messages.ts";
import type { Logger } from "../deps.ts";

/** How many slots of each kind a worker uses. */
export type Used = Partial<Record<Lane, number>>;

/** A worker says hello more often than this; one that was silent for so long is gone. */
const GONE_MS = 60_000;
/** A refusal is told in the log again after this. */
const TOLD_AGAIN_MS = 60_000;
const MOST_KEPT = 1_000;

export type RefusedWorker = { worker: string; refusal: Refusal; message: string; since: number; last: number };

export type Workers = {
  /** `worker`: what it calls itself, "" when it does not. */
  seen: (worker: string, used?: Used) => void;
  refused: (problem: Problem, worker: string) => void;
  /** Transfer workers that were heard of lately, here and elsewhere. */
  count: () => number;
  /** These, with when they were heard of last (epoch ms), and their slots. */
  list: () => { id: string; lastSeen: number; slots: Record<Lane, { total: number; used: number }> }[];
  /** Workers that were refused lately, and not let in since. */
  refusals: () => RefusedWorker[];
};

/** Which transfer workers there are, by what they ask. `onRefused`: for numbers. */
export function createWorkers(now: () => number, logger: Pick<Logger, "error">, onRefused: (refusal: Refusal, worker: string) => void = () => {}): Workers {
  const known = new Map<string, { last: number; used: Used }>();
  const turnedAway = new Map<string, RefusedWorker & { told: number }>();
  const fresh = <T>(map: Map<string, T>, last: (value: T) => number) => {
    for (const [key, value] of map) if (now() - last(value) > GONE_MS || map.size > MOST_KEPT) map.delete(key);
    return map;
  };

  return {
    seen(worker, used) {
      if (worker === "") return;
      known.set(worker, { last: now(), used: used ?? known.get(worker)?.used ?? {} });
      turnedAway.delete(worker);
    },
    refused({ refusal, message }, worker) {
      onRefused(refusal, worker);
      const before = turnedAway.get(worker);
      const tells = before === undefined || before.refusal !== refusal || now() - before.told > TOLD_AGAIN_MS;
      turnedAway.set(worker, { worker, refusal, message, since: before?.since ?? now(), last: now(), told: tells ? now() : before.told });
      if (tells) logger.error({ worker, refusal }, `A transfer worker is refused: ${message}`);
    },
    count: () => fresh(known, ({ last }) => last).size,
    list: () => [...fresh(known, ({ last }) => last)].map(([id, { last, used }]) => ({ id, lastSeen: last, slots: slotsOf(used) })),
    refusals: () => [...fresh(turnedAway, ({ last }) => last).values()],
  };
}

function slotsOf(used: Used): Record<Lane, { total: number; used: number }> {
  const of = (lane: Lane) => ({ total: SLOTS[lane], used: Math.min(SLOTS[lane], Math.max(0, Number(used[lane]) || 0)) });
  return { SHARED: of("SHARED"), QUICK: of("QUICK"), WHOLE: of("WHOLE"), ALONE: of("ALONE") };
}
