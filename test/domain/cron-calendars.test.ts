import { Cron } from "croner";
import { describe, expect, test } from "vitest";
import {
  type Calendar,
  type CalendarRange,
  toCalendars,
} from "../../domain/cron/calendars.ts";
import { nextTimes } from "../../domain/cron/next.ts";
import { parseCron } from "../../domain/cron/parse.ts";
import { offsetAt } from "../../domain/time.ts";
import {
  createRandom,
  type Day,
  type Sample,
  sample,
} from "../rigs/runs/cron-samples.ts";

const seed = Number(process.env["CRON_SEED"] ?? Math.floor(Math.random() * 1e9));
const DAY = 86_400_000;
const MONTHS =
  "JANUARY FEBRUARY MARCH APRIL MAY JUNE JULY AUGUST SEPTEMBER OCTOBER NOVEMBER DECEMBER".split(
    " ",
  );
const WEEKDAYS = "SUNDAY MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY".split(" ");

function includes<Unit>(
  ranges: CalendarRange<Unit>[],
  value: number,
  toNumber: (unit: Unit) => number,
): boolean {
  return ranges.some((range) => {
    const distance = value - toNumber(range.start);
    return distance >= 0 && value <= toNumber(range.end) && distance % range.step === 0;
  });
}

const matchesDay = (calendar: Calendar, { day, month, weekday, year }: Day): boolean =>
  includes(calendar.dayOfMonth, day, Number) &&
  includes(calendar.month, month, (name) => MONTHS.indexOf(name) + 1) &&
  includes(calendar.dayOfWeek, weekday, (name) => WEEKDAYS.indexOf(name)) &&
  (calendar.year.length === 0 || includes(calendar.year, year, Number));

function dayOf(time: number): Day {
  const date = new Date(time);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + 1];
  const length = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return { year, month, day: date.getUTCDate(), weekday: date.getUTCDay(), length };
}

/** Returns the first `count` times after `after` and before `until` that the sample matches, trying each second. */
function modelTimes(
  { matchesDay, matchesTime }: Sample,
  after: number,
  until: number,
  count: number,
): Date[] {
  const times: Date[] = [];
  for (let midnight = Math.floor(after / DAY) * DAY; midnight < until; midnight += DAY) {
    if (!matchesDay(dayOf(midnight))) continue;
    for (let second = 0; second < 86_400; second += 1) {
      const time = midnight + second * 1000;
      if (
        time <= after ||
        !matchesTime(Math.floor(second / 3600), Math.floor(second / 60) % 60, second % 60)
      )
        continue;
      times.push(new Date(time));
      if (times.length === count) return times;
    }
  }
  return times;
}

describe(`random cron expressions (CRON_SEED=${seed})`, () => {
  const random = createRandom(seed);
  const all = { wraps: true, lastOffsets: true };

  test("random cron expressions have calendars that match exactly the days of Quartz or Unix cron", () => {
    for (let round = 0; round < 400; round += 1) {
      const { expression, matchesDay: means } = sample(
        random,
        round % 3 === 0 ? "unix" : "quartz",
        all,
      );
      const calendars = toCalendars(parseCron(expression));
      const start = Date.UTC(2001 + random(94), 0, 1);
      const wrong = Array.from({ length: 1461 }, (_, index) =>
        dayOf(start + index * DAY),
      ).filter(
        (day) => means(day) !== calendars.some((calendar) => matchesDay(calendar, day)),
      );
      expect(wrong, `days of ${expression}`).toEqual([]);
    }
  });

  test("random cron expressions fire at the times that a test of every second finds", () => {
    for (let round = 0; round < 200; round += 1) {
      const drawn = sample(random, round % 3 === 0 ? "unix" : "quartz", all);
      const after = Date.UTC(
        2024 + random(6),
        random(12),
        1 + random(28),
        random(24),
        random(60),
        random(60),
      );
      const until = after + 400 * DAY;
      const times = nextTimes(parseCron(drawn.expression), "UTC", new Date(after), 5);
      const near = times.filter((time) => time.getTime() < Math.floor(until / DAY) * DAY);
      expect(near, `${drawn.expression} after ${new Date(after).toISOString()}`).toEqual(
        modelTimes(drawn, after, Math.floor(until / DAY) * DAY, 5),
      );
    }
  });

  test("random cron expressions fire when the library croner says, in several zones, except near clock changes", () => {
    const zones = [
      "UTC",
      "Asia/Shanghai",
      "America/New_York",
      "Europe/Berlin",
      "Australia/Lord_Howe",
    ];
    for (let round = 0; round < 300; round += 1) {
      const dialect = round % 3 === 0 ? "unix" : "quartz";
      const { expression } = sample(random, dialect, {
        wraps: false,
        lastOffsets: false,
      });
      const zone = zones[round % zones.length] ?? "UTC";
      const after = new Date(
        Date.UTC(2024 + random(6), random(12), 1 + random(28), random(24), random(60)),
      );
      const croner = new Cron(expression, {
        timezone: zone,
        sloppyRanges: true,
        alternativeWeekdays: dialect === "quartz",
        mode: dialect === "unix" ? "5-part" : "6-or-7-parts",
      });
      const offset = offsetAt(zone, after.getTime());
      const settled = (time: Date): boolean =>
        [-2 * DAY, 2 * DAY].every(
          (shift) => offsetAt(zone, time.getTime() + shift) === offset,
        );
      const ours = nextTimes(parseCron(expression), zone, after, 8);
      const theirs = croner.nextRuns(8, after);
      const changed = [ours, theirs].map((times) =>
        times.findIndex((time) => !settled(time)),
      );
      const end = Math.min(8, ...changed.filter((index) => index >= 0));
      expect(
        ours.slice(0, end),
        `${expression} in ${zone} after ${after.toISOString()}`,
      ).toEqual(theirs.slice(0, end));
    }
  });
});
