import { setTimeout as sleep } from "node:timers/promises";
import { msToTs, requiredTsToDate } from "@temporalio/common/lib/time.js";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { cluster, task } from "../../db/schema/tasks.ts";
import { dueTime } from "../../domain/firing.ts";
import { type Control, startControl, until } from "../rigs/runs/schedule-fixture.ts";

const EVERY_2_S = { cron: "*/2 * * * * ?" };
const YEARLY = { cron: "0 0 0 1 1 ?" };
const inUtc = (time: string | null) => Date.parse(`${time}Z`);
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

let control: Control;
let stopRuns: () => Promise<void>;

beforeAll(async () => {
  control = await startControl({ address: inject("temporalAddress"), catchUpWindow: 60_000 });
  stopRuns = await control.startRuns();
});
beforeEach(() => {
  control.up.temporal = true;
});
afterAll(async () => {
  await control.close();
  await stopRuns();
});

const finished = (key: string, count: number) =>
  until(`${count} records`, () => control.records(key).filter(({ status }) => status !== "RUNNING").length >= count);
const running = (key: string) => until("a run", () => control.records(key).find(({ status }) => status === "RUNNING"));
const skipped = (key: string, count: number) => until(`${count} skips`, () => control.row(key).skippedTimes >= count);
const isGone = (key: string) =>
  control
    .schedule(key)
    .describe()
    .then(
      () => false,
      () => true,
    );

