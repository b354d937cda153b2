import type { CronExpression, MonthDayRule, WeekDayRule } from "./expression.ts";

const MONTHS = [
  "JANUARY",
  "FEBRUARY",
  "MARCH",
  "APRIL",
  "MAY",
  "JUNE",
  "JULY",
  "AUGUST",
  "SEPTEMBER",
  "OCTOBER",
  "NOVEMBER",
  "DECEMBER",
] as const;
const WEEKDAYS = [
  "SUNDAY",
  "MONDAY",
  "TUESDAY",
  "WEDNESDAY",
  "THURSDAY",
  "FRIDAY",
  "SATURDAY",
] as const;

export type CalendarRange<Unit> = { start: Unit; end: Unit; step: number };

/** A `CalendarSpec` of Temporal's client. A time matches when every field does; an empty `year` is every year. */
export type Calendar = {
  second: CalendarRange<number>[];
  minute: CalendarRange<number>[];
  hour: CalendarRange<number>[];
  dayOfMonth: CalendarRange<number>[];
  month: CalendarRange<(typeof MONTHS)[number]>[];
  dayOfWeek: CalendarRange<(typeof WEEKDAYS)[number]>[];
  year: CalendarRange<number>[];
};

/** A calendar as plain numbers: months 1-12, weekdays 0 = Sunday, years null = every year. */
export type ClockSets = {
  seconds: number[];
  minutes: number[];
  hours: number[];
  days: number[];
  months: number[];
  weekdays: number[];
  years: number[] | null;
};

/** Days that match when both their number and their weekday match, as in Temporal. */
type DayPattern = { days: number[]; weekdays: number[] };

const numbers = (first: number, last: number): number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);

const EVERY_MONTH = numbers(1, 12);
const EVERY_DAY = numbers(1, 31);
const EVERY_WEEKDAY = numbers(0, 6);
const WORKDAYS = numbers(1, 5);
const MONDAY = 1;
const FRIDAY = 5;

const YEARS = numbers(2000, 2100);
const isLeapYear = (year: number): boolean =>
  year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

const MONTHS_BY_LENGTH: { length: number; months: number[]; years: number[] | null }[] = [
  { length: 31, months: [1, 3, 5, 7, 8, 10, 12], years: null },
  { length: 30, months: [4, 6, 9, 11], years: null },
  { length: 29, months: [2], years: YEARS.filter(isLeapYear) },
  { length: 28, months: [2], years: YEARS.filter((year) => !isLeapYear(year)) },
];

/**
 * Returns Temporal calendars whose union matches exactly the days and times of the expression. For an
 * expression that never matches, they match no time, or there are none.
 */
export function toCalendars(cron: CronExpression): Calendar[] {
  return toClockSets(cron).map((sets) => ({
    second: toRanges(sets.seconds),
    minute: toRanges(sets.minutes),
    hour: toRanges(sets.hours),
    dayOfMonth: toRanges(sets.days),
    month: toRanges(sets.months).map((range) =>
      named(range, (month) => MONTHS[(month + 11) % 12] ?? "JANUARY"),
    ),
    dayOfWeek: toRanges(sets.weekdays).map((range) =>
      named(range, (day) => WEEKDAYS[day % 7] ?? "SUNDAY"),
    ),
    year: toRanges(sets.years ?? []),
  }));
}

export function toClockSets(cron: CronExpression): ClockSets[] {
  const { seconds, minutes, hours } = cron;
  const groups = MONTHS_BY_LENGTH.map((group) => ({
    ...group,
    patterns: dayPatterns(cron, group.length),
  }));
  const [first] = groups;
  const alike = groups.every(
    ({ patterns }) => JSON.stringify(patterns) === JSON.stringify(first?.patterns),
  );
  const merged = alike && first ? [{ ...first, months: EVERY_MONTH }] : groups;
  return merged.flatMap((group) => {
    const months = cron.months.filter((month) => group.months.includes(month));
    const years = commonYears(cron.years, group.years);
    if (months.length === 0 || years?.length === 0) return [];
    return group.patterns.map((pattern) => ({
      seconds,
      minutes,
      hours,
      months,
      years,
      ...pattern,
    }));
  });
}

