import pLimit from "p-limit";
import { findTask } from "../../db/tasks/tasks.ts";
import { scheduledTasks } from "../../db/tasks/upkeep.ts";
import { scheduledTask } from "../../workflows/contract.ts";
import type { Logger } from "../deps.ts";
import { type AlignDeps, alignSchedule } from "./schedule-align.ts";

export type ScheduleDeps = AlignDeps & {
  /** Whether Temporal is up, as the supervisor reports; while it is not, no schedule is touched. */
  temporalUp: () => boolean;
  logger: Logger;
};

/**
 * The schedules of tasks in Temporal. Only `reconcile` rejects if Temporal fails; it also repeats
 * what Temporal did not accept before.
 */
export type Schedules = {
  /**
   * Brings the schedule of a saved task in line with the task's row. Calls for the same task run
   * one after the other, so the last one reads the newest row.
   */
  align: (taskKey: string) => Promise<void>;
  /**
   * Removes the schedule of a task that is about to be deleted; if Temporal fails, `reconcile` does
   * it later.
   */
  remove: (taskKey: string) => Promise<void>;
  /** Called after a run: counts the firings that the schedule skipped while that run went on. */
  runClosed: (taskKey: string) => void;
  /**
   * Brings all schedules in line with their tasks and removes those of tasks that no longer exist.
   */
  reconcile: () => Promise<void>;
};

const DEADLINE_MS = 5_000;
const LISTED_WITHIN_MS = 60_000;
const AT_ONCE = 4;

export function createSchedules(deps: ScheduleDeps): Schedules {
  const { db, logger } = deps;
  const turns = new Map<string, Promise<void>>();
  /**
   * Keys of tasks that are being deleted: the row of a task is deleted last, and until then the
   * task must not get a schedule again.
   */
  const removed = new Set<string>();

  async function inTurn(taskKey: string): Promise<void> {
    const turn = (turns.get(taskKey) ?? Promise.resolve()).then(() => attempt(taskKey));
    turns.set(taskKey, turn);
    await turn;
    if (turns.get(taskKey) === turn) turns.delete(taskKey);
  }

  async function attempt(taskKey: string): Promise<void> {
    if (!deps.temporalUp())
      return logger.warn(
        { taskKey },
        "Temporal is away; the schedule of the task is brought in line when it is back",
      );
    const work = () => alignSchedule(deps, taskKey, () => removed.has(taskKey));
    await deps.client
      .withDeadline(Date.now() + DEADLINE_MS, work)
      .catch((error: unknown) => {
        logger.warn(
          { err: error, taskKey },
          "the schedule of the task could not be brought in line; it is tried again within minutes",
        );
      });
  }

  return {
    align(taskKey) {
      removed.delete(taskKey);
      return inTurn(taskKey);
    },
    remove(taskKey) {
      removed.add(taskKey);
      return inTurn(taskKey);
    },
    runClosed(taskKey) {
      const row = findTask(db, taskKey);
      if (
        row?.replicaType === "SCHEDULED" &&
        row.setting.executionStrategy !== "IMMEDIATELY"
      )
        void inTurn(taskKey);
    },
    async reconcile() {
      if (!deps.temporalUp()) return;
      const listed = await deps.client.withDeadline(Date.now() + LISTED_WITHIN_MS, () =>
        schedulesOf(deps),
      );
      const limit = pLimit(AT_ONCE);
      await Promise.all(
        [...new Set([...listed, ...scheduledTasks(db)])].map((taskKey) =>
          limit(inTurn, taskKey),
        ),
      );
      for (const taskKey of removed)
        if (findTask(db, taskKey) === null) removed.delete(taskKey);
    },
  };
}

/**
 * Lists the keys of the tasks that have a schedule of this instance; several instances may share a
 * Temporal.
 */
async function schedulesOf({ client, queues }: ScheduleDeps): Promise<string[]> {
  const keys: string[] = [];
  for await (const { scheduleId, memo } of client.schedule.list({ pageSize: 200 })) {
    const key = scheduledTask(scheduleId);
    if (key !== null && memo?.["instance"] === queues.orchestrate) keys.push(key);
  }
  return keys;
}