describe("a cron task", () => {
  test("runs again and again by itself, each time of its cron once, and always shows a next time that is to come", async () => {
    const key = await control.create(EVERY_2_S);
    while (control.records(key).length < 3) {
      const before = Date.now();
      expect(inUtc((await control.info(key)).nextExecutionTime)).toBeGreaterThan(before);
      await sleep(100);
    }
    await control.toggle(key);
    await finished(key, 3);
    const due = control.records(key).map(({ workflowId }) => dueTime(workflowId) ?? 0);
    expect(due.every((time, index) => time % 2000 === 0 && time > (due[index - 1] ?? 0))).toBe(true);
    expect(control.row(key)).toMatchObject({ executionTimes: due.length, lastExecutionStatus: "SUCCESS" });
    expect((await control.info(key)).nextExecutionTime).toBeNull();
  });

  test("counts a firing that Temporal skips because a run goes on, once, and makes no record of it", async () => {
    const key = await control.create(EVERY_2_S, { blocked: true });
    await running(key);
    const server = async () => (await control.schedule(key).describe()).info.numActionsSkippedOverlap;
    await until("two skips", async () => (await server()) >= 2);
    await control.toggle(key);
    const skips = await server();
    await control.stop(key);
    await finished(key, 1);
    await skipped(key, skips);
    await Promise.all([control.schedules.align(key), control.schedules.reconcile()]);
    const { skippedTimes, lastSkippedTime, executionTimes } = control.row(key);
    expect({ skippedTimes, executionTimes }).toEqual({ skippedTimes: skips, executionTimes: 1 });
    expect(lastSkippedTime).toSatisfy((time: number) => time % 2000 === 0 && Date.now() - time < 10_000);
  });

  test("counts a firing that finds a run started by hand", async () => {
    const key = await control.create(YEARLY, { blocked: true });
    await control.execute(key);
    await control.update(key, EVERY_2_S);
    await skipped(key, 2);
    await control.toggle(key);
    await control.stop(key);
    await finished(key, 1);
    expect(control.records(key)).toHaveLength(1);
    expect(control.records(key)[0]).toMatchObject({ status: "FAILED", errorReason: "stopped by admin" });
  });

  test("does not fire while disabled, which leaves its run alone, and fires again when enabled", async () => {
    const key = await control.create(EVERY_2_S, { blocked: true });
    const { id } = await running(key);
    await control.toggle(key);
    expect((await control.schedule(key).describe()).state.paused).toBe(true);
    expect(control.records(key)).toMatchObject([{ id, status: "RUNNING" }]);
    await control.stop(key);
    await finished(key, 1);
    const seen = control.row(key).skippedTimes;
    await sleep(4_500);
    expect(control.records(key)).toHaveLength(1);
    expect(control.row(key).skippedTimes).toBe(seen);
    await control.toggle(key);
    expect(inUtc((await control.info(key)).nextExecutionTime) - Date.now()).toBeLessThanOrEqual(2000);
    await until("a second run", () => control.records(key).length === 2);
    await control.remove(key);
  });

  test("follows a change at once, and a run that goes on keeps what it began with", async () => {
    const key = await control.create(YEARLY, { blocked: true });
    await control.execute(key);
    const { id } = await running(key);
    await control.update(key, EVERY_2_S);
    expect(inUtc((await control.info(key)).nextExecutionTime) - Date.now()).toBeLessThanOrEqual(2000);
    expect(control.records(key)).toMatchObject([
      { id, status: "RUNNING", snapshot: { objects: [{ localRepoName: "images" }] } },
    ]);
    await control.stop(key);
    await until("a run of the new kind", () =>
      control
        .records(key)
        .some(({ status, snapshot }) => status === "SUCCESS" && snapshot.objects[0]?.localRepoName === "files"),
    );
    await control.update(key, YEARLY);
    const count = control.records(key).length;
    await sleep(3_000);
    expect(control.records(key).length).toBeLessThanOrEqual(count + 1);
    expect((await control.info(key)).nextExecutionTime).toBe(`${new Date().getUTCFullYear() + 1}-01-01T00:00:00.000`);
  });

  test("leaves nothing behind when it is deleted, its run included", async () => {
    const key = await control.create(EVERY_2_S, { blocked: true });
    const { workflowId } = await running(key);
    await control.remove(key);
    expect(await isGone(key)).toBe(true);
    expect(control.records(key)).toEqual([]);
    await until(
      "the run's end",
      async () => (await control.client.workflow.getHandle(workflowId).describe()).status.name !== "RUNNING",
    );
  });

  test("does not run by a schedule that lags behind its task", async () => {
    const key = await control.create(EVERY_2_S);
    await finished(key, 1);
    control.up.temporal = false;
    // What was under way has ended when this has had its turn.
    await control.schedules.align(key);
    await control.update(key, YEARLY);
    const count = control.records(key).length;
    await until(
      "two more firings",
      async () => (await control.schedule(key).describe()).info.numActionsTaken > count + 1,
    );
    expect(control.records(key)).toHaveLength(count);
    control.up.temporal = true;
    await control.schedules.reconcile();
    expect((await control.schedule(key).describe()).info.nextActionTimes[0]?.getTime()).toBe(
      control.row(key).nextExecutionTime,
    );
    await control.remove(key);
  });

  test.each([
    ["America/New_York", "30 1 * * *", "2027-11-07T00:00:00Z"],
    ["America/New_York", "30 2 * * *", "2027-03-14T00:00:00Z"],
    ["Europe/Berlin", "0 30 2 ? * SUN", "2027-10-31T00:00:00Z"],
    ["Australia/Lord_Howe", "15 0/10 1-2 L * ?", "2027-10-01T00:00:00Z"],
    ["Asia/Shanghai", "0 0 9 15W * ?", "2027-02-01T00:00:00Z"],
  ])(
    "in %s with %s shows the next time that its schedule has, clock changes included",
    async (timeZone, cron, from) => {
      const key = await control.create({ cron }, { timeZone, enabled: false });
      const { nextActionTimes } = (await control.schedule(key).describe()).info;
      await control.toggle(key);
      expect(inUtc((await control.info(key)).nextExecutionTime)).toBe(nextActionTimes[0]?.getTime());
      const { startTime } = await control.client.workflowService.listScheduleMatchingTimes({
        namespace: "default",
        scheduleId: control.schedule(key).scheduleId,
        startTime: msToTs(Date.parse(from)),
        endTime: msToTs(Date.parse(from) + 8 * 86_400_000),
      });
      const times = startTime.map((each) => requiredTsToDate(each, "startTime").getTime());
      for (const [index, time] of times.entries()) {
        const before = times[index - 1] ?? Date.parse(from);
        control.db.update(task).set({ nextExecutionTime: before }).where(eq(task.key, key)).run();
        expect(await shownAt(key, before)).toBe(time);
      }
      await control.remove(key);
    },
  );
});

/** The next time that the API would show at that moment. */
async function shownAt(key: string, now: number): Promise<number> {
  const real = control.api.deps.now;
  control.api.deps.now = () => now;
  try {
    return inUtc((await control.info(key)).nextExecutionTime);
  } finally {
    control.api.deps.now = real;
  }
}

