import { SLOTS } from "../../domain/lanes.ts";
import { openBatches, type Rooms } from "../../db/runs/cut-lanes.ts";
import type { Db } from "../../db/open.ts";
import type { Paces } from "./paces.ts";
import { countPlaces, quickRoom } from "./places.ts";
import { elapsed } from "../../domain/elapsed.ts";
import { allot, type Asker, createServed, type Waiter } from "./waiters.ts";

type TurnDeps = {
  db: Db;
  paces: Pick<Paces, "isSlow" | "isQuick">;
  /** Number of running transfer workers, on this machine and elsewhere. */
  workers: () => number;
  /** Wakes a workflow that may cut now; must not throw. */
  wake: (workflowId: string) => void;
  now: () => number;
  /** The clock (ms) by which turns pass; nobody sets it. */
  ticks?: () => number;
};

export type Turns = {
  /** Returns how many batches the workflow may cut now, by lane; `most`: how many it wants. */
  ask: (asker: Asker, most: number) => Rooms;
  /**
   * Records how many SHARED batches the workflow has cut. `blocked`: the workflow wants more and is woken
   * when its turn comes.
   */
  took: (asker: Asker, shared: number, blocked: boolean) => void;
  /**
   * Whether a SHARED batch must give its slot back, because one of its ends is slow and slow ends hold more
   * batches than they may.
   */
  isExcess: (batch: { id: string; ends: readonly string[] }) => boolean;
  /** Since when a run waits for a turn at a cluster (epoch ms); null: it does not. */
  waitingSince: (recordId: string) => number | null;
  /** Gives waiting workflows their turn. Call it when batches have ended or the pace of an end has changed. */
  freed: () => void;
};

/**
 * A workflow that does not use its turn for TURN_MS loses it to another one. A workflow that waits and
 * does not ask again for GONE_MS counts as gone.
 */
const TURN_MS = 10_000;
const GONE_MS = 180_000;

/**
 * Decides which workflows may cut SHARED batches, so that no end holds more than its share of the
 * slots. Each end is limited over all objects and runs, slow ends together have a share of the slots,
 * and waiting workflows take turns by cluster, project and run.
 */
export function createTurns({ ticks = elapsed, ...deps }: TurnDeps): Turns {
  const { db, paces, workers, wake, now } = deps;
  const waiters = new Map<string, Waiter>();
  const served = createServed();
  const handBacks = createHandBacks(ticks);

  const placesOf = (open: ReturnType<typeof openBatches>) =>
    countPlaces({
      open,
      given: waiters.values(),
      slots: Math.max(1, workers()) * SLOTS.SHARED,
      isSlow: paces.isSlow,
      now: now(),
    });
  const places = () => placesOf(openBatches(db));
  const giveTurns = (at: ReturnType<typeof places>) =>
    allot([...waiters.values()], at, served, ticks);

  function forget(): void {
    const time = ticks();
    for (const [id, waiter] of waiters) {
      if (waiter.granted > 0 && time - waiter.grantedAt > TURN_MS) waiters.delete(id);
      else if (time - waiter.since > GONE_MS) waiters.delete(id);
    }
  }

  function freed(): void {
    forget();
    if (waiters.size === 0) return;
    for (const { workflowId } of giveTurns(places())) wake(workflowId);
  }

  return {
    ask(asker, most) {
      forget();
      const known = waiters.get(asker.workflowId);
      const mine: Waiter = {
        ...asker,
        since: known?.since ?? ticks(),
        most,
        granted: Math.min(known?.granted ?? 0, most),
        grantedAt: ticks(),
      };
      waiters.set(asker.workflowId, mine);
      const open = openBatches(db);
      for (const other of giveTurns(placesOf(open)))
        if (other !== mine) wake(other.workflowId);
      return { shared: mine.granted, quick: quickRoom(open, asker.ends, paces) };
    },
    took(asker, shared, blocked) {
      const mine = waiters.get(asker.workflowId);
      if (!mine) return;
      const unused = mine.granted - shared;
      if (blocked) waiters.set(asker.workflowId, { ...mine, granted: 0, since: ticks() });
      else waiters.delete(asker.workflowId);
      if (unused > 0 && !blocked) freed();
    },
    isExcess({ id, ends }) {
      handBacks.forget();
      if (handBacks.has(id)) return true;
      if (!ends.some(paces.isSlow) || places().excess(ends) - handBacks.count() <= 0)
        return false;
      handBacks.add(id);
      return true;
    },
    waitingSince: (recordId) =>
      waitingSince([...waiters.values()], recordId, now() - ticks()),
    freed,
  };
}

/** `ahead`: by how much (ms) the wall clock is ahead of that of the waiters. */
function waitingSince(
  waiters: readonly Waiter[],
  recordId: string,
  ahead: number,
): number | null {
  const times = waiters
    .filter((waiter) => waiter.recordId === recordId && waiter.granted === 0)
    .map(({ since }) => since);
  return times.length === 0 ? null : Math.min(...times) + ahead;
}

/**
 * Remembers for TURN_MS which batches must give their slots back. Meanwhile `isExcess` repeats its
 * answer for them and counts them as ended.
 */
function createHandBacks(ticks: () => number) {
  const told = new Map<string, number>();
  return {
    forget(): void {
      for (const [id, at] of told) if (ticks() - at > TURN_MS) told.delete(id);
    },
    has: (id: string) => told.has(id),
    count: () => told.size,
    add: (id: string) => void told.set(id, ticks()),
  };
}
