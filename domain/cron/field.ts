import { CronError } from "./expression.ts";

/**
 * The numbers that one field of a cron expression allows. `max`: the end of `*` and `a/s`; `top`: the
 * highest number that users may write (7 = Sunday in Unix).
 */
export type Field = {
  name: string;
  min: number;
  max: number;
  top: number;
  names: readonly string[];
  wraps: boolean;
};

const field = (
  name: string,
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

export const SECOND = field("second", 0, 59);
export const MINUTE = field("minute", 0, 59);
export const HOUR = field("hour", 0, 23);
export const DAY_OF_MONTH = field("day of month", 1, 31);
export const MONTH = field("month", 1, 12, { names: MONTH_NAMES });
export const UNIX_DAY_OF_WEEK = field("day of week", 0, 6, { top: 7, names: DAY_NAMES });
export const QUARTZ_DAY_OF_WEEK = field("day of week", 1, 7, { names: DAY_NAMES });
export const YEAR = field("year", 1970, 2099, { wraps: false });

const ascending = (values: Iterable<number>): number[] =>
  [...new Set(values)].sort((a, b) => a - b);

/** Parses a list of values, ranges and steps into ascending numbers. */
export function parseList(field: Field, text: string): number[] {
  return ascending(text.split(",").flatMap((item) => parseItem(field, item)));
}

function parseItem(field: Field, item: string): number[] {
  const [base = "", stepText, ...moreSteps] = item.split("/");
  const [from = "", to, ...moreEnds] = base.split("-");
  if (item === "" || moreSteps.length > 0 || moreEnds.length > 0) {
    throw new CronError(field.name, `"${item}" is not a value, a range or a step`);
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

function parseStep(field: Field, item: string, text: string): number {
  const step = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (step >= 1 && step <= field.top) return step;
  throw new CronError(
    field.name,
    `the step of "${item}" must be a number from 1 to ${field.top}`,
  );
}

/** Parses a number, or a name such as MON, into the number that the field uses for it. */
export function parseValue(field: Field, text: string): number {
  const named = field.names.indexOf(text);
  if (named >= 0) return field.min + named;
  const value = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= field.min && value <= field.top) return value;
  const [first, last] = [field.names[0], field.names.at(-1)];
  const names = first === undefined ? "" : ` or ${first} to ${last}`;
  throw new CronError(
    field.name,
    `"${text}" is not one of ${field.min} to ${field.top}${names}`,
  );
}

/**
 * Returns the values of a range. A range whose end is before its start wraps to the field's first value: 22-2 is 22,
 * 23, 0, 1, 2.
 */
function progression(field: Field, start: number, end: number, step: number): number[] {
  if (end < start && !field.wraps) {
    throw new CronError(field.name, `the range ${start}-${end} ends before it starts`);
  }
  const span = field.max - field.min + 1;
  const last = end < start ? end + span : end;
  const values: number[] = [];
  for (let value = start; value <= last; value += step)
    values.push(value > field.max ? value - span : value);
  return values;
}
