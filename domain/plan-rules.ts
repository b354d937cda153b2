import { checkDayFields } from "./cron/day-fields.ts";
import { CronError } from "./cron/expression.ts";
import { nextTimes } from "./cron/next.ts";
import { parseCron } from "./cron/parse.ts";
import { checkAll } from "./request-error.ts";
import type { TaskSetting } from "./task.ts";
import { TaskRuleError } from "./task-rules.ts";
import { text } from "./text.ts";
import { isTimeZone, parseTime, TimeError } from "./time.ts";
import type { ReplicaType } from "./vocabulary.ts";

const LAST_YEAR = 2099;

/**
 * Returns when the task's schedule starts the next run (epoch ms, as `now`); null: the task has no
 * schedule (it is executed by hand, starts immediately or follows the uploads), or its last start time has
 * passed. Throws CronError, TimeError or RangeError for an `executionPlan` of the task that `checkPlan`
 * refuses.
 */
export function nextExecution(
  setting: TaskSetting,
  replicaType: ReplicaType,
  zone: string,
  now: number,
): number | null {
  const { executeTime, cronExpression, timeZone } = setting.executionPlan;
  const inZone = timeZone ?? zone;
  if (replicaType !== "SCHEDULED") return null;
  if (setting.executionStrategy === "SPECIFIED_TIME" && executeTime !== null) {
    const at = parseTime(executeTime, inZone).getTime();
    return at > now ? at : null;
  }
  if (setting.executionStrategy === "CRON_EXPRESSION" && cronExpression !== null) {
    return (
      nextTimes(parseCron(cronExpression), inZone, new Date(now), 1)[0]?.getTime() ?? null
    );
  }
  return null;
}

/**
 * Checks the execution plan. `known`: the saved setting; a start time equal to the saved one may have
 * passed since, and the day fields of an equal cron expression are not checked again.
 */
export function checkPlan(
  setting: TaskSetting,
  zone: string,
  now: number,
  known: TaskSetting | null = null,
): void {
  const { executionStrategy, executionPlan } = setting;
  const { timeZone } = executionPlan;
  const inZone = timeZone !== null && isTimeZone(timeZone) ? timeZone : zone;
  checkAll(
    () => checkZone(timeZone),
    () => checkAtOnce(setting),
    () =>
      executionStrategy === "SPECIFIED_TIME" &&
      checkTime(executionPlan.executeTime, inZone, now, known),
    () =>
      executionStrategy === "CRON_EXPRESSION" &&
      checkCron(executionPlan.cronExpression, inZone, now, known),
  );
}

function checkZone(timeZone: string | null): void {
  if (timeZone !== null && !isTimeZone(timeZone))
    throw new TaskRuleError(
      "invalid",
      "timeZone",
      text(
        "write an IANA name such as Europe/Berlin",
        "请写 IANA 时区名称，例如 Europe/Berlin",
      ),
    );
}

function checkAtOnce({ executionStrategy, executionPlan }: TaskSetting): void {
  if (executionStrategy === "IMMEDIATELY" && !executionPlan.executeImmediately)
    throw new TaskRuleError(
      "invalid",
      "executeImmediately",
      text(
        "it must be true with executionStrategy IMMEDIATELY",
        "executionStrategy 为 IMMEDIATELY 时必须为 true",
      ),
    );
}

function checkTime(
  executeTime: string | null,
  zone: string,
  now: number,
  known: TaskSetting | null,
): void {
  if (executeTime === null) throw new TaskRuleError("missing", "executeTime");
  if (
    known?.executionStrategy === "SPECIFIED_TIME" &&
    known.executionPlan.executeTime === executeTime
  )
    return;
  try {
    const time = parseTime(executeTime, zone);
    if (time.getTime() <= now)
      throw new TimeError(
        text(
          "the time has already passed: choose one in the future",
          "该时间已过：请选择将来的时间",
        ),
      );
    if (time.getUTCFullYear() > LAST_YEAR)
      throw new TimeError(
        text(
          `the time is after the year ${LAST_YEAR}, the last that a schedule can have`,
          `该时间晚于 ${LAST_YEAR} 年，即定时计划允许的最后一年`,
        ),
      );
  } catch (error) {
    if (error instanceof TimeError)
      throw new TaskRuleError("invalid", "executeTime", error.text);
    throw error;
  }
}

function checkCron(
  cronExpression: string | null,
  zone: string,
  now: number,
  known: TaskSetting | null,
): void {
  if (cronExpression === null) throw new TaskRuleError("missing", "cronExpression");
  if (cronExpression.trim() === "") throw new TaskRuleError("empty", "cronExpression");
  try {
    const cron = parseCron(cronExpression);
    if (known?.executionPlan.cronExpression !== cronExpression)
      checkDayFields(cronExpression);
    if (nextTimes(cron, zone, new Date(now), 1).length === 0)
      throw new CronError(
        null,
        text(
          "it never fires again: name a time in the future",
          "不会再次触发：请指定将来的时间",
        ),
      );
  } catch (error) {
    if (error instanceof CronError)
      throw new TaskRuleError("invalid", "cronExpression", error.text);
    throw error;
  }
}
