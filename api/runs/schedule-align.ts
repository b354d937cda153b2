import {
  type ScheduleDescription,
  type ScheduleHandle,
  ScheduleNotFoundError,
  WorkflowExecutionAlreadyStartedError,
  type Client,
} from "@temporalio/client";
import {
  countScheduleSkips,
  type FiringRules,
  hasFiringRecord,
  isSettled,
  missOnce,
  restoreFiring,
  type TaskRow,
} from "../../db/runs/firings.ts";
import type { Db } from "../../db/open.ts";
import { findTask } from "../../db/tasks/tasks.ts";
import {
  firingId,
  firingSeed,
  lastFiring,
  type Timing,
  timingOf,
} from "../../domain/firing.ts";
import { scheduleId } from "../../workflows/contract.ts";
import { answerOf } from "./answer.ts";
import { firingAction, isInLine, scheduleOf, type ShapeDeps } from "./schedule-shape.ts";

export type AlignDeps = ShapeDeps & {
  db: Db;
  client: Client;
  localCluster: string;
  /** IANA name of the configured time zone. */
  zone: string;
  now: () => number;
};

/**
 * Creates, changes or deletes the schedule of a task, so that it does what the task's row says, and
 * starts a firing that it has missed. `removed`: the task counts as deleted. Rejects if Temporal
 * fails.
 */
export async function alignSchedule(
  deps: AlignDeps,
  taskKey: string,
  removed: () => boolean,
): Promise<void> {
  const { db, client, zone, now } = deps;
  const handle = client.schedule.getHandle(scheduleId(taskKey));
  const found = await describe(handle);
  if (found)
    countScheduleSkips(
      db,
      taskKey,
      {
        made: found.info.createdAt.getTime(),
        skipped: found.info.numActionsSkippedOverlap,
      },
      { zone, now: now() },
    );
  const row = removed() ? null : await dueRow(deps, taskKey);
  const timing = row && timingOf(row, zone);
  if (!row || !timing || isOver(deps, row, timing))
    return found ? handle.delete() : undefined;
  const wanted = scheduleOf(row, timing, deps);
  if (found && isInLine(found, wanted))
    return timing.once !== null && timing.once <= now()
      ? restoreRun(deps, row, timing.once)
      : undefined;
  if (found) await handle.update(() => wanted);
  else
    await client.schedule.create({
      ...wanted,
      scheduleId: scheduleId(taskKey),
      memo: { instance: deps.queues.orchestrate },
    });
  if (row.enabled) await catchUp(deps, row, timing);
}

async function describe(handle: ScheduleHandle): Promise<ScheduleDescription | null> {
  return handle.describe().catch((error: unknown) => {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  });
}

/**
 * Reads the row of a task; null if there is no such task. If the task has a single start time that
 * passed too long ago, marks it as missed first.
 */
async function dueRow(deps: AlignDeps, taskKey: string): Promise<TaskRow | null> {
  const row = findTask(deps.db, taskKey);
  const once = row?.enabled ? (timingOf(row, deps.zone)?.once ?? null) : null;
  if (row === null || once === null || !isPast(deps, once) || isSettled(row, once))
    return row;
  await giveUp(deps, row, once);
  return findTask(deps.db, taskKey);
}

/**
 * Marks the single start time of a task as missed, unless Temporal knows its run: then the record
 * of an ended run is restored, and a run that goes on makes its record itself.
 */
async function giveUp(deps: AlignDeps, row: TaskRow, once: number): Promise<void> {
  const answer = await answerOfFiring(deps, row, once);
  if (answer === null) missOnce(deps.db, row.key, once, rules(deps));
  else if (answer !== "running") restoreFiring(deps.db, row.key, once, answer, deps);
}

/**
 * Reads how a firing's run ended. Its workflow id is the present one or that of older releases,
 * whose ids had no names.
 */
async function answerOfFiring(
  { client }: AlignDeps,
  row: TaskRow,
  due: number,
): ReturnType<typeof answerOf> {
  return (
    (await answerOf(client, firingId(row, due))) ??
    answerOf(client, firingSeed(row.key, due))
  );
}

const isPast = ({ now, catchUpWindow }: AlignDeps, time: number) =>
  now() - time > catchUpWindow;
const isOver = (deps: AlignDeps, row: TaskRow, { once }: Timing) =>
  once !== null && (isSettled(row, once) || isPast(deps, once));

/**
 * Starts the last firing that was due before its schedule was created or changed, for example while
 * Temporal was away: the new schedule does not fire for it.
 */
async function catchUp(deps: AlignDeps, row: TaskRow, timing: Timing): Promise<void> {
  const { now, catchUpWindow } = deps;
  const since = Math.max(
    row.lastModifiedDate,
    row.settledTime ?? 0,
    now() - catchUpWindow,
  );
  const due = lastFiring(timing, since, now());
  if (due !== null) return startLate(deps, row, timing, due);
  // A task that was due while it was disabled has missed its single start time.
  if (timing.once !== null && timing.once <= now() && !isSettled(row, timing.once))
    await giveUp(deps, row, timing.once);
}

/**
 * Starts a missed firing under the id that Temporal would have given it, so that no firing runs
 * twice.
 */
async function startLate(
  deps: AlignDeps,
  row: TaskRow,
  timing: Timing,
  due: number,
): Promise<void> {
  const { type: _type, workflowType, ...action } = firingAction(row, timing, deps);
  const options = {
    ...action,
    workflowId: firingId(row, due),
    workflowIdReusePolicy: "REJECT_DUPLICATE",
  } as const;
  await deps.client.workflow.start(workflowType, options).catch((error: unknown) => {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return restoreRun(deps, row, due);
  });
}

/**
 * Restores the record of a firing that has run. The record is missing if the database was put back
 * to an earlier time.
 */
async function restoreRun(deps: AlignDeps, row: TaskRow, due: number): Promise<void> {
  if (hasFiringRecord(deps.db, row.key, due)) return;
  const answer = await answerOfFiring(deps, row, due);
  if (answer !== null && answer !== "running")
    restoreFiring(deps.db, row.key, due, answer, deps);
}

function rules({ localCluster, zone, catchUpWindow, now }: AlignDeps): FiringRules {
  return { localCluster, zone, window: catchUpWindow, now: now() };
}
