import { text, TextError, type Text } from "./text.ts";

/** A text that is no time, or a time that is not allowed; `text` says what to write instead. */
export class TimeError extends TextError {
  override readonly name = "TimeError";
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type ZoneClock = { formatter: Intl.DateTimeFormat; offsets: Map<number, number> };

const clocks = new Map<string, ZoneClock>();
const MAX_CACHED_DAYS = 20_000;

function clockOf(zone: string): ZoneClock {
  const known = clocks.get(zone);
  if (known) return known;
  const formatter = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const clock = { formatter, offsets: new Map<number, number>() };
  clocks.set(zone, clock);
  return clock;
}

function measureOffset(clock: ZoneClock, at: number): number {
  const whole = Math.floor(at / SECOND) * SECOND;
  const [month = 1, day = 1, year = 1970, hour = 0, minute = 0, second = 0] = (
    clock.formatter.format(whole).match(/\d+/g) ?? []
  ).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
}

/**
 * Returns the milliseconds to add to UTC to get the zone's clock at `at` (epoch ms). The offset of a UTC
 * day is remembered unless the clock changes on that day. Throws RangeError for an unknown zone.
 */
export function offsetAt(zone: string, at: number): number {
  const clock = clockOf(zone);
  const day = Math.floor(at / DAY);
  let offset = clock.offsets.get(day);
  if (offset === undefined) {
    const start = measureOffset(clock, day * DAY);
    // NaN marks a day on which the clock changes; no zone changes twice in one day.
    offset = start === measureOffset(clock, (day + 1) * DAY) ? start : Number.NaN;
    if (clock.offsets.size >= MAX_CACHED_DAYS) clock.offsets.clear();
    clock.offsets.set(day, offset);
  }
  return Number.isNaN(offset) ? measureOffset(clock, at) : offset;
}

const SHORT_NAMES = "UTC|UCT|GMT|CET|EET|MET|WET|EST|MST|HST|GB|NZ|PRC|ROC|ROK";
const AREAS =
  "Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|Mexico|Pacific|US";
const ZONE_NAME = new RegExp(
  `^(?:${SHORT_NAMES}|[A-Z][A-Za-z0-9+-]{3,}|(?:${AREAS})(?:/[A-Z][A-Za-z0-9_+-]*)+)$`,
);

/**
 * Whether `name` is an IANA time zone that both Intl and Temporal's server know. The server is case-sensitive and knows
 * neither offsets nor abbreviations like PST.
 */
export function isTimeZone(name: string): boolean {
  if (name.length > 64 || !ZONE_NAME.test(name) || /[A-Z]{4}/.test(name)) return false;
  try {
    const { timeZone } = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
    }).resolvedOptions();
    return timeZone === name || timeZone.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}

/**
 * Formats a moment as in the API: the zone's local time, with milliseconds, without offset
 * (`2020-03-16T12:00:00.000`).
 */
export function formatTime(at: Date | number, zone: string): string {
  const ms = Number(at);
  return new Date(ms + offsetAt(zone, ms)).toISOString().slice(0, -1);
}

const ISO_TIME =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?$/i;
const wrong = ({ en, zh }: Text): TimeError =>
  new TimeError(
    text(
      `${en}: write 2030-01-31T12:00:00 or, with an offset, 2030-01-31T12:00:00+08:00`,
      `${zh}：请写成 2030-01-31T12:00:00，或带时差的 2030-01-31T12:00:00+08:00`,
    ),
  );

/** Whether an ISO date-time names its offset to UTC. */
export const hasOffset = (given: string): boolean =>
  ISO_TIME.exec(given)?.[8] !== undefined;

/**
 * Parses an ISO date-time. Without an offset it is the zone's local time: one that a clock change skips is
 * moved forward by the skipped duration, and of a repeated one the first occurrence counts. Throws
 * TimeError for any other text, and RangeError if an unknown zone is needed.
 */
export function parseTime(given: string, zone: string): Date {
  const shown = `"${given.slice(0, 64)}"`;
  const match = ISO_TIME.exec(given);
  if (!match)
    throw wrong(text(`${shown} is not a date and time`, `${shown} 不是日期和时间`));
  const [, year, month, day, hour, minute, second = "0", fraction = "", offset] = match;
  const fields = [year, month, day, hour, minute, second].map(Number);
  const clock = toUtc(fields, Number(fraction.padEnd(3, "0").slice(0, 3)));
  if (clock === null)
    throw wrong(
      text(
        `${shown} names a date or time that does not exist`,
        `${shown} 是不存在的日期或时间`,
      ),
    );
  if (offset === undefined) return new Date(fromClock(clock, zone));
  const shift = parseOffset(offset);
  if (shift === null)
    throw wrong(
      text(`${shown} has an offset beyond 18 hours`, `${shown} 的时差超过 18 小时`),
    );
  return new Date(clock - shift);
}

/** Returns epoch ms of the fields as UTC; null when one of them is out of range. */
function toUtc(fields: number[], millisecond: number): number | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  return hour > 23 || minute > 59 || second > 59
    ? null
    : date.setUTCHours(hour, minute, second, millisecond);
}

function parseOffset(text: string): number | null {
  if (/^z$/i.test(text)) return 0;
  const hours = Number(text.slice(1, 3));
  const minutes = Number(text.slice(3).replace(":", ""));
  const size = hours * HOUR + minutes * MINUTE;
  if (minutes > 59 || size > 18 * HOUR) return null;
  return text.startsWith("-") ? -size : size;
}

function fromClock(clock: number, zone: string): number {
  const before = offsetAt(zone, clock - DAY);
  const after = offsetAt(zone, clock + DAY);
  const matches = [clock - before, clock - after].filter(
    (at) => at + offsetAt(zone, at) === clock,
  );
  return matches.length > 0 ? Math.min(...matches) : clock - before;
}
