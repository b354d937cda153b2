import { setTimeout as sleep } from "node:timers/promises";
import { msToTs, requiredTsToDate } from "@temporalio/common/lib/time.js";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { task } from "../../db/schema/tasks.ts";
import { dueTime } from "../../domain/firing.ts";
import {
  type Control,
  finished,
  isGone,
  startControl,
  until,
} from "../rigs/runs/schedule-fixture.ts";

const EVERY_2_S = { cron: "*/2 * * * * ?" };
const YEARLY = { cron: "0 0 0 1 1 ?" };
const inUtc = (time: string | null) => Date.parse(`${time}Z`);

let control: Control;
let stopRuns: () => Promise<void>;

beforeAll(async () => {
  control = await startControl({
    address: inject("temporalAddress"),
    catchUpWindow: 60_000,
  });
  stopRuns = await control.startRuns();
});
beforeEach(() => {
  control.up.temporal = true;
});
afterAll(async () => {
  await control.close();
  await stopRuns();
});

const running = (key: string) =>
  until("a run", () => control.records(key).find(({ status }) => status === "RUNNING"));
const skipped = (key: string, count: number) =>
  until(`${count} skips`, () => control.row(key).skippedTimes >= count);
describe("a cron task", () => {
  test("a cron task runs once at each time of its cron, and always shows a future next time", async () => {
    const key = await control.create(EVERY_2_S);
    while (control.records(key).length < 3) {
      const before = Date.now();
      expect(inUtc((await control.info(key)).nextExecutionTime)).toBeGreaterThan(before);
      await sleep(100);
    }
    await control.toggle(key);
    await until("the end of all runs", () =>
      control.records(key).every(({ status }) => status !== "RUNNING"),
    );
    const due = control.records(key).map(({ workflowId }) => dueTime(workflowId) ?? 0);
    expect(
      due.every((time, index) => time % 2000 === 0 && time > (due[index - 1] ?? 0)),
    ).toBe(true);
    expect(control.row(key)).toMatchObject({
      executionTimes: due.length,
      lastExecutionStatus: "SUCCESS",
    });
    expect((await control.info(key)).nextExecutionTime).toBeNull();
  });

  test("a cron task counts a firing that Temporal skips during a run once, without a record", async () => {
    const begun = Date.now();
    const key = await control.create(EVERY_2_S, { blocked: true });
    await running(key);
    const server = async () =>
      (await control.schedule(key).describe()).info.numActionsSkippedOverlap;
    await until("two skips", async () => (await server()) >= 2);
    await control.toggle(key);
    const skips = await server();
    await control.stop(key);
    await finished(control, key, 1);
    await skipped(key, skips);
    await Promise.all([control.schedules.align(key), control.schedules.reconcile()]);
    const { skippedTimes, lastSkippedTime, executionTimes } = control.row(key);
    expect({ skippedTimes, executionTimes }).toEqual({
      skippedTimes: skips,
      executionTimes: 1,
    });
    expect(lastSkippedTime).toSatisfy(
      (time: number) => time % 2000 === 0 && time > begun && time <= Date.now(),
    );
  });

  test("a cron task counts a firing that is skipped because of a manual run", async () => {
    const key = await control.create(YEARLY, { blocked: true });
    await control.execute(key);
    await control.update(key, EVERY_2_S);
    await skipped(key, 2);
    await control.toggle(key);
    await control.stop(key);
    await finished(control, key, 1);
    expect(control.records(key)).toHaveLength(1);
    expect(control.records(key)[0]).toMatchObject({
      status: "FAILED",
      errorReason: "stopped by admin",
    });
  });

  test("a cron task that is disabled keeps its run but does not fire until it is enabled", async () => {
    const key = await control.create(EVERY_2_S, { blocked: true });
    const { id } = await running(key);
    await control.toggle(key);
    expect((await control.schedule(key).describe()).state.paused).toBe(true);
    expect(control.records(key)).toMatchObject([{ id, status: "RUNNING" }]);
    await control.stop(key);
    await finished(control, key, 1);
    const seen = control.row(key).skippedTimes;
    await sleep(4_500);
    expect(control.records(key)).toHaveLength(1);
    expect(control.row(key).skippedTimes).toBe(seen);
    await control.toggle(key);
    expect(
      inUtc((await control.info(key)).nextExecutionTime) - Date.now(),
    ).toBeLessThanOrEqual(2000);
    await until("a second run", () => control.records(key).length === 2);
    await control.remove(key);
  });

  test("a changed cron task follows its new cron at once, and its present run goes on as it began", async () => {
    const key = await control.create(YEARLY, { blocked: true });
    await control.execute(key);
    const { id } = await running(key);
    await control.update(key, EVERY_2_S);
    expect(
      inUtc((await control.info(key)).nextExecutionTime) - Date.now(),
    ).toBeLessThanOrEqual(2000);
    expect(control.records(key)).toMatchObject([
      { id, status: "RUNNING", snapshot: { objects: [{ localRepoName: "images" }] } },
    ]);
    await control.stop(key);
    await until("a run of the new kind", () =>
      control
        .records(key)
        .some(
          ({ status, snapshot }) =>
            status === "SUCCESS" && snapshot.objects[0]?.localRepoName === "files",
        ),
    );
    await control.update(key, YEARLY);
    const count = control.records(key).length;
    await sleep(3_000);
    expect(control.records(key).length).toBeLessThanOrEqual(count + 1);
    expect((await control.info(key)).nextExecutionTime).toBe(
      `${new Date().getUTCFullYear() + 1}-01-01T00:00:00.000`,
    );
  });

  test("a deleted cron task leaves no schedule, no record and no run", async () => {
    const key = await control.create(EVERY_2_S, { blocked: true });
    const { workflowId } = await running(key);
    await control.remove(key);
    expect(await isGone(control, key)).toBe(true);
    expect(control.records(key)).toEqual([]);
    await until(
      "the run's end",
      async () =>
        (await control.client.workflow.getHandle(workflowId).describe()).status.name !==
        "RUNNING",
    );
  });

  test("a cron task does not run at its old times while its schedule is not updated yet", async () => {
    const key = await control.create(EVERY_2_S);
    await finished(control, key, 1);
    control.up.temporal = false;
    // This call queues behind earlier updates of the schedule, so they have ended when it returns.
    await control.schedules.align(key);
    await control.update(key, YEARLY);
    const count = control.records(key).length;
    await until(
      "two more firings",
      async () =>
        (await control.schedule(key).describe()).info.numActionsTaken > count + 1,
    );
    expect(control.records(key)).toHaveLength(count);
    control.up.temporal = true;
    await control.schedules.reconcile();
    expect(
      (await control.schedule(key).describe()).info.nextActionTimes[0]?.getTime(),
    ).toBe(control.row(key).nextExecutionTime);
    await control.remove(key);
  });

  test.each([
    ["America/New_York", "30 1 * * *", "2027-11-07T00:00:00Z"],
    ["America/New_York", "30 2 * * *", "2027-03-14T00:00:00Z"],
    ["Europe/Berlin", "0 30 2 ? * SUN", "2027-10-31T00:00:00Z"],
    ["Australia/Lord_Howe", "15 0/10 1-2 L * ?", "2027-10-01T00:00:00Z"],
    ["Asia/Shanghai", "0 0 9 15W * ?", "2027-02-01T00:00:00Z"],
  ])(
    "a task in %s with cron %s shows its schedule's next time, also at clock changes",
    async (timeZone, cron, from) => {
      const key = await control.create({ cron }, { timeZone, enabled: false });
      const { nextActionTimes } = (await control.schedule(key).describe()).info;
      await control.toggle(key);
      expect(inUtc((await control.info(key)).nextExecutionTime)).toBe(
        nextActionTimes[0]?.getTime(),
      );
      const { startTime } =
        await control.client.workflowService.listScheduleMatchingTimes({
          namespace: "default",
          scheduleId: control.schedule(key).scheduleId,
          startTime: msToTs(Date.parse(from)),
          endTime: msToTs(Date.parse(from) + 8 * 86_400_000),
        });
      const times = startTime.map((each) =>
        requiredTsToDate(each, "startTime").getTime(),
      );
      for (const [index, time] of times.entries()) {
        const before = times[index - 1] ?? Date.parse(from);
        control.db
          .update(task)
          .set({ nextExecutionTime: before })
          .where(eq(task.key, key))
          .run();
        expect(await shownAt(key, before)).toBe(time);
      }
      await control.remove(key);
    },
  );
});

/** Returns the next execution time that the API shows at the moment `now`. */
async function shownAt(key: string, now: number): Promise<number> {
  const real = control.api.deps.now;
  control.api.deps.now = () => now;
  try {
    return inUtc((await control.info(key)).nextExecutionTime);
  } finally {
    control.api.deps.now = real;
  }
}
