import { type Calendar, toCalendars } from "./cron/calendars.ts";
import { nextTimes } from "./cron/next.ts";
import { parseCron } from "./cron/parse.ts";
import { type NamedTask, runBase } from "./run-names.ts";
import type { TaskSetting } from "./task.ts";
import { parseTime } from "./time.ts";
import type { ReplicaType } from "./vocabulary.ts";

/**
 * The schedule of a task: when runs start without being executed by hand, once or repeatedly. All start
 * times are epoch ms on whole seconds.
 */
export type Timing = {
  calendars: Calendar[];
  /** IANA name of the zone in which the calendars are read. */
  zone: string;
  /** The single start time; null: a cron expression gives the times. */
  once: number | null;
  /** Returns the first start time after the given time; null: none. */
  next: (after: number) => number | null;
  /** The schedule as text; schedules with the same text have the same start times. */
  text: string;
};

/**
 * Returns the schedule of a task; null: it has none (it is executed by hand, starts immediately or follows
 * the uploads). `zone`: the configured time zone. Throws CronError, TimeError or RangeError for an
 * `executionPlan` of the task that `checkPlan` refuses.
 */
export function timingOf(
  { setting, replicaType }: { setting: TaskSetting; replicaType: ReplicaType },
  zone: string,
): Timing | null {
  const { executionStrategy, executionPlan } = setting;
  const { cronExpression, executeTime, timeZone } = executionPlan;
  if (replicaType !== "SCHEDULED") return null;
  if (executionStrategy === "CRON_EXPRESSION" && cronExpression !== null)
    return byCron(cronExpression, timeZone ?? zone);
  if (executionStrategy === "SPECIFIED_TIME" && executeTime !== null)
    return atOnce(parseTime(executeTime, timeZone ?? zone).getTime());
  return null;
}

function byCron(expression: string, zone: string): Timing {
  const cron = parseCron(expression);
  return {
    calendars: toCalendars(cron),
    zone,
    once: null,
    next: (after) => nextTimes(cron, zone, new Date(after), 1)[0]?.getTime() ?? null,
    text: `${expression} in ${zone}`,
  };
}

/**
 * Builds the schedule of a single start time. Schedules have whole seconds only, so the time is rounded up:
 * it is less than a second late and never early.
 */
function atOnce(time: number): Timing {
  const once = Math.ceil(time / 1000) * 1000;
  const at = new Date(once);
  const clock = [
    at.getUTCSeconds(),
    at.getUTCMinutes(),
    at.getUTCHours(),
    at.getUTCDate(),
    at.getUTCMonth() + 1,
    "?",
    at.getUTCFullYear(),
  ];
  return {
    calendars: toCalendars(parseCron(clock.join(" "))),
    zone: "UTC",
    once,
    next: (after) => (after < once ? once : null),
    text: `once at ${at.toISOString()}`,
  };
}

/** Returns the last start time after `from` and up to `to` (included); null when there is none. */
export function lastFiring({ next }: Timing, from: number, to: number): number | null {
  const firesAfter = (second: number) =>
    (next(second * 1000) ?? Number.POSITIVE_INFINITY) <= to;
  let [before, last] = [Math.floor(from / 1000), Math.floor(to / 1000)];
  if (before >= last || !firesAfter(before)) return null;
  // Binary search: a start time follows `before`, and none follows `last` up to `to`. Once they are
  // neighbours, `last` is the result.
  while (last - before > 1) {
    const middle = Math.floor((before + last) / 2);
    if (firesAfter(middle)) before = middle;
    else last = middle;
  }
  return last * 1000;
}

const toSecond = (due: number) => new Date(due).toISOString().replace(".000Z", "Z");

/**
 * Returns the workflow id of the run that a schedule starts at `due`: Temporal appends the time to the id
 * that the schedule gives.
 */
export const firingId = (task: NamedTask, due: number) =>
  `${runBase(task)}-${toSecond(due)}`;

/**
 * Returns a text that is unique for one scheduled start. The text does not contain the task's name, which
 * may have changed since the schedule was created. In older releases it was the whole workflow id.
 */
export const firingSeed = (taskKey: string, due: number) =>
  `repl/${taskKey}-${toSecond(due)}`;

const DUE = /-(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$/;

/** Returns when the run with this workflow id was due; null for a run that no schedule started. */
export function dueTime(workflowId: string): number | null {
  const due = Date.parse(DUE.exec(workflowId)?.[1] ?? "");
  return Number.isNaN(due) ? null : due;
}
