import { type ClockSets, toClockSets } from "./calendars.ts";
import { type Clock, daysInMonth, readClock, toEpoch, weekdayOf } from "./clock.ts";
import type { CronExpression } from "./expression.ts";

const HOUR_SECONDS = 3600;
/** Last year in which Temporal's server looks for a matching time. */
const LAST_YEAR = 2100;

/** `repeated`: the search is in the second pass of an hour that the clock goes through twice. */
type Cursor = Clock & { repeated: boolean };
const HOUR_START = { minute: 0, second: 0, repeated: false };
const DAY_START = { hour: 0, ...HOUR_START };
const MONTH_START = { day: 1, ...DAY_START };
const YEAR_START = { month: 1, ...MONTH_START };

type Values = ReadonlySet<number>;
type Matcher = Record<"seconds" | "minutes" | "hours" | "days" | "months", Values> & {
  /** null = every weekday; for `years`: every year. */
  weekdays: Values | null;
  years: Values | null;
};

/**
 * Returns the next times, at most `count`, at which a Temporal schedule with these calendars starts a run
 * in this IANA zone; fewer, or none, if it does not start another one before 2101. `after` itself is
 * excluded. Throws RangeError for an unknown zone.
 *
 * This repeats the search of Temporal's server (service/worker/scheduler/calendar.go) step by step, because
 * the result around a clock change depends on the steps; on all other days it is plain matching.
 */
export function nextTimes(
  cron: CronExpression,
  zone: string,
  after: Date,
  count: number,
): Date[] {
  const matchers = toClockSets(cron).map(toMatcher);
  const times: Date[] = [];
  let last = Math.floor(after.getTime() / 1000);
  while (times.length < count) {
    const next = Math.min(...matchers.map((matcher) => nextMatch(matcher, zone, last)));
    if (next === Number.POSITIVE_INFINITY) break;
    times.push(new Date(next * 1000));
    last = next;
  }
  return times;
}

function toMatcher({
  seconds,
  minutes,
  hours,
  days,
  months,
  weekdays,
  years,
}: ClockSets): Matcher {
  return {
    seconds: new Set(seconds),
    minutes: new Set(minutes),
    hours: new Set(hours),
    days: new Set(days),
    months: new Set(months),
    weekdays: weekdays.length === 7 ? null : new Set(weekdays),
    years: years && new Set(years),
  };
}

/** Returns epoch seconds of the first match after `after`; infinity when there is none. */
function nextMatch(matcher: Matcher, zone: string, after: number): number {
  const start = readClock(zone, after);
  const repeated = readClock(zone, after - HOUR_SECONDS).hour === start.hour;
  const cursor: Cursor = { ...start, second: start.second + 1, repeated };
  for (;;) {
    carry(cursor, zone);
    if (cursor.year > LAST_YEAR) return Number.POSITIVE_INFINITY;
    if (!settle(cursor, matcher, zone)) continue;
    const time = toEpoch(cursor, zone);
    if (readClock(zone, time).hour === cursor.hour)
      return time + (cursor.repeated ? HOUR_SECONDS : 0);
    // A clock change skips this hour; `repeated` stays unchanged, as in Temporal's server.
    Object.assign(cursor, { hour: cursor.hour + 1, minute: 0, second: 0 });
  }
}

/** Carries fields that exceed their range over to the next field. */
function carry(cursor: Cursor, zone: string): void {
  if (cursor.second >= 60)
    Object.assign(cursor, { minute: cursor.minute + 1, second: 0 });
  if (cursor.minute >= 60) {
    const hour = { ...cursor, minute: 0, second: 0 };
    const length = toEpoch({ ...hour, hour: hour.hour + 1 }, zone) - toEpoch(hour, zone);
    cursor.repeated = !cursor.repeated && length > HOUR_SECONDS;
    Object.assign(cursor, { hour: cursor.hour + (cursor.repeated ? 0 : 1), minute: 0 });
  }
  if (cursor.hour >= 24) Object.assign(cursor, { day: cursor.day + 1, hour: 0 });
  if (cursor.day > daysInMonth(cursor))
    Object.assign(cursor, { month: cursor.month + 1, day: 1 });
  if (cursor.month > 12) Object.assign(cursor, { year: cursor.year + 1, month: 1 });
}

/**
 * Sets the cursor to the first matching time, field by field from the year to the second. Returns false
 * when a field exceeds its range and must be carried first.
 */
function settle(cursor: Cursor, matcher: Matcher, zone: string): boolean {
  if (matcher.years && !matcher.years.has(cursor.year)) {
    Object.assign(cursor, { year: cursor.year + 1, ...YEAR_START });
    return false;
  }
  while (!matcher.months.has(cursor.month)) {
    Object.assign(cursor, { month: cursor.month + 1, ...MONTH_START });
    if (cursor.month > 12) return false;
  }
  while (!matchesDay(cursor, matcher, zone)) {
    Object.assign(cursor, { day: cursor.day + 1, ...DAY_START });
    if (cursor.day > daysInMonth(cursor)) return false;
  }
  while (!matcher.hours.has(cursor.hour)) {
    Object.assign(cursor, { hour: cursor.hour + 1, ...HOUR_START });
    if (cursor.hour >= 24) return false;
  }
  while (!matcher.minutes.has(cursor.minute)) {
    Object.assign(cursor, { minute: cursor.minute + 1, second: 0 });
    if (cursor.minute >= 60) return false;
  }
  while (!matcher.seconds.has(cursor.second)) {
    cursor.second += 1;
    if (cursor.second >= 60) return false;
  }
  return true;
}

function matchesDay(cursor: Cursor, { days, weekdays }: Matcher, zone: string): boolean {
  return (
    days.has(cursor.day) && (weekdays === null || weekdays.has(weekdayOf(cursor, zone)))
  );
}
