import { text, type Text } from "../text.ts";
import { CronError } from "./expression.ts";

/**
 * The numbers that one field of a cron expression allows. `max`: the end of `*` and `a/s`; `top`: the
 * highest number that users may write (7 = Sunday in Unix); `wraps`: a range may end before it starts.
 */
export type Field = {
  name: Text;
  min: number;
  max: number;
  top: number;
  names: readonly string[];
  wraps: boolean;
};

const field = (
  name: Text,
  min: number,
  max: number,
  more: Partial<Field> = {},
): Field => ({
  name,
  min,
  max,
  top: max,
  names: [],
  wraps: true,
  ...more,
});

const MONTH_NAMES = [
  "JAN",
  "FEB",
  "MAR",
  "APR",
  "MAY",
  "JUN",
  "JUL",
  "AUG",
  "SEP",
  "OCT",
  "NOV",
  "DEC",
];
const DAY_NAMES = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

export const SECOND = field(text("second", "秒"), 0, 59);
export const MINUTE = field(text("minute", "分"), 0, 59);
export const HOUR = field(text("hour", "时"), 0, 23);
export const DAY_OF_MONTH = field(text("day of month", "日"), 1, 31);
export const MONTH = field(text("month", "月"), 1, 12, { names: MONTH_NAMES });
const DAY_OF_WEEK = text("day of week", "星期");
export const UNIX_DAY_OF_WEEK = field(DAY_OF_WEEK, 0, 6, { top: 7, names: DAY_NAMES });
export const QUARTZ_DAY_OF_WEEK = field(DAY_OF_WEEK, 1, 7, { names: DAY_NAMES });
export const YEAR = field(text("year", "年"), 1970, 2099, { wraps: false });

/** The name of both day fields together. */
export const DAY_FIELDS = text("day of month and day of week", "日和星期");

const ascending = (values: Iterable<number>): number[] =>
  [...new Set(values)].sort((a, b) => a - b);

/** Parses a list of values, ranges and steps into ascending numbers, each once. Throws CronError. */
export function parseList(field: Field, list: string): number[] {
  return ascending(list.split(",").flatMap((item) => parseItem(field, item)));
}

function parseItem(field: Field, item: string): number[] {
  const [base = "", stepText, ...moreSteps] = item.split("/");
  const [from = "", to, ...moreEnds] = base.split("-");
  if (item === "" || moreSteps.length > 0 || moreEnds.length > 0) {
    throw new CronError(
      field.name,
      text(`"${item}" is not a value, a range or a step`, `“${item}”不是值、范围或步长`),
    );
  }
  const step = stepText === undefined ? 1 : parseStep(field, item, stepText);
  if (base === "*" || base === "") return progression(field, field.min, field.max, step);
  const start = parseValue(field, from);
  if (to !== undefined) return progression(field, start, parseValue(field, to), step);
  return progression(
    field,
    start,
    stepText === undefined ? start : Math.max(start, field.max),
    step,
  );
}

function parseStep(field: Field, item: string, given: string): number {
  const step = /^\d{1,4}$/.test(given) ? Number(given) : 0;
  if (step >= 1 && step <= field.top) return step;
  throw new CronError(
    field.name,
    text(
      `the step of "${item}" must be a number from 1 to ${field.top}`,
      `“${item}”的步长必须是 1 到 ${field.top} 的数字`,
    ),
  );
}

/** Parses a number, or a name such as MON, into the number that the field uses for it. Throws CronError. */
export function parseValue(field: Field, given: string): number {
  const named = field.names.indexOf(given);
  if (named >= 0) return field.min + named;
  const value = /^\d{1,4}$/.test(given) ? Number(given) : Number.NaN;
  if (value >= field.min && value <= field.top) return value;
  const [first, last] = [field.names[0], field.names.at(-1)];
  const names =
    first === undefined
      ? text("", "")
      : text(` or ${first} to ${last}`, `，也不是 ${first} 到 ${last}`);
  throw new CronError(
    field.name,
    text(
      `"${given}" is not one of ${field.min} to ${field.top}${names.en}`,
      `“${given}”不是 ${field.min} 到 ${field.top}${names.zh}`,
    ),
  );
}

/**
 * Returns the values of a range. A range whose end is before its start wraps to the field's first value:
 * 22-2 is 22, 23, 0, 1, 2. Throws CronError for such a range in a field that does not wrap.
 */
function progression(field: Field, start: number, end: number, step: number): number[] {
  if (end < start && !field.wraps) {
    throw new CronError(
      field.name,
      text(
        `the range ${start}-${end} ends before it starts`,
        `范围 ${start}-${end} 的终点早于起点`,
      ),
    );
  }
  const span = field.max - field.min + 1;
  const last = end < start ? end + span : end;
  const values: number[] = [];
  for (let value = start; value <= last; value += step)
    values.push(value > field.max ? value - span : value);
  return values;
}
