import { describe, expect, test } from "vitest";
import type { CalendarSpec } from "@temporalio/client";
import { toCalendars } from "../../domain/cron/calendars.ts";
import { checkDayFields } from "../../domain/cron/day-fields.ts";
import { CronError } from "../../domain/cron/expression.ts";
import { nextTimes } from "../../domain/cron/next.ts";
import { parseCron } from "../../domain/cron/parse.ts";

const next = (
  expression: string,
  count: number,
  after = "2027-01-01T00:00:00Z",
): string[] =>
  nextTimes(parseCron(expression), "UTC", new Date(after), count).map((time) =>
    time.toISOString().slice(0, 19),
  );
const every = (expression: string): string[] => next(expression, 3);

describe("the dialect of a cron expression", () => {
  test("the number of fields decides the dialect of a cron expression", () => {
    expect(parseCron("0 2 * * *").dialect).toBe("unix");
    expect(parseCron(" 0 0 2 * * ? ").dialect).toBe("quartz");
    expect(parseCron("0 0 2 * * ? 2030").dialect).toBe("quartz");
    expect(next("0 2 * * *", 1)).toEqual(next("0 0 2 * * ?", 1));
  });

  test("the dialect of a cron expression decides how weekdays are counted", () => {
    expect(parseCron("0 0 * * 1").daysOfWeek).toEqual([{ kind: "days", days: [1] }]);
    expect(parseCron("0 0 0 ? * 1").daysOfWeek).toEqual([{ kind: "days", days: [0] }]);
    expect(parseCron("0 0 * * 7").daysOfWeek).toEqual(
      parseCron("0 0 * * SUN").daysOfWeek,
    );
    expect(parseCron("0 0 * * 5-7").daysOfWeek).toEqual(
      parseCron("0 0 0 ? * FRI-SUN").daysOfWeek,
    );
  });

  test("two day fields in a cron expression match either of them in Unix, and are an error in Quartz", () => {
    expect(next("0 0 13 * FRI", 3)).toEqual([
      "2027-01-08T00:00:00",
      "2027-01-13T00:00:00",
      "2027-01-15T00:00:00",
    ]);
    expect(() => parseCron("0 0 0 13 * FRI")).toThrow(
      'both are given; Quartz takes only one of them, so write "?"',
    );
  });
});

describe("day fields of new cron expressions", () => {
  test.each([
    "0 0 2 * * ?",
    "0 0 2 ? * *",
    "0 0 2 ? * MON",
    " 0 0 2 1,L * ? 2030 ",
    "0 0 2 */2 * ?",
    "0 2 * * *",
    "0 2 13 * FRI",
  ])('the day fields of the cron expression "%s" are accepted', (expression) => {
    expect(() => checkDayFields(expression)).not.toThrow();
  });

  test.each([
    [
      "0 0 0 ? * ?",
      'both are "?", so no day is named; write "*" for one of them: 0 0 0 * * ?',
    ],
    [
      "0 0 0 ? * ? 2030",
      'both are "?", so no day is named; write "*" for one of them: 0 0 0 * * ? 2030',
    ],
    ["0 0 2 * * *", 'neither is "?"; Quartz takes only one of them: 0 0 2 * * ?'],
    ["0 0 2 * * MON", 'neither is "?"; Quartz takes only one of them: 0 0 2 ? * MON'],
    ["0 0 2 1 * * *", 'neither is "?"; Quartz takes only one of them: 0 0 2 1 * ? *'],
    ["0 0 2 */2 * *", 'neither is "?"; Quartz takes only one of them: 0 0 2 */2 * ?'],
  ])(
    'the day fields of the cron expression "%s" are refused, and a correct expression is proposed',
    (expression, reason) => {
      expect(() => checkDayFields(expression)).toThrow(CronError);
      expect(() => checkDayFields(expression)).toThrow(
        `cron expression, day of month and day of week: ${reason}`,
      );
      const [, mended = ""] = /: ([^:]*)$/.exec(reason) ?? [];
      expect(() => checkDayFields(mended)).not.toThrow();
      expect(toCalendars(parseCron(mended))).toEqual(toCalendars(parseCron(expression)));
    },
  );
});

