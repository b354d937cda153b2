import pLimit from "p-limit";
import { type TransferError, toTransferError } from "../../domain/failure.ts";
import type { ArtifactOutcome, CopyHooks } from "../../domain/outcome.ts";

/** What copies of many things to another instance have in common: each is settled once, and a trouble is the outcome of those it touches. */
type Settled = { index: number; settled: boolean };
type Reporting = { hooks: Pick<CopyHooks, "signal" | "slice">; report: (index: number, outcome: ArtifactOutcome) => void };

export function settle(copy: Reporting, item: Settled, outcome: ArtifactOutcome): void {
  if (item.settled) return;
  item.settled = true;
  copy.report(item.index, outcome);
}

/** Work whose trouble ends those of `items` that have not ended; an abort goes through. */
export function guardedBy<C extends Reporting, I>(settleTrouble: (copy: C, item: I, error: TransferError) => void) {
  return async <T>(copy: C, items: readonly I[], work: () => Promise<T[]>): Promise<T[]> => {
    try {
      return await work();
    } catch (error) {
      copy.hooks.signal.throwIfAborted();
      for (const item of items) settleTrouble(copy, item, toTransferError(error));
      return [];
    }
  };
}

/**
 * Runs `work` on each, some at once, and begins nothing more once the copy was stopped, or its time is over but for the first: however slow an
 * end is, every batch gets on. Returns when none runs any more.
 */
export async function together<T>(copy: Reporting & { stopped: boolean }, list: readonly T[], width: number, work: (each: T) => Promise<unknown>): Promise<void> {
  const limit = pLimit(width);
  const { signal, slice } = copy.hooks;
  const mayBegin = (at: number) => !copy.stopped && !signal.aborted && (at < width || !slice.isOver());
  const ended = await Promise.allSettled(list.map((each, at) => limit(async () => (mayBegin(at) ? work(each) : undefined))));
  signal.throwIfAborted();
  for (const end of ended) if (end.status === "rejected") throw end.reason;
}

/** In their order, as many together as keep to all of the limits; what is beyond one by itself is alone. */
export function pack<T>(things: T[], weigh: (thing: T) => number[], limits: number[]): T[][] {
  const packs: T[][] = [];
  let sums: number[] = [];
  for (const thing of things) {
    const own = weigh(thing);
    const grown = own.map((weight, i) => weight + (sums[i] ?? 0));
    const current = packs.at(-1);
    if (current && grown.every((sum, i) => sum <= (limits[i] ?? Infinity))) {
      current.push(thing);
      sums = grown;
    } else {
      packs.push([thing]);
      sums = own;
    }
  }
  return packs;
}
