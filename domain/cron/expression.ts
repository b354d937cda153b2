/** What a cron expression says, with days of the week counted 0 = Sunday .. 6 = Saturday in both dialects. */
export type CronExpression = {
  /** As the user wrote it; Temporal never gives it back. */
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
 * `last` with offset 3 is `L-3`; `weekday` (`LW`, `L-3W`) and `nearestWeekday` (`15W`) move within the month to the
 * nearest day from Monday to Friday.
 */
export type MonthDayRule =
  | { kind: "days"; days: number[] }
  | { kind: "last"; offset: number; weekday: boolean }
  | { kind: "nearestWeekday"; day: number };

/** `lastInMonth` is `6L`, `nth` is `6#3`. */
export type WeekDayRule =
  { kind: "days"; days: number[] } | { kind: "lastInMonth"; day: number } | { kind: "nth"; day: number; nth: number };

/** A cron expression that cannot be read or kept; `message` names the field and says why. */
export class CronError extends Error {
  override readonly name = "CronError";
  /** The field at fault, null when it is the expression as a whole. */
  readonly field: string | null;

  constructor(field: string | null, reason: string) {
    super(field === null ? `cron expression: ${reason}` : `cron expression, ${field}: ${reason}`);
    this.field = field;
  }
}
