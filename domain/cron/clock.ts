import { offsetAt } from "../time.ts";

/** A reading of a zone's clock; months 1-12. */
export type Clock = {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
};

/** Returns the clock's reading at `time`, in epoch seconds. */
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
 * Returns epoch seconds of a reading as Go's time.Date does: a reading that a clock change skips or repeats is resolved
 * with the offset at the time one offset away.
 */
export function toEpoch(
  { year, month, day, hour, minute, second }: Clock,
  zone: string,
): number {
  const clock = Date.UTC(year, month - 1, day, hour, minute, second);
  return (clock - offsetAt(zone, clock - offsetAt(zone, clock))) / 1000;
}

/**
 * Returns the weekday (0 = Sunday) of the moment that Go makes of the reading: where midnight is skipped west of
 * Greenwich, that is the day before.
 */
export function weekdayOf(clock: Clock, zone: string): number {
  const time = toEpoch(clock, zone) * 1000;
  return new Date(time + offsetAt(zone, time)).getUTCDay();
}

export function daysInMonth({ year, month }: Clock): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}
