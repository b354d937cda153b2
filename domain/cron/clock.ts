import { offsetAt } from "../time.ts";

/** A local date and time; months 1-12. */
export type Clock = {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
};

/** Returns the local date and time of a zone at `time` (epoch seconds). */
export function readClock(zone: string, time: number): Clock {
  const date = new Date(time * 1000 + offsetAt(zone, time * 1000));
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  };
}

/**
 * Returns the epoch seconds of a local time as Go's time.Date does, which Temporal's server uses. This
 * matters if a clock change skips or repeats the local time: the offset that counts is the one at the
 * moment (local time read as UTC) minus the offset there.
 */
export function toEpoch(
  { year, month, day, hour, minute, second }: Clock,
  zone: string,
): number {
  const clock = Date.UTC(year, month - 1, day, hour, minute, second);
  return (clock - offsetAt(zone, clock - offsetAt(zone, clock))) / 1000;
}

/**
 * Returns the weekday (0 = Sunday) of a local time as Temporal's server, written in Go, computes it. If a
 * clock change skips the local time, Go takes an earlier one in zones west of Greenwich, so the weekday of
 * a skipped midnight is one day earlier.
 */
export function weekdayOf(clock: Clock, zone: string): number {
  const time = toEpoch(clock, zone) * 1000;
  return new Date(time + offsetAt(zone, time)).getUTCDay();
}

export function daysInMonth({ year, month }: Clock): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}
