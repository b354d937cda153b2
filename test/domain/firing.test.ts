import { describe, expect, test } from "vitest";
import { dueTime, firingId, lastFiring, timingOf } from "../../domain/firing.ts";
import { SETTING_DEFAULTS, type TaskSetting } from "../../domain/task.ts";
import { createRandom, sample } from "../rigs/runs/cron-samples.ts";

const seed = Number(process.env["CRON_SEED"] ?? Math.floor(Math.random() * 1e9));
const DAY = 86_400_000;
const SETTING: TaskSetting = {
  rateLimit: 0,
  includeMetadata: true,
  conflictStrategy: "SKIP",
  errorStrategy: "CONTINUE",
  executionStrategy: "CRON_EXPRESSION",
  executionPlan: {
    executeImmediately: false,
    executeTime: null,
    cronExpression: null,
    timeZone: null,
  },
  storageConsistencyCheck: false,
  automaticCreateRemoteRepo: true,
  ...SETTING_DEFAULTS,
};

function timing(plan: Partial<TaskSetting["executionPlan"]>, zone = "UTC") {
  const executionStrategy = plan.executeTime ? "SPECIFIED_TIME" : "CRON_EXPRESSION";
  const made = timingOf(
    {
      replicaType: "SCHEDULED",
      setting: {
        ...SETTING,
        executionStrategy,
        executionPlan: { ...SETTING.executionPlan, ...plan },
      },
    },
    zone,
  );
  if (!made) throw new Error("the task has no timing");
  return made;
}

describe("the last firing in a period", () => {
  test(`the last firing in a period equals the last one found by stepping through all (CRON_SEED=${seed})`, () => {
    const random = createRandom(seed);
    for (let round = 0; round < 80; round += 1) {
      const { expression } = sample(random, round % 2 ? "unix" : "quartz", {
        wraps: true,
        lastOffsets: true,
      });
      const { next } = timing({ cronExpression: expression }, "Asia/Shanghai");
      const from = Math.floor(Date.parse("2027-01-01T00:00:00Z") + random(365 * DAY));
      const times: number[] = [];
      for (let time = next(from); time !== null && times.length < 200; time = next(time))
        times.push(time);
      // The rounds end the period in turn at a firing, 1 ms before a firing, and at any time.
      const to =
        [
          times.at(-1) ?? from,
          (times[random(times.length)] ?? from) - 1,
          from + random(DAY),
        ][round % 3] ?? from;
      const walked = times.filter((time) => time <= to);
      if (walked.length === 200 && round % 3 !== 0) continue;
      expect(
        lastFiring(timing({ cronExpression: expression }, "Asia/Shanghai"), from, to),
        `${expression} from ${from} to ${to}`,
      ).toBe(walked.at(-1) ?? null);
    }
  });

  test("the last firing in a period may be at its end, but not at its beginning", () => {
    const at = Date.parse("2027-05-05T03:00:00Z");
    const daily = timing({ cronExpression: "0 3 * * *" });
    expect(lastFiring(daily, at - 1, at)).toBe(at);
    expect(lastFiring(daily, at - 1, at - 1)).toBeNull();
    expect(lastFiring(daily, at, at + DAY - 1)).toBeNull();
    expect(lastFiring(daily, at, at + 10 * DAY + 1)).toBe(at + 10 * DAY);
  });
});

describe("a task with a single start time", () => {
  test("a task with a single start time fires at the first whole second that is not before it", () => {
    const { once, calendars, zone, next } = timing({
      executeTime: "2027-12-31T23:59:59.001",
      timeZone: "Asia/Shanghai",
    });
    expect({ once, zone }).toEqual({
      once: Date.parse("2027-12-31T16:00:00Z"),
      zone: "UTC",
    });
    expect(calendars).toHaveLength(1);
    expect([next((once ?? 0) - 1), next(once ?? 0)]).toEqual([once, null]);
  });

  test.each([
    "2028-02-29T23:59:59Z",
    "2030-06-01T00:00:00+08:00",
    "2099-12-31T23:59:59Z",
  ])(
    "a task with the single start time %s has a calendar that matches no other time",
    (executeTime) => {
      const { calendars, once } = timing({ executeTime });
      const [calendar] = calendars;
      const only = (ranges: { start: unknown; end: unknown }[] | undefined) =>
        ranges?.map(({ start, end }) => [start, end]);
      const at = new Date(once ?? 0);
      expect(only(calendar?.second)).toEqual([[at.getUTCSeconds(), at.getUTCSeconds()]]);
      expect(only(calendar?.hour)).toEqual([[at.getUTCHours(), at.getUTCHours()]]);
      expect(only(calendar?.dayOfMonth)).toEqual([[at.getUTCDate(), at.getUTCDate()]]);
      expect(only(calendar?.year)).toEqual([[at.getUTCFullYear(), at.getUTCFullYear()]]);
      expect(at.getTime()).toBe(Date.parse(executeTime));
    },
  );
});

test("the workflow id of a scheduled run contains the time when the run was due", () => {
  const due = Date.parse("2027-03-04T05:06:07Z");
  const task = { key: "abc", name: "nightly/镜像" };
  expect(firingId(task, due)).toBe("repl/nightly_镜像/abc-2027-03-04T05:06:07Z");
  expect(dueTime(firingId(task, due))).toBe(due);
  expect(dueTime("repl/abc/5f1e2d3c4b5a69788796a5b4")).toBeNull();
});

test("tasks that start immediately, follow uploads or run once have no schedule", () => {
  const cron = { ...SETTING.executionPlan, cronExpression: "0 3 * * *" };
  expect(
    timingOf(
      {
        replicaType: "SCHEDULED",
        setting: { ...SETTING, executionStrategy: "IMMEDIATELY", executionPlan: cron },
      },
      "UTC",
    ),
  ).toBeNull();
  expect(
    timingOf(
      { replicaType: "REAL_TIME", setting: { ...SETTING, executionPlan: cron } },
      "UTC",
    ),
  ).toBeNull();
  expect(
    timingOf(
      { replicaType: "RUN_ONCE", setting: { ...SETTING, executionPlan: cron } },
      "UTC",
    ),
  ).toBeNull();
});
