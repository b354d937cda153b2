import { createHash } from "node:crypto";
import { and, eq, sql } from "drizzle-orm";
import {
  dueTime,
  firingId,
  firingSeed,
  lastFiring,
  type Timing,
  timingOf,
} from "../../domain/firing.ts";
import { restoredText } from "../../domain/restored.ts";
import { formatTime } from "../../domain/time.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { insertRecord, readSnapshot } from "./open.ts";
import type { RunAnswer } from "./restore.ts";
import { record } from "../schema/records.ts";
import { task } from "../schema/tasks.ts";
import { runTotal } from "../schema/totals.ts";

export type TaskRow = typeof task.$inferSelect;

/**
 * Settings for firings. `zone`: the configured time zone; `window`: how long (ms) after its due
 * time a firing may still run.
 */
export type FiringRules = {
  localCluster: string;
  zone: string;
  window: number;
  now: number;
};

/**
 * A run that a schedule has started. `schedule`: the timing of that schedule in words, which may be
 * older than the task's timing.
 */
type Firing = { taskKey: string; workflowId: string; schedule: string };

/**
 * The result of taking a firing. `running`: another run of the task is going on; `stale`: the task
 * was deleted, disabled or changed, or this firing already has its record; `missed`: the firing is
 * too late.
 */
type Taken =
  { kind: "opened"; recordId: string } | { kind: "running" | "missed" | "stale" };

/**
 * Derives a record's id from the task and the due time (without a due time: from the workflow id).
 * So a repeated first activity finds the record again, and a firing that was started under two
 * workflow ids has one record.
 */
function recordIdOf(taskKey: string, workflowId: string): string {
  const due = dueTime(workflowId);
  const seed = due === null ? workflowId : firingSeed(taskKey, due);
  return createHash("sha256").update(seed).digest("hex").slice(0, 24);
}

/**
 * Opens the RUNNING record of a firing, if the firing may run, and marks the firing as settled in
 * the same transaction. If the firing is too late, or finds a run of its task, counts that and
 * marks it as settled, too.
 */
export function takeFiring(
  db: Db,
  { taskKey, workflowId, schedule }: Firing,
  rules: FiringRules,
): Taken {
  const { now, localCluster } = rules;
  const recordId = recordIdOf(taskKey, workflowId);
  const due = dueTime(workflowId) ?? now;
  return write(db, (tx) => {
    const known = tx
      .select({ status: record.status, workflowId: record.workflowId })
      .from(record)
      .where(eq(record.id, recordId))
      .get();
    if (known)
      return known.status === "RUNNING" && known.workflowId === workflowId
        ? { kind: "opened", recordId }
        : { kind: "stale" };
    const row = tx.select().from(task).where(eq(task.key, taskKey)).get();
    const timing = row?.enabled ? timingOf(row, rules.zone) : null;
    if (!row || timing?.text !== schedule) return { kind: "stale" };
    if (isTooLate(timing, due, rules)) {
      if (timing.once === null) settleMissed(tx, row, due, now);
      else insertMissed(tx, row, timing.once, rules);
      return { kind: "missed" };
    }
    const opened = insertRecord(
      tx,
      { taskKey, localCluster, now, workflowId: () => workflowId },
      recordId,
    );
    settle(tx, taskKey, due);
    if (opened.kind === "opened") return { kind: "opened", recordId };
    countSkips(tx, taskKey, 1, due);
    return { kind: "running" };
  });
}

/**
 * Whether a firing is too late: it was due more than `window` ms ago, and no firing was due within
 * the window. After an outage a single late run thus stands for the last of the missed firings.
 */
function isTooLate(timing: Timing, due: number, { now, window }: FiringRules): boolean {
  return now - due > window && lastFiring(timing, now - window, now) === null;
}

function settle(tx: DbOrTx, taskKey: string, due: number): void {
  tx.update(task)
    .set({ settledTime: sql`max(coalesce(${task.settledTime}, 0), ${due})` })
    .where(eq(task.key, taskKey))
    .run();
}

/** Counts a missed firing of a repeating schedule once, even if the first activity of its run is retried. */
function settleMissed(tx: DbOrTx, row: TaskRow, due: number, now: number): void {
  if (isSettled(row, due)) return;
  const again = sql`${runTotal.runs} + 1`;
  tx.insert(runTotal)
    .values({
      taskKey: row.key,
      cause: "SCHEDULED",
      result: "MISSED",
      runs: 1,
      lastEnd: now,
    })
    .onConflictDoUpdate({
      target: [runTotal.taskKey, runTotal.cause, runTotal.result],
      set: { runs: again, lastEnd: now },
    })
    .run();
  settle(tx, row.key, due);
}

export function isSettled(
  { settledTime }: Pick<TaskRow, "settledTime">,
  due: number,
): boolean {
  return settledTime !== null && settledTime >= due;
}

