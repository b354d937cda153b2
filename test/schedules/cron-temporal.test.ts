import { randomUUID } from "node:crypto";
import { type CalendarSpec, Client, Connection } from "@temporalio/client";
import { msToTs, requiredTsToDate } from "@temporalio/common/lib/time.js";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { toCalendars } from "../../domain/cron/calendars.ts";
import { nextTimes } from "../../domain/cron/next.ts";
import { parseCron } from "../../domain/cron/parse.ts";
import { formatTime, isTimeZone } from "../../domain/time.ts";
import { createRandom, sample } from "../rigs/runs/cron-samples.ts";

declare module "vitest" {
  export interface ProvidedContext {
    temporalAddress: string;
  }
}

const seed = Number(process.env["CRON_SEED"] ?? Math.floor(Math.random() * 1e9));
const DAY = 86_400_000;
/** Maximum number of times that the server lists at once. */
const MOST = 1000;

let connection: Connection;
let client: Client;

beforeAll(async () => {
  connection = await Connection.connect({ address: inject("temporalAddress") });
  client = new Client({ connection });
});
afterAll(() => connection.close());

/**
 * Lists the times after `from` up to `to` at which the server would fire a schedule of ours. The
 * schedule is paused, and deleted afterwards.
 */
async function listTimes(
  expression: string,
  zone: string,
  from: Date,
  to: Date,
): Promise<Date[]> {
  const calendars: CalendarSpec[] = toCalendars(parseCron(expression));
  const scheduleId = `cron-${randomUUID()}`;
  const handle = await client.schedule.create({
    scheduleId,
    spec: { calendars, timezone: zone },
    action: { type: "startWorkflow", workflowType: "none", taskQueue: scheduleId },
    state: { paused: true },
  });
  try {
    const { startTime } = await connection.workflowService.listScheduleMatchingTimes({
      namespace: "default",
      scheduleId,
      startTime: msToTs(from.getTime()),
      endTime: msToTs(to.getTime()),
    });
    return startTime.map((time) => requiredTsToDate(time, "startTime"));
  } finally {
    await handle.delete();
  }
}

const ownTimes = (expression: string, zone: string, from: Date, to: Date): Date[] =>
  nextTimes(parseCron(expression), zone, from, MOST).filter((time) => time <= to);