describe("cron expressions", () => {
  test.each([
    ["0 0 2 * * *", "0 0 2 * * ?"],
    ["0 0 2 ? * ?", "0 0 2 * * ?"],
    ["0 0 2 * * MON", "0 0 2 ? * MON"],
    ["0 0 2 1 * *", "0 0 2 1 * ?"],
    ["0 0 2 ? jan-Mar mon-FRI", "0 0 2 ? 1-3 2-6"],
    ["0 0 22-2 * * ?", "0 0 22,23,0,1,2 * * ?"],
    ["0 0 0 ? NOV-FEB FRI-MON", "0 0 0 ? 11,12,1,2 6,7,1,2"],
    ["0 5/20 */8 * * ?", "0 5,25,45 0,8,16 * * ?"],
    ["0 /20 10-20/5 * * ?", "0 0,20,40 10,15,20 * * ?"],
    ["0 0 0 ? * L", "0 0 0 ? * SAT"],
    ["0 0 0 ? * 2#1,2#1,6L", "0 0 0 ? * MON#1,FRIL"],
    ["0 0 0 ? * SUN-SUN", "0 0 0 ? * SUN"],
    ["0 0 0 1 1 ? 1970-2099/2", "0 0 0 1 1 ? 2000-2098/2"],
  ])('the cron expression "%s" matches the same times as "%s"', (one, other) => {
    expect(toCalendars(parseCron(one))).toEqual(toCalendars(parseCron(other)));
    expect(every(one)).toHaveLength(3);
  });

  test("a cron expression that never fires again has no next time", () => {
    expect(next("0 0 0 30 2 ?", 1)).toEqual([]);
    expect(next("0 0 0 L-30 2 ?", 1)).toEqual([]);
    expect(next("0 0 0 1 1 ? 2026", 1)).toEqual([]);
    expect(next("* * * 31W 2 ?", 1)).toEqual([]);
    expect(next("0 0 0 ? 2 1#5", 9)).toEqual([
      "2032-02-29T00:00:00",
      "2060-02-29T00:00:00",
      "2088-02-29T00:00:00",
    ]);
  });

  test("a cron expression's next time is after the given instant, not at it", () => {
    expect(next("* * * * * ?", 2, "2027-01-01T00:00:00.250Z")).toEqual([
      "2027-01-01T00:00:01",
      "2027-01-01T00:00:02",
    ]);
    expect(next("0 0 0 1 1 ?", 1, "2026-12-31T23:59:59.999Z")).toEqual([
      "2027-01-01T00:00:00",
    ]);
    expect(next("0 0 0 1 1 ?", 1)).toEqual(["2028-01-01T00:00:00"]);
  });

  test("a cron expression is converted to calendars of Temporal's client", () => {
    const calendars = toCalendars(
      parseCron("0 */15 9-17 ? NOV-FEB MON#2"),
    ) satisfies CalendarSpec[];
    expect(calendars).toEqual([
      {
        second: [{ start: 0, end: 0, step: 1 }],
        minute: [{ start: 0, end: 45, step: 15 }],
        hour: [{ start: 9, end: 17, step: 1 }],
        dayOfMonth: [{ start: 8, end: 14, step: 1 }],
        month: [
          { start: "JANUARY", end: "FEBRUARY", step: 1 },
          { start: "NOVEMBER", end: "DECEMBER", step: 1 },
        ],
        dayOfWeek: [{ start: "MONDAY", end: "MONDAY", step: 1 }],
        year: [],
      },
    ]);
  });

  test("a cron expression with a hundred special days is converted to at most 12 calendars", () => {
    const days = Array.from(
      { length: 31 },
      (_, index) => `${index + 1}W,L-${index}W`,
    ).join();
    expect(toCalendars(parseCron(`0 0 0 ${days} * ?`)).length).toBeLessThanOrEqual(12);
  });
});

describe("invalid cron expressions", () => {
  test.each([
    ["", "has 0 fields; write 5"],
    ["@daily", "has 1 fields; write 5"],
    ["* * * * * ? * *", "has 8 fields"],
    ["60 0 0 * * ?", 'second: "60" is not one of 0 to 59'],
    ["0 0 24 * * ?", 'hour: "24" is not one of 0 to 23'],
    ["0 0 0 0 * ?", 'day of month: "0" is not one of 1 to 31'],
    ["0 0 0 1 13 ?", 'month: "13" is not one of 1 to 12 or JAN to DEC'],
    ["0 0 0 ? * 0", 'day of week: "0" is not one of 1 to 7 or SUN to SAT'],
    ["0 0 * * 8", 'day of week: "8" is not one of 0 to 7 or SUN to SAT'],
    ["0 0 0 ? * MONDAY", 'day of week: "MONDAY" is not one of'],
    ["0 0 0 ? * 6#6", 'day of week: "6#6" needs a number from 1 to 5 after "#"'],
    ["0 0 0 ? * 6#3#2", 'day of week: "6#3#2" needs a number from 1 to 5'],
    ["0 0 0 L-31 * ?", 'day of month: "L-31" goes back more than 30 days'],
    ["0 0 0 32W * ?", 'day of month: "32" is not one of 1 to 31'],
    ["0 0 0 W * ?", 'day of month: "" is not one of'],
    ["0 0 0 1-5W * ?", 'day of month: "1-5" is not one of'],
    ["0 0 0 1,? * ?", 'day of month: "?" must be the only value'],
    ["0 ? 0 1 * ?", 'minute: "?" has a meaning only for the day of month'],
    ["0/90 0 0 * * ?", 'second: the step of "0/90" must be a number from 1 to 59'],
    ["*/0 0 0 * * ?", 'second: the step of "*/0" must be a number'],
    ["1,,2 0 0 * * ?", 'second: "" is not a value, a range or a step'],
    ["1-2-3 0 0 * * ?", 'second: "1-2-3" is not a value, a range or a step'],
    ["1/2/3 0 0 * * ?", 'second: "1/2/3" is not a value, a range or a step'],
    ["-1 0 0 * * ?", 'second: "" is not one of 0 to 59'],
    ["1e1 0 0 * * ?", 'second: "1E1" is not one of'],
    ["0 0 0 1 1 ? 2030-2029", "year: the range 2030-2029 ends before it starts"],
    ["0 0 0 1 1 ? 2100", 'year: "2100" is not one of 1970 to 2099'],
    [
      "0 0 0 1 1 ? 1999",
      'year: "1999" lies before 2000, where Temporal\'s calendars begin',
    ],
    [`${"0,".repeat(600)}0 0 0 * * ?`, "is longer than 1000 characters"],
  ])('the cron expression "%s" is refused with the reason: %s', (expression, reason) => {
    expect(() => parseCron(expression)).toThrow(CronError);
    expect(() => parseCron(expression)).toThrow(reason);
  });
});
