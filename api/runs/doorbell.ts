import { cursorsOf, findConcerned } from "../../db/drains/bell.ts";
import {
  type CursorKey,
  dropCursors,
  dropLeftPending,
  forwardCursors,
  listDue,
  newestEvent,
  syncCursors,
} from "../../db/pending/cursors.ts";
import { deletePassedEvents } from "../../db/content/events.ts";
import { write } from "../../db/open.ts";
import { inPages } from "../../db/pages.ts";
import { findTask } from "../../db/tasks/tasks.ts";
import { repeat } from "./repeat.ts";
import { ringRunning } from "./ring.ts";
import { createRinger, type RingerDeps } from "./ringer.ts";

export type Doorbell = {
  /**
   * Called after a task was saved: brings its cursors in line with it, and rings for each of its
   * clusters if it is an enabled REAL_TIME task.
   */
  taskSaved: (taskKey: string) => Promise<void>;
  /**
   * Called while a task is deleted: deletes its cursors, so that it follows no uploads any more.
   */
  taskDeleted: (taskKey: string) => Promise<void>;
  /** Called just before the events of a cursor are read: later events must ring for it again. */
  asked: (key: CursorKey) => void;
  temporalIsBack: () => void;
  stop: () => void;
};

/**
 * Period of looking for new events (ms): the ring for an upload waits no longer, unless Temporal
 * takes no rings.
 */
const TICK_MS = 250;
/**
 * Period of the sweeps (ms), which ring again if a ring was lost or a waiting file or version has
 * become due.
 */
const SWEEP_MS = 30_000;
/** A cursor that is more events behind than this gets one full plan instead of the events. */
const MOST_LAG = 1_000_000;

/**
 * Signals (rings) the workflows of REAL_TIME tasks when there are new uploads. It watches the last
 * number of the event log, not the uploads: no upload waits for it or fails with it, and the next
 * sweep finds what it has missed.
 */
export function createDoorbell(
  deps: RingerDeps,
  { mostLag = MOST_LAG, sweepMs = SWEEP_MS } = {},
): Doorbell {
  const { db, now, logger } = deps;
  const ringer = createRinger(deps);
  let heard = newestEvent(db);

  function tick(): void {
    const newest = newestEvent(db);
    if (newest !== heard) ringer.wantHeard(findConcerned(db, heard, now()));
    heard = newest;
    void ringer.ringAll();
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
    ringer.want(due);
    await ringer.ringAll();
    // `ringRunning` does nothing when the workflow of a drain is gone: the reconciler takes care of
    // that drain's record.
    await Promise.all(draining.map((key) => ringer.limit(ringRunning, deps, key)));
    await inPages(() => deletePassedEvents(db));
  });

  return {
    async taskSaved(taskKey) {
      // The cursors are missing if a deletion of this task was interrupted.
      write(db, (tx) => syncCursors(tx, taskKey));
      await dropLeftPending(db, taskKey);
      if (findTask(db, taskKey)?.enabled) ringer.want(cursorsOf(db, taskKey));
    },
    async taskDeleted(taskKey) {
      const keys = cursorsOf(db, taskKey);
      keys.forEach(ringer.heard);
      await dropCursors(db, taskKey);
      for (const key of keys)
        void ringRunning(deps, key).catch((error: unknown) =>
          logger.warn(
            { err: error, ...key },
            "the workflow of a deleted task ends on its own within minutes",
          ),
        );
    },
    asked: ringer.heard,
    temporalIsBack: sweeps.now,
    stop() {
      clearInterval(timer);
      sweeps.stop();
    },
  };
}
