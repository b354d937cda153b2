import {
  AHEAD_SHARE,
  MOST_OPEN,
  MOST_OPEN_SLOW,
  MOST_QUICK,
  OVERSTAYED_MS,
  SLOTS,
  SLOW_SHARE,
} from "../../domain/lanes.ts";
import { type Open, openBatches, type Rooms } from "../../db/runs/cut-lanes.ts";
import { endsOf } from "../../db/runs/end-batch.ts";
import type { Db } from "../../db/open.ts";
import type { Paces } from "./paces.ts";

/**
 * Who wants to cut: one workflow that sends an object, or several, to a cluster. `ends`: the cluster, and the linked
 * repository if there is one.
 */
export type Asker = { workflowId: string; projectId: string; recordId: string; ends: readonly string[] };

export type TurnDeps = {
  db: Db;
  paces: Pick<Paces, "isSlow" | "isQuick">;
  /** Transfer workers that run, here and elsewhere. */
  workers: () => number;
  /** Tells a workflow that it may cut now; must not throw. */
  wake: (workflowId: string) => void;
  now: () => number;
};

export type Turns = {
  /** How many batches may be cut now. */
  ask: (asker: Asker, most: number) => Rooms;
  /** What came of it; `blocked`: it wants more, and is woken when it is its turn. */
  took: (asker: Asker, shared: number, blocked: boolean) => void;
  /** Whether a batch is to give its slot back: its end is slow, and has more than its part. */
  isExcess: (batch: { id: string; ends: readonly string[] }) => boolean;
  /** Batches have ended, or an end has another pace: whoever waits for that gets its turn. */
  freed: () => void;
};

type Waiter = Asker & { since: number; most: number; granted: number; grantedAt: number };

/** A turn that is not taken for so long goes to another; a waiter that has not asked for so long is gone. */
const TURN_MS = 10_000;
const GONE_MS = 180_000;

/**
 * Who may cut SHARED batches, so that no end holds more than its part of the slots: an end is capped over all objects
 * and runs, slow ends together have a share of the slots, and those who wait take turns by cluster, project and run.
 */
export function createTurns({ db, paces, workers, wake, now }: TurnDeps): Turns {
  const waiters = new Map<string, Waiter>();
  const served = createServed();
  /** Batches that were told to give their slots back, and when (epoch ms). */
  const told = new Map<string, number>();

  /** Places as they are now, turns that were given but not taken yet included. */
  function places() {
    const open = openBatches(db);
    const slots = Math.max(1, workers()) * SLOTS.SHARED;
    const overstayed = overstayedEnds(open, now());
    const isSlow = (end: string) => paces.isSlow(end) || overstayed.has(end);
    const [all, slow] = [createCount(), createCount()];
    const take = (ends: readonly string[], n: number) => {
      all.add(ends, n);
      if (ends.some(isSlow)) slow.add(ends, n);
    };
    for (const batches of open) if (batches.lane === "SHARED") take(endsOf(batches), batches.n);
    for (const { ends, granted } of waiters.values()) take(ends, granted);
    /**
     * Of what is slow by one of its ends, no other end has more than a slow one may have: a slow source fills no quick
     * cluster.
     */
    const excess = (ends: readonly string[]) =>
      Math.max(slow.total() - slots * SLOW_SHARE, ...ends.map((end) => slow.of(end) - MOST_OPEN_SLOW));
    const has = (ends: readonly string[]) =>
      all.total() < slots * AHEAD_SHARE &&
      ends.every((end) => all.of(end) < MOST_OPEN) &&
      (!ends.some(isSlow) || excess(ends) < 0);
    return { open, take, has, excess };
  }

  /** Gives the places that there are to those whose turn it is, one batch at a time. */
  function allot({ take, has }: Pick<ReturnType<typeof places>, "take" | "has">): Waiter[] {
    const given = new Set<Waiter>();
    for (;;) {
      const fitting = [...waiters.values()].filter(({ granted, most, ends }) => granted < most && has(ends));
      const next = fitting.reduce<Waiter | undefined>(
        (first, one) => (first === undefined || served.isBefore(one, first) ? one : first),
        undefined,
      );
      if (!next) return [...given];
      next.granted += 1;
      next.grantedAt = now();
      take(next.ends, 1);
      served.serve(next);
      given.add(next);
    }
  }

  function forget(): void {
    const time = now();
    for (const [id, waiter] of waiters) {
      if (waiter.granted > 0 && time - waiter.grantedAt > TURN_MS) waiters.delete(id);
      else if (time - waiter.since > GONE_MS) waiters.delete(id);
    }
  }

  function freed(): void {
    forget();
    if (waiters.size === 0) return;
    for (const { workflowId } of allot(places())) wake(workflowId);
  }

  return {
    ask(asker, most) {
      forget();
      const known = waiters.get(asker.workflowId);
      const mine: Waiter = {
        ...asker,
        since: known?.since ?? now(),
        most,
        granted: Math.min(known?.granted ?? 0, most),
        grantedAt: now(),
      };
      waiters.set(asker.workflowId, mine);
      const at = places();
      for (const other of allot(at)) if (other !== mine) wake(other.workflowId);
      return { shared: mine.granted, quick: quickRoom(at.open, asker.ends, paces) };
    },
    took(asker, shared, blocked) {
      const mine = waiters.get(asker.workflowId);
      if (!mine) return;
      const unused = mine.granted - shared;
      if (blocked) waiters.set(asker.workflowId, { ...mine, granted: 0, since: now() });
      else waiters.delete(asker.workflowId);
      if (unused > 0 && !blocked) freed();
    },
    isExcess({ id, ends }) {
      for (const [other, at] of told) if (now() - at > TURN_MS) told.delete(other);
      if (told.has(id)) return true;
      if (!ends.some(paces.isSlow) || places().excess(ends) - told.size <= 0) return false;
      told.set(id, now());
      return true;
    },
    freed,
  };
}