function commonYears(a: number[] | null, b: number[] | null): number[] | null {
  return a && b ? a.filter((year) => b.includes(year)) : (a ?? b);
}

/**
 * Returns the matching days of a month with `length` days. If both day fields are given, a day that matches
 * either of them matches, as in Unix cron; Quartz never gives both.
 */
function dayPatterns(cron: CronExpression, length: number): DayPattern[] {
  const patterns = [
    ...(cron.daysOfMonth ?? []).flatMap((rule) => monthDays(rule, length)),
    ...(cron.daysOfWeek ?? []).flatMap((rule) => weekDays(rule, length)),
  ];
  if (!cron.daysOfMonth && !cron.daysOfWeek)
    return [{ days: EVERY_DAY, weekdays: EVERY_WEEKDAY }];
  const byWeekdays = new Map<string, DayPattern>();
  for (const { days, weekdays } of patterns) {
    const key = weekdays.join();
    const all = [...(byWeekdays.get(key)?.days ?? []), ...days];
    byWeekdays.set(key, { days: [...new Set(all)].sort((a, b) => a - b), weekdays });
  }
  return [...byWeekdays.values()].filter(({ days }) => days.length > 0);
}

function monthDays(rule: MonthDayRule, length: number): DayPattern[] {
  if (rule.kind === "days") return [{ days: rule.days, weekdays: EVERY_WEEKDAY }];
  if (rule.kind === "nearestWeekday") return nearestWeekday(rule.day, length);
  const day = length - rule.offset;
  if (rule.weekday) return nearestWeekday(day, length);
  return day < 1 ? [] : [{ days: [day], weekdays: EVERY_WEEKDAY }];
}

/**
 * Returns the weekday nearest to a day: Friday for a Saturday, Monday for a Sunday. If that is in another
 * month, it is the Monday after or the Friday before. Empty when the month has no such day.
 */
function nearestWeekday(day: number, length: number): DayPattern[] {
  if (day < 1 || day > length) return [];
  const ifSaturday =
    day === 1
      ? { days: [3], weekdays: [MONDAY] }
      : { days: [day - 1], weekdays: [FRIDAY] };
  const ifSunday =
    day === length
      ? { days: [day - 2], weekdays: [FRIDAY] }
      : { days: [day + 1], weekdays: [MONDAY] };
  return [{ days: [day], weekdays: WORKDAYS }, ifSaturday, ifSunday];
}

function weekDays(rule: WeekDayRule, length: number): DayPattern[] {
  if (rule.kind === "days") return [{ days: EVERY_DAY, weekdays: rule.days }];
  if (rule.kind === "lastInMonth")
    return [{ days: numbers(length - 6, length), weekdays: [rule.day] }];
  return [
    { days: numbers(rule.nth * 7 - 6, Math.min(rule.nth * 7, 31)), weekdays: [rule.day] },
  ];
}

/**
 * Converts ascending values to ranges: consecutive numbers, or three and more values at equal distances,
 * become one range.
 */
function toRanges(values: number[]): CalendarRange<number>[] {
  const ranges: CalendarRange<number>[] = [];
  for (let index = 0; index < values.length;) {
    const start = values[index] ?? 0;
    const step = (values[index + 1] ?? start) - start;
    let length = 1;
    while (values[index + length] === start + length * step) length += 1;
    const taken = length > 2 || step === 1 ? length : 1;
    ranges.push({ start, end: start + (taken - 1) * step, step: taken > 1 ? step : 1 });
    index += taken;
  }
  return ranges;
}

function named<Name>(
  range: CalendarRange<number>,
  name: (value: number) => Name,
): CalendarRange<Name> {
  return { start: name(range.start), end: name(range.end), step: range.step };
}
