import pLimit from "p-limit";
import { cursorsOf, findConcerned } from "../../db/drains/bell.ts";
import {
  type CursorKey,
  dropCursors,
  dropLeftPending,
  forwardCursors,
  listDue,
  newestEvent,
  syncCursors,
} from "../../db/drains/cursors.ts";
import { deletePassedEvents } from "../../db/events.ts";
import { write } from "../../db/open.ts";
import { inPages } from "../../db/pages.ts";
import { findTask } from "../../db/tasks.ts";
import type { Logger } from "../deps.ts";
import { repeat } from "./repeat.ts";
import { ring, type RingDeps, ringRunning } from "./ring.ts";

export type DoorbellDeps = RingDeps & { now: () => number; temporalUp: () => boolean; logger: Pick<Logger, "warn"> };

export type Doorbell = {
  /** A task was saved: what it follows is looked after at once. */
  taskSaved: (taskKey: string) => Promise<void>;
  /** A task is being deleted: nothing of it is followed any more. */
  taskDeleted: (taskKey: string) => Promise<void>;
  /** The workflow of a cluster is about to look for itself. */
  asked: (key: CursorKey) => void;
  temporalIsBack: () => void;
  stop: () => void;
};

/** At most one ring for a task at a cluster in this time, and the longest an upload waits for its ring. */
const TICK_MS = 250;
/** Rings again for what is due: bells that were lost, and what waits for its time. */
const SWEEP_MS = 30_000;
const RINGS_AT_ONCE = 8;
const AFTER_FAILURE_MS = 1_000;
/** A cursor further behind than this gets a full plan instead. */
const MOST_LAG = 1_000_000;

/**
 * Tells the workflows that follow uploads that there are some. It watches the event log's last number instead of the
 * uploads themselves: no upload waits for it or fails with it, and what it misses the next sweep finds.
 */
export function createDoorbell(deps: DoorbellDeps, { mostLag = MOST_LAG, sweepMs = SWEEP_MS } = {}): Doorbell {
  const { db, now, logger } = deps;
  const limit = pLimit(RINGS_AT_ONCE);
  const wanted = new Map<string, CursorKey>();
  /** Rung, and its workflow has not looked since: another ring would say nothing new. */
  const unheard = new Set<string>();
  let heard = newestEvent(db);
  let ringing = false;
  let pausedUntil = 0;

  const want = (keys: readonly CursorKey[]) => keys.forEach((key) => wanted.set(idOf(key), key));

  async function ringOne(id: string, key: CursorKey): Promise<void> {
    wanted.delete(id);
    unheard.add(id);
    try {
      await ring(deps, key);
    } catch (error) {
      if (pausedUntil === 0)
        logger.warn({ err: error, ...key }, "Temporal does not take the news of uploads; it is told again");
      pausedUntil = now() + AFTER_FAILURE_MS;
      unheard.delete(id);
      want([key]);
    }
  }

  async function ringAll(): Promise<void> {
    if (wanted.size === 0 || ringing || !deps.temporalUp() || now() < pausedUntil) return;
    ringing = true;
    pausedUntil = 0;
    await Promise.all([...wanted].map(([id, key]) => limit(ringOne, id, key)));
    ringing = false;
  }

  function tick(): void {
    const newest = newestEvent(db);
    if (newest !== heard) want(findConcerned(db, heard, now()).filter((key) => !unheard.has(idOf(key))));
    heard = newest;
    void ringAll();
  }

  const timer = setInterval(() => {
    try {
      tick();
    } catch (error) {
      logger.warn({ err: error }, "looking for uploads failed; it is tried again");
    }
  }, TICK_MS);

  const sweeps = repeat(sweepMs, "following uploads", logger, async () => {
    await forwardCursors(db, mostLag);
    const { due, draining } = await listDue(db, now());
    want(due);
    await ringAll();
    // Where the workflow of a drain is gone, its record is the reconciler's.
    await Promise.all(draining.map((key) => limit(ringRunning, deps, key)));
    await inPages(() => deletePassedEvents(db));
  });

  return {
    async taskSaved(taskKey) {
      // A delete that was cut off has dropped them.
      write(db, (tx) => syncCursors(tx, taskKey));
      await dropLeftPending(db, taskKey);
      if (findTask(db, taskKey)?.enabled) want(cursorsOf(db, taskKey));
    },
    async taskDeleted(taskKey) {
      const keys = cursorsOf(db, taskKey);
      for (const key of keys) unheard.delete(idOf(key));
      await dropCursors(db, taskKey);
      for (const key of keys)
        void ringRunning(deps, key).catch((error: unknown) =>
          logger.warn({ err: error, ...key }, "the workflow of a deleted task ends by itself within minutes"),
        );
    },
    asked: (key) => void unheard.delete(idOf(key)),
    temporalIsBack: sweeps.now,
    stop() {
      clearInterval(timer);
      sweeps.stop();
    },
  };
}

const idOf = ({ taskKey, clusterId }: CursorKey) => `${taskKey}/${clusterId}`;