/** Batches, in all and by end. */
function createCount() {
  const byEnd = new Map<string, number>();
  let total = 0;
  return {
    add(ends: readonly string[], n: number): void {
      total += n;
      for (const end of ends) byEnd.set(end, (byEnd.get(end) ?? 0) + n);
    },
    of: (end: string) => byEnd.get(end) ?? 0,
    total: () => total,
  };
}

function overstayedEnds(open: readonly Open[], now: number): Set<string> {
  const long = open.filter(({ lane, taken }) => lane === "SHARED" && taken !== null && now - taken > OVERSTAYED_MS);
  return new Set(long.map(({ clusterId }) => clusterId));
}

/**
 * QUICK batches that may be cut for these ends: none of a slow one, only a first one of an end that nothing is known
 * of.
 */
function quickRoom(open: readonly Open[], ends: readonly string[], { isSlow, isQuick }: TurnDeps["paces"]): number {
  if (ends.some(isSlow)) return 0;
  const most = ends.every(isQuick) ? MOST_QUICK : 1;
  const used = (end: string) =>
    open
      .filter((batches) => batches.lane === "QUICK" && endsOf(batches).includes(end))
      .reduce((sum, { n }) => sum + n, 0);
  return Math.max(0, most - Math.max(...ends.map(used)));
}

const servedKeys = ({ ends, projectId, recordId }: Asker) => [
  `end ${ends[0]}`,
  `project ${projectId}`,
  `run ${recordId}`,
];

/** When each cluster, project and run last had a turn. */
function createServed() {
  const last = new Map<string, number>();
  let clock = 0;
  return {
    serve(asker: Asker): void {
      clock += 1;
      for (const key of servedKeys(asker)) {
        last.delete(key);
        last.set(key, clock);
      }
      while (last.size > 10_000) last.delete(last.keys().next().value ?? "");
    },
    isBefore(one: Waiter, other: Waiter): boolean {
      const [mine, theirs] = [servedKeys(one), servedKeys(other)];
      for (const [at, key] of mine.entries()) {
        const difference = (last.get(key) ?? 0) - (last.get(theirs[at] ?? "") ?? 0);
        if (difference !== 0) return difference < 0;
      }
      return one.since < other.since;
    },
  };
}
