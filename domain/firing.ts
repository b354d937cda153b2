import { type Calendar, toCalendars } from "./cron/calendars.ts";
import { nextTimes } from "./cron/next.ts";
import { parseCron } from "./cron/parse.ts";
import { type NamedTask, runBase } from "./run-names.ts";
import type { TaskSetting } from "./task.ts";
import { parseTime } from "./time.ts";
import type { ReplicaType } from "./vocabulary.ts";

/** When a task runs by itself, again and again or once. All times are epoch ms on whole seconds. */
export type Timing = {
  calendars: Calendar[];
  /** IANA name of the zone that the calendars are read in. */
  zone: string;
  /** The one time; null with cron. */
  once: number | null;
  /** The first firing after that time. */
  next: (after: number) => number | null;
  /** The same in words: equal texts fire at equal times. */
  text: string;
};

/**
 * Null: by hand, at once, or with the uploads. `zone` is the configured one. CronError or TimeError for a plan that was
 * never checked.
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

/** A schedule knows whole seconds only: never before the time, less than a second after it. */
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

/** The last firing after `from` and up to `to`; null when there is none. */
export function lastFiring({ next }: Timing, from: number, to: number): number | null {
  const firesAfter = (second: number) => (next(second * 1000) ?? Number.POSITIVE_INFINITY) <= to;
  let [before, last] = [Math.floor(from / 1000), Math.floor(to / 1000)];
  if (before >= last || !firesAfter(before)) return null;
  // Something fires after `before` and nothing after `last`; where the two meet is the last firing.
  while (last - before > 1) {
    const middle = Math.floor((before + last) / 2);
    if (firesAfter(middle)) before = middle;
    else last = middle;
  }
  return last * 1000;
}

const toSecond = (due: number) => new Date(due).toISOString().replace(".000Z", "Z");

/** The workflow id of the run that was due then: Temporal adds the time to what a schedule names. */
export const firingId = (task: NamedTask, due: number) => `${runBase(task)}-${toSecond(due)}`;

/**
 * What tells a firing from all others, whatever its task was called when its schedule was made. It is the whole id of
 * those that older releases started.
 */
export const firingSeed = (taskKey: string, due: number) => `repl/${taskKey}-${toSecond(due)}`;

const DUE = /-(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$/;

/** When the run with this workflow id was due; null for one that no schedule has started. */
export function dueTime(workflowId: string): number | null {
  const due = Date.parse(DUE.exec(workflowId)?.[1] ?? "");
  return Number.isNaN(due) ? null : due;
}
