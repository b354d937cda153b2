import { type Calendar, toCalendars } from "./cron/calendars.ts";
import { nextTimes } from "./cron/next.ts";
import { parseCron } from "./cron/parse.ts";
import { type NamedTask, runBase } from "./run-names.ts";
import type { TaskSetting } from "./task.ts";
import { parseTime } from "./time.ts";
import type { ReplicaType } from "./vocabulary.ts";

/** When a task runs without being executed by hand, repeatedly or once. All times are epoch ms on whole seconds. */
export type Timing = {
  calendars: Calendar[];
  /** IANA name of the zone in which the calendars are read. */
  zone: string;
  /** The only time; null with cron. */
  once: number | null;
  /** The first firing after the given time; null: none. */
  next: (after: number) => number | null;
  /** The timing in words: equal texts fire at equal times. */
  text: string;
};

/**
 * Returns the timing of a task; null: it runs by hand, at once, or with the uploads. `zone` is the configured one.
 * Throws CronError or TimeError for a plan that was never checked.
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

/** A schedule has whole seconds only: it never fires before the time, and less than a second after it. */
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

/** The last firing after `from` and up to `to` (included); null when there is none. */
export function lastFiring({ next }: Timing, from: number, to: number): number | null {
  const firesAfter = (second: number) =>
    (next(second * 1000) ?? Number.POSITIVE_INFINITY) <= to;
  let [before, last] = [Math.floor(from / 1000), Math.floor(to / 1000)];
  if (before >= last || !firesAfter(before)) return null;
  // A firing comes after `before` and none after `last`; where the two meet is the last firing.
  while (last - before > 1) {
    const middle = Math.floor((before + last) / 2);
    if (firesAfter(middle)) before = middle;
    else last = middle;
  }
  return last * 1000;
}

const toSecond = (due: number) => new Date(due).toISOString().replace(".000Z", "Z");

/** Workflow id of the run that was due at that time: Temporal appends the time to the id in the schedule. */
export const firingId = (task: NamedTask, due: number) =>
  `${runBase(task)}-${toSecond(due)}`;

/**
 * Unique text of a firing, which does not depend on the task's name when its schedule was created. In older releases it
 * is the whole workflow id.
 */
export const firingSeed = (taskKey: string, due: number) =>
  `repl/${taskKey}-${toSecond(due)}`;

const DUE = /-(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$/;

/** When the run with this workflow id was due; null for a run that no schedule started. */
export function dueTime(workflowId: string): number | null {
  const due = Date.parse(DUE.exec(workflowId)?.[1] ?? "");
  return Number.isNaN(due) ? null : due;
}