describe("a task for one time", () => {
  test("runs then, once, and is completed", async () => {
    const at = inSeconds(3);
    const key = await control.create({ at });
    expect((await control.info(key)).nextExecutionTime).toBe(at.slice(0, -1));
    await finished(key, 1);
    const [record] = control.records(key);
    const late = (record?.startTime ?? 0) - Date.parse(at);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(5_000);
    expect(await control.info(key)).toMatchObject({ nextExecutionTime: null, status: "COMPLETED", executionTimes: 1 });
    await until("the schedule's end", () => isGone(key));
    await control.schedules.reconcile();
    expect(await isGone(key)).toBe(true);
  });

  test("runs again when it gets another time", async () => {
    const key = await control.create({ at: inSeconds(2) });
    await finished(key, 1);
    await control.update(key, { at: inSeconds(3) });
    await finished(key, 2);
    expect(await control.info(key)).toMatchObject({ nextExecutionTime: null, status: "COMPLETED" });
  });

  test("ends FAILED as missed when it is enabled only after its time", async () => {
    const at = inSeconds(2);
    const key = await control.create({ at }, { enabled: false });
    await until("its time", () => Date.now() > Date.parse(at) + 1_500);
    expect(control.records(key)).toEqual([]);
    await control.toggle(key);
    expect(control.records(key)).toMatchObject([
      { status: "FAILED", errorReason: expect.stringMatching(/^missed: it was due at /) },
    ]);
    expect(await control.info(key)).toMatchObject({
      status: "COMPLETED",
      executionTimes: 1,
      lastExecutionStatus: "FAILED",
      nextExecutionTime: null,
    });
    await control.toggle(key);
    await control.toggle(key);
    expect(control.records(key)).toHaveLength(1);
    expect(await isGone(key)).toBe(true);
  });

  test("does not run while disabled, and runs when it is enabled before its time", async () => {
    const key = await control.create({ at: inSeconds(5) }, { enabled: false });
    expect((await control.schedule(key).describe()).state.paused).toBe(true);
    await control.toggle(key);
    await finished(key, 1);
    expect(control.records(key)).toMatchObject([{ status: "SUCCESS" }]);
  });
});

describe("a task that starts immediately", () => {
  test("starts within a second of its creation and gets no schedule", async () => {
    const begun = Date.now();
    const key = await control.create("immediately");
    expect(control.records(key)[0]?.startTime).toBeLessThan(begun + 1_000);
    await finished(key, 1);
    expect(await isGone(key)).toBe(true);
  });

  test("starts when it is first enabled, and never again by itself", async () => {
    const key = await control.create("immediately", { enabled: false });
    expect(control.records(key)).toEqual([]);
    await control.toggle(key);
    await finished(key, 1);
    await control.toggle(key);
    await control.toggle(key);
    await control.update(key, "immediately");
    expect(control.records(key)).toHaveLength(1);
  });

  test("loses its schedule when it had one", async () => {
    const key = await control.create(YEARLY);
    await control.update(key, "immediately");
    expect(await isGone(key)).toBe(true);
    await finished(key, 1);
  });
});

test("a distribution that turns from its cron to real time has no schedule any more, and one again when it turns back", async () => {
  const at = "/replication/api/remote/distribution";
  const target = control.db.select({ id: cluster.id }).from(cluster).where(eq(cluster.name, "target")).get();
  const by = (replicaType: string) => ({
    clusterId: target?.id,
    replicaType,
    setting: { executionPlan: { cronExpression: YEARLY.cron } },
  });
  const update = (replicaType: string) =>
    control.api.call("POST", `${at}/update/shop/files/turning`, { body: by(replicaType) });
  await control.api.call("POST", `${at}/create/shop/files`, {
    body: { configs: [{ name: "turning", ...by("SCHEDULED") }] },
  });
  const key =
    control.db.select({ key: task.key }).from(task).where(eq(task.name, "shop/files/turning")).get()?.key ?? "";
  expect(await isGone(key)).toBe(false);
  expect((await update("REAL_TIME")).code).toBe(0);
  expect(await isGone(key)).toBe(true);
  expect((await update("SCHEDULED")).code).toBe(0);
  expect(await isGone(key)).toBe(false);
  expect((await control.info(key)).nextExecutionTime).not.toBeNull();
});
