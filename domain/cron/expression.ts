import { text, type Text, TextError } from "../text.ts";

/** A parsed cron expression; days of the week are 0 = Sunday .. 6 = Saturday in both dialects. */
export type CronExpression = {
  /** The expression as the user wrote it. Temporal stores calendars instead and cannot return it. */
  source: string;
  dialect: "unix" | "quartz";
  seconds: number[];
  minutes: number[];
  hours: number[];
  months: number[];
  /** null = every year. */
  years: number[] | null;
  /** null = not restricted. When both day fields are given, either may match. */
  daysOfMonth: MonthDayRule[] | null;
  daysOfWeek: WeekDayRule[] | null;
};

/**
 * Rule of the field day of month. `last` with offset 3 is `L-3`; `weekday` (`LW`, `L-3W`) and
 * `nearestWeekday` (`15W`) select the nearest day from Monday to Friday within the month.
 */
export type MonthDayRule =
  | { kind: "days"; days: number[] }
  | { kind: "last"; offset: number; weekday: boolean }
  | { kind: "nearestWeekday"; day: number };

/** Rule of the field day of week: `lastInMonth` is `6L`, `nth` is `6#3`. */
export type WeekDayRule =
  | { kind: "days"; days: number[] }
  | { kind: "lastInMonth"; day: number }
  | { kind: "nth"; day: number; nth: number };

/** A cron expression that cannot be parsed or saved; `text` names the field and the reason. */
export class CronError extends TextError {
  override readonly name = "CronError";
  /** The wrong field; null: the expression as a whole is wrong. */
  readonly field: string | null;

  constructor(field: Text | null, { en, zh }: Text) {
    super(
      field === null
        ? text(`cron expression: ${en}`, `cron 表达式：${zh}`)
        : text(`cron expression, ${field.en}: ${en}`, `cron 表达式，${field.zh}：${zh}`),
    );
    this.field = field?.en ?? null;
  }
}