describe("cron expressions on Temporal's server", () => {
  test.each([
    [
      "0 0 12 L * ?",
      "UTC",
      "2027-12-01",
      "2028-04-01",
      ["2027-12-31T12", "2028-01-31T12", "2028-02-29T12", "2028-03-31T12"],
    ],
    [
      "0 0 12 L-3 * ?",
      "Asia/Shanghai",
      "2027-01-01",
      "2027-04-01",
      ["2027-01-28T12", "2027-02-25T12", "2027-03-28T12"],
    ],
    [
      "0 0 9 LW 1-3 ?",
      "UTC",
      "2027-01-01",
      "2028-01-01",
      ["2027-01-29T09", "2027-02-26T09", "2027-03-31T09"],
    ],
    [
      "0 0 9 1W 5-8 ?",
      "UTC",
      "2027-01-01",
      "2028-01-01",
      ["2027-05-03T09", "2027-06-01T09", "2027-07-01T09", "2027-08-02T09"],
    ],
    [
      "0 0 9 31W 1-5 ?",
      "UTC",
      "2027-01-01",
      "2028-01-01",
      ["2027-01-29T09", "2027-03-31T09", "2027-05-31T09"],
    ],
    [
      "0 0 9 ? 1-3 6#3",
      "UTC",
      "2027-01-01",
      "2028-01-01",
      ["2027-01-15T09", "2027-02-19T09", "2027-03-19T09"],
    ],
    [
      "0 0 9 ? 1-3 FRIL",
      "UTC",
      "2027-01-01",
      "2028-01-01",
      ["2027-01-29T09", "2027-02-26T09", "2027-03-26T09"],
    ],
    [
      "0 0 22-2/2 1 1 ?",
      "UTC",
      "2027-01-01",
      "2027-01-02",
      ["2027-01-01T02", "2027-01-01T22"],
    ],
    [
      "0 9 13 1 FRI",
      "UTC",
      "2027-01-01",
      "2027-01-20",
      ["2027-01-01T09", "2027-01-08T09", "2027-01-13T09", "2027-01-15T09"],
    ],
    [
      "0 0 0 29 2 ?",
      "UTC",
      "2026-01-01",
      "2034-01-01",
      ["2028-02-29T00", "2032-02-29T00"],
    ],
  ])(
    "the cron %s in %s fires on the days on which Quartz fires",
    async (expression, zone, from, to, hours) => {
      const times = await listTimes(expression, zone, new Date(from), new Date(to));
      expect(
        times
          .map((time) => formatTime(time, zone).slice(0, 13))
          .filter((hour) => hour > from),
      ).toEqual(hours);
      expect(times).toEqual(ownTimes(expression, zone, new Date(from), new Date(to)));
    },
  );

  test.each([
    ["skips a time that a clock change leaves out", "0 30 2 * * ?", "2027-03-14", []],
    [
      "fires twice at a time that a clock change repeats",
      "0 30 1 * * ?",
      "2027-11-07",
      ["05:30", "06:30"],
    ],
    [
      "fires once on a day without a clock change",
      "0 30 1 * * ?",
      "2027-06-01",
      ["05:30"],
    ],
  ])("a daily cron %s", async (_, expression, day, times) => {
    const [from, to] = [new Date(`${day}T04:30:00Z`), new Date(`${day}T23:00:00Z`)];
    const listed = await listTimes(expression, "America/New_York", from, to);
    expect(listed.map((time) => time.toISOString().slice(11, 16))).toEqual(times);
    expect(listed).toEqual(ownTimes(expression, "America/New_York", from, to));
  });

  test(`the computed times of a cron equal those of Temporal's server (CRON_SEED=${seed})`, async () => {
    const random = createRandom(seed);
    const changes: [zone: string, ...days: string[]][] = [
      ["America/New_York", "2027-03-14", "2027-11-07"],
      ["Europe/Berlin", "2027-03-28", "2027-10-31"],
      ["Europe/London", "2027-03-28", "2027-10-31"],
      ["Australia/Lord_Howe", "2027-04-03", "2027-10-02"],
      ["America/Santiago", "2027-04-04", "2027-09-05"],
      ["Asia/Kolkata", "2027-12-31"],
    ];
    for (let round = 0; round < 60; round += 1) {
      const drawn = sample(random, round % 3 === 0 ? "unix" : "quartz", {
        wraps: true,
        lastOffsets: true,
      });
      // Every other round keeps the clock fields and allows all days, so that the day of the clock change is included.
      const clock = drawn.expression.split(" ").slice(0, round % 3 === 0 ? 2 : 3);
      const expression =
        round % 2 === 0 ? drawn.expression : [...clock, "*", "*", "*"].join(" ");
      const [zone, ...days] = changes[round % changes.length] ?? ["UTC"];
      const from = new Date(
        Date.parse(days[random(days.length)] ?? "2027-01-01") - DAY + random(DAY),
      );
      const to = new Date(from.getTime() + (1 + random(60)) * DAY);
      const listed = await listTimes(expression, zone, from, to);
      const context = `${expression} in ${zone} after ${from.toISOString()}`;
      expect(listed, `times of ${context}`).toEqual(ownTimes(expression, zone, from, to));
    }
  });

  test("the computed weekdays around a skipped midnight equal those of Temporal's server", async () => {
    const [from, to] = [
      new Date("2026-09-01T00:00:00Z"),
      new Date("2026-09-20T00:00:00Z"),
    ];
    for (const expression of [
      "0 12 * * SAT",
      "0 12 * * SUN",
      "*/30 0-2 * * SUN",
      "0 0 0 ? * 1#1",
    ]) {
      const listed = await listTimes(expression, "America/Santiago", from, to);
      expect(listed, `times of ${expression}`).toEqual(
        ownTimes(expression, "America/Santiago", from, to),
      );
    }
  });

  test("every kind of time zone name that the API accepts works in a schedule", async () => {
    const zones = [
      "Asia/Kolkata",
      "Asia/Calcutta",
      "Europe/Kyiv",
      "America/Argentina/Buenos_Aires",
      "US/Pacific",
      "Etc/GMT+5",
      "Japan",
      "CET",
    ];
    for (const zone of zones) {
      expect(isTimeZone(zone), `zone ${zone}`).toBe(true);
      const [from, to] = [
        new Date("2027-01-10T00:00:00Z"),
        new Date("2027-01-11T00:00:00Z"),
      ];
      await expect(
        listTimes("0 9 * * *", zone, from, to),
        `schedule in ${zone}`,
      ).resolves.toHaveLength(1);
    }
  });
});