function countSkips(tx: DbOrTx, taskKey: string, count: number, time: number): void {
  tx.update(task)
    .set({
      skippedTimes: sql`${task.skippedTimes} + ${count}`,
      lastSkippedTime: sql`max(coalesce(${task.lastSkippedTime}, 0), ${time})`,
    })
    .where(eq(task.key, taskKey))
    .run();
}

/**
 * How many firings of a schedule Temporal has skipped; `made`: when the schedule was created (a
 * later one may have the same id).
 */
type ScheduleSkips = { made: number; skipped: number };

/**
 * Adds the firings that Temporal itself has skipped because a run was going on to the task's count.
 * Each is counted once, even if this is called several times.
 */
export function countScheduleSkips(
  db: Db,
  taskKey: string,
  { made, skipped }: ScheduleSkips,
  { zone, now }: Pick<FiringRules, "zone" | "now">,
): void {
  write(db, (tx) => {
    const row = tx.select().from(task).where(eq(task.key, taskKey)).get();
    if (!row) return;
    const counted = row.scheduleCreated === made ? row.scheduleSkips : 0;
    if (row.scheduleCreated !== made || skipped > counted) {
      tx.update(task)
        .set({ scheduleCreated: made, scheduleSkips: skipped })
        .where(eq(task.key, taskKey))
        .run();
    }
    if (skipped <= counted) return;
    const timing = timingOf(row, zone);
    const time = (timing && lastFiring(timing, made, now)) ?? now;
    countSkips(tx, taskKey, skipped - counted, time);
    settle(tx, taskKey, time);
  });
}

/**
 * Inserts a FAILED record for a single start time that has passed unused; the task's status then
 * becomes COMPLETED. Repeating the call changes nothing, nor does a call for a task that was
 * disabled or got another time.
 */
export function missOnce(
  db: Db,
  taskKey: string,
  once: number,
  rules: FiringRules,
): void {
  write(db, (tx) => {
    const row = tx
      .select()
      .from(task)
      .where(and(eq(task.key, taskKey), eq(task.enabled, true)))
      .get();
    if (row && timingOf(row, rules.zone)?.once === once && !isSettled(row, once))
      insertMissed(tx, row, once, rules);
  });
}

function insertMissed(
  tx: DbOrTx,
  row: TaskRow,
  once: number,
  { localCluster, zone, now }: FiringRules,
): void {
  const errorReason = `missed: it was due at ${formatTime(once, zone)}, when it could not be started`;
  insertClosed(
    tx,
    row,
    once,
    { status: "FAILED", errorReason, startTime: now, endTime: now, problem: null },
    localCluster,
  );
}

/**
 * Restores the record of a firing that has run, from the run's own report. The record was lost when
 * an older database was put back. Repeating the call changes nothing; if the task is gone, no
 * record is restored.
 */
export function restoreFiring(
  db: Db,
  taskKey: string,
  due: number,
  answer: RunAnswer,
  { localCluster }: Pick<FiringRules, "localCluster">,
): void {
  const { status, errorReason, startTime, endTime } = answer;
  const problem = restoredText(answer, { planned: 0, success: 0, failed: 0 });
  write(db, (tx) => {
    const row = tx.select().from(task).where(eq(task.key, taskKey)).get();
    if (row)
      insertClosed(
        tx,
        row,
        due,
        { status, errorReason, startTime, endTime, problem },
        localCluster,
      );
  });
}

export function hasFiringRecord(db: DbOrTx, taskKey: string, due: number): boolean {
  return (
    db
      .select({ id: record.id })
      .from(record)
      .where(eq(record.id, recordIdOf(taskKey, firingSeed(taskKey, due))))
      .get() !== undefined
  );
}

type End = Required<
  Pick<typeof record.$inferInsert, "errorReason" | "startTime" | "endTime" | "problem">
> & {
  status: "SUCCESS" | "FAILED";
};

/** Inserts the record of a firing that is over, unless it exists, and updates the task. */
function insertClosed(
  tx: DbOrTx,
  row: TaskRow,
  due: number,
  end: End,
  localCluster: string,
): void {
  const workflowId = firingId(row, due);
  const snapshot = readSnapshot(tx, row.key, localCluster);
  if (!snapshot) return;
  const inserted = tx
    .insert(record)
    .values({
      ...end,
      id: recordIdOf(row.key, workflowId),
      taskKey: row.key,
      workflowId,
      snapshot,
    })
    .onConflictDoNothing()
    .run();
  const newest =
    row.lastExecutionStatus !== "RUNNING" &&
    end.startTime >= (row.lastExecutionTime ?? 0);
  const last = newest
    ? { lastExecutionStatus: end.status, lastExecutionTime: end.startTime }
    : {};
  if (inserted.changes > 0) {
    tx.update(task)
      .set({ ...last, executionTimes: sql`${task.executionTimes} + 1` })
      .where(eq(task.key, row.key))
      .run();
  }
  settle(tx, row.key, due);
}
