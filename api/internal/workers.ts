import { setBounded } from "../../domain/bounded.ts";
import { shortened } from "../../domain/shortened.ts";
import type { Problem } from "../../activities/secrets/internal.ts";
import { type Lane, SLOTS } from "../../domain/lanes.ts";
import type { Refusal } from "../../domain/worker-messages.ts";
import type { Logger } from "../deps.ts";
import { elapsed } from "../../domain/elapsed.ts";
import { createFewLines } from "../http/few-lines.ts";

/** Number of slots that a worker uses, by lane. */
export type Used = Partial<Record<Lane, number>>;

/** A worker without a report for this long counts as gone; workers report more often. */
const GONE_MS = 60_000;
/** A worker that is still refused is logged again after this time. */
const TOLD_AGAIN_MS = 60_000;
const MOST_KEPT = 1_000;
/** How many lines a minute refused requests may make: their senders may be strangers with any names. */
const MOST_LINES = 30;
const LONGEST_NAME = 100;

export type Workers = {
  /** Notes an admitted request. `worker`: the name that the worker sends, "" if it sends none. */
  seen: (worker: string, used?: Used) => void;
  /** Notes a refused request; `address`: that of its sender. */
  refused: (problem: Problem, worker: string, address: string) => void;
  /** Returns the number of transfer workers that reported lately, here and elsewhere. */
  count: () => number;
  /** Returns the transfer workers that reported lately, with their slots. */
  list: () => {
    id: string;
    slots: Record<Lane, { total: number; used: number }>;
  }[];
};

/** Callbacks for each refused request, and for a refused worker that is admitted again. */
type WorkerSignals = {
  refused: (refusal: Refusal, worker: string, address: string) => void;
  accepted: (worker: string) => void;
};
const UNTOLD: WorkerSignals = { refused: () => {}, accepted: () => {} };

/** Keeps track of the transfer workers by the requests that they send. */
export function createWorkers(
  logger: Pick<Logger, "error">,
  signals: WorkerSignals = UNTOLD,
): Workers {
  const known = new Map<string, { last: number; used: Used }>();
  const line = createFewLines(MOST_LINES, (count) =>
    logger.error(
      { count },
      "More requests of transfer workers were refused in this minute",
    ),
  );
  const told = new Map<string, { refusal: Refusal; last: number }>();
  const fresh = () => {
    for (const [key, { last }] of known)
      if (elapsed() - last > GONE_MS || known.size > MOST_KEPT) known.delete(key);
    return known;
  };

  return {
    seen(worker, used) {
      if (worker === "") return;
      known.set(worker, { last: elapsed(), used: used ?? known.get(worker)?.used ?? {} });
      if (told.delete(worker)) signals.accepted(worker);
    },
    refused({ refusal, message }, sender, address) {
      // Anybody may send a name, of any length.
      const worker = shortened(sender, LONGEST_NAME);
      signals.refused(refusal, worker, address);
      const before = told.get(worker);
      if (before?.refusal === refusal && elapsed() - before.last <= TOLD_AGAIN_MS) return;
      setBounded(told, worker, { refusal, last: elapsed() }, MOST_KEPT);
      const facts = { worker, refusal, address };
      line(() => logger.error(facts, `A transfer worker is refused: ${message}`));
    },
    count: () => fresh().size,
    list: () =>
      [...fresh()].map(([id, { used }]) => ({
        id,
        slots: slotsOf(used),
      })),
  };
}

function slotsOf(used: Used): Record<Lane, { total: number; used: number }> {
  const of = (lane: Lane) => ({
    total: SLOTS[lane],
    used: Math.min(SLOTS[lane], Math.max(0, Number(used[lane]) || 0)),
  });
  return {
    SHARED: of("SHARED"),
    QUICK: of("QUICK"),
    WHOLE: of("WHOLE"),
    ALONE: of("ALONE"),
  };
}
