import { type Client, type ScheduleDescription, type ScheduleHandle, ScheduleNotFoundError, WorkflowExecutionAlreadyStartedError } from "@temporalio/client";
import pLimit from "p-limit";
import { countScheduleSkips, type FiringRules, isSettled, missOnce, type TaskRow } from "../db/firings.ts";
import type { Db } from "../db/open.ts";
import { findTask } from "../db/tasks.ts";
import { scheduledTasks } from "../db/upkeep.ts";
import { firingId, lastFiring, type Timing, timingOf } from "../domain/firing.ts";
import { scheduledTask, scheduleId } from "../workflows/contract.ts";
import type { Logger } from "./deps.ts";
import { firingAction, isInLine, scheduleOf, type ShapeDeps } from "./schedule-shape.ts";

export type ScheduleDeps = ShapeDeps & {
  db: Db;
  client: Client;
  localCluster: string;
  /** IANA name of the configured zone. */
  zone: string;
  now: () => number;
  /** Whether the supervisor sees Temporal up; when not, nothing waits for it. */
  temporalUp: () => boolean;
  logger: Logger;
};

/** None of these fails: what Temporal does not take now is mended by `reconcile`. */
export type Schedules = {
  /** After the task was saved: brings its schedule in line with its row. Calls for one task take turns, so the last one acts on the newest row. */
  align: (taskKey: string) => Promise<void>;
  /** Before the task is deleted. */
  remove: (taskKey: string) => Promise<void>;
  /** Reads what the schedule skipped while the run went on. */
  runClosed: (taskKey: string) => void;
  /** Brings all of them in line, and removes those whose task is gone. */
  reconcile: () => Promise<void>;
};

const DEADLINE_MS = 5_000;
const AT_ONCE = 4;

export function createSchedules(deps: ScheduleDeps): Schedules {
  const { db, client, zone, now, logger } = deps;
  const turns = new Map<string, Promise<void>>();
  /** Tasks that are being deleted: their row goes last, and until then nothing makes them a schedule again. */
  const removed = new Set<string>();

  async function inTurn(taskKey: string, work: () => Promise<void>): Promise<void> {
    const turn = (turns.get(taskKey) ?? Promise.resolve()).then(() => attempt(taskKey, work));
    turns.set(taskKey, turn);
    await turn;
    if (turns.get(taskKey) === turn) turns.delete(taskKey);
  }

  async function attempt(taskKey: string, work: () => Promise<void>): Promise<void> {
    if (!deps.temporalUp()) return logger.warn({ taskKey }, "Temporal is away; the task's schedule is brought in line when it is back");
    await client.withDeadline(Date.now() + DEADLINE_MS, work).catch((error: unknown) => {
      logger.warn({ err: error, taskKey }, "the task's schedule could not be brought in line; it is tried again within minutes");
    });
  }

  async function alignNow(taskKey: string): Promise<void> {
    const handle = client.schedule.getHandle(scheduleId(taskKey));
    const found = await describe(handle);
    if (found) countScheduleSkips(db, taskKey, { made: found.info.createdAt.getTime(), skipped: found.info.numActionsSkippedOverlap }, { zone, now: now() });
    const row = dueRow(taskKey);
    const timing = row && timingOf(row, zone);
    if (!row || !timing || isOver(row, timing)) return found ? handle.delete() : undefined;
    const wanted = scheduleOf(row, timing, deps);
    if (found && isInLine(found, wanted)) return;
    if (found) await handle.update(() => wanted);
    else await client.schedule.create({ ...wanted, scheduleId: scheduleId(taskKey), memo: { instance: deps.queues.orchestrate } });
    if (row.enabled) await catchUp(row, timing);
  }

  /** The task's row, after its one time was given up if that lies too far back. */
  function dueRow(taskKey: string): TaskRow | null {
    if (removed.has(taskKey)) return null;
    const row = findTask(db, taskKey);
    const once = row?.enabled ? (timingOf(row, zone)?.once ?? null) : null;
    if (once === null || now() - once <= deps.catchUpWindow) return row;
    missOnce(db, taskKey, once, rules());
    return findTask(db, taskKey);
  }

  const isOver = (row: TaskRow, { once }: Timing) => once !== null && (isSettled(row, once) || now() - once > deps.catchUpWindow);

  /** A schedule that is made or changed does not fire for times before that, though its task may have been due while Temporal was away. */
  async function catchUp(row: TaskRow, timing: Timing): Promise<void> {
    const since = Math.max(row.lastModifiedDate, row.settledTime ?? 0, now() - deps.catchUpWindow);
    const due = lastFiring(timing, since, now());
    if (due !== null) return startLate(row, timing, due);
    // It was due while the task was disabled.
    if (timing.once !== null && timing.once <= now()) missOnce(db, row.key, timing.once, rules());
  }

  async function startLate(row: TaskRow, timing: Timing, due: number): Promise<void> {
    const { type: _type, workflowType, ...action } = firingAction(row, timing, deps);
    const start = client.workflow.start(workflowType, { ...action, workflowId: firingId(row.key, due), workflowIdReusePolicy: "REJECT_DUPLICATE" });
    await start.catch((error: unknown) => {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    });
  }

  function rules(): FiringRules {
    return { localCluster: deps.localCluster, zone, window: deps.catchUpWindow, now: now() };
  }

  const realign = (taskKey: string) => inTurn(taskKey, () => alignNow(taskKey));

  async function inTemporal(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { scheduleId: id, memo } of client.schedule.list({ pageSize: 200 })) {
      const key = scheduledTask(id);
      if (key !== null && memo?.["instance"] === deps.queues.orchestrate) keys.push(key);
    }
    return keys;
  }

  return {
    align(taskKey) {
      removed.delete(taskKey);
      return realign(taskKey);
    },
    remove(taskKey) {
      removed.add(taskKey);
      return realign(taskKey);
    },
    runClosed(taskKey) {
      if (mayHaveSchedule(findTask(db, taskKey))) void realign(taskKey);
    },
    async reconcile() {
      if (!deps.temporalUp()) return;
      const listed = await inTemporal();
      const limit = pLimit(AT_ONCE);
      await Promise.all([...new Set([...listed, ...scheduledTasks(db)])].map((taskKey) => limit(realign, taskKey)));
      for (const taskKey of removed) if (findTask(db, taskKey) === null) removed.delete(taskKey);
    },
  };
}

const mayHaveSchedule = (row: TaskRow | null) => row?.replicaType === "SCHEDULED" && row.setting.executionStrategy !== "IMMEDIATELY";

async function describe(handle: ScheduleHandle): Promise<ScheduleDescription | null> {
  return handle.describe().catch(unlessNotFound);
}

function unlessNotFound(error: unknown): null {
  if (error instanceof ScheduleNotFoundError) return null;
  throw error;
}
