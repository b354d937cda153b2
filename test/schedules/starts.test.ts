import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { cluster, task } from "../../db/schema/tasks.ts";
import {
  type Control,
  finished,
  isGone,
  startControl,
  until,
} from "../rigs/runs/schedule-fixture.ts";

const YEARLY = { cron: "0 0 0 1 1 ?" };
/** Builds a time until which a test has created its task on any machine. */
const soon = () => new Date(Date.now() + 30_000).toISOString();

let control: Control;
let stopRuns: () => Promise<void>;

beforeAll(async () => {
  control = await startControl({
    address: inject("temporalAddress"),
    catchUpWindow: 60_000,
  });
  stopRuns = await control.startRuns();
});
afterAll(async () => {
  await control.close();
  await stopRuns();
});

describe.concurrent("a task with a specified time", () => {
  test("a task with a specified time runs once at that time and is completed", async () => {
    const at = soon();
    const key = await control.create({ at });
    expect((await control.info(key)).nextExecutionTime).toBe(at.slice(0, -1));
    await finished(control, key, 1);
    const [record] = control.records(key);
    const late = (record?.startTime ?? 0) - Date.parse(at);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(60_000);
    expect(await control.info(key)).toMatchObject({
      nextExecutionTime: null,
      status: "COMPLETED",
      executionTimes: 1,
    });
    await until("the schedule's end", () => isGone(control, key));
    await control.schedules.reconcile();
    expect(await isGone(control, key)).toBe(true);
  });

  test("a completed task with a specified time runs again when it gets another time", async () => {
    const key = await control.create({ at: soon() });
    await finished(control, key, 1);
    await control.update(key, { at: soon() });
    await finished(control, key, 2);
    expect(await control.info(key)).toMatchObject({
      nextExecutionTime: null,
      status: "COMPLETED",
    });
  });

  test("a task that is enabled only after its specified time fails as missed", async () => {
    const at = soon();
    const key = await control.create({ at }, { enabled: false });
    await until("the specified time", () => Date.now() > Date.parse(at) + 1_500);
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
    expect(await isGone(control, key)).toBe(true);
  });

  test("a disabled task runs at its specified time if it is enabled before", async () => {
    const key = await control.create({ at: soon() }, { enabled: false });
    expect((await control.schedule(key).describe()).state.paused).toBe(true);
    await control.toggle(key);
    await finished(control, key, 1);
    expect(control.records(key)).toMatchObject([{ status: "SUCCESS" }]);
  });
});

describe("a task that starts immediately", () => {
  test("a task that starts immediately has its run when it is saved, and has no schedule", async () => {
    const key = await control.create("immediately");
    expect(control.records(key)).toHaveLength(1);
    await finished(control, key, 1);
    expect(await isGone(control, key)).toBe(true);
  });

  test("a disabled task that starts immediately starts when it is first enabled, and only then", async () => {
    const key = await control.create("immediately", { enabled: false });
    expect(control.records(key)).toEqual([]);
    await control.toggle(key);
    await finished(control, key, 1);
    await control.toggle(key);
    await control.toggle(key);
    await control.update(key, "immediately");
    expect(control.records(key)).toHaveLength(1);
  });

  test("a cron task that is changed to start immediately loses its schedule", async () => {
    const key = await control.create(YEARLY);
    await control.update(key, "immediately");
    expect(await isGone(control, key)).toBe(true);
    await finished(control, key, 1);
  });
});

test("a distribution has a schedule while it is SCHEDULED, and none while it is REAL_TIME", async () => {
  const at = "/replication/api/remote/distribution";
  const target = control.db
    .select({ id: cluster.id })
    .from(cluster)
    .where(eq(cluster.name, "target"))
    .get();
  const by = (replicaType: string) => ({
    clusterId: target?.id,
    replicaType,
    setting: { executionPlan: { cronExpression: YEARLY.cron } },
  });
  const update = (replicaType: string) =>
    control.api.call("POST", `${at}/update/shop/files/turning`, {
      body: by(replicaType),
    });
  await control.api.call("POST", `${at}/create/shop/files`, {
    body: { configs: [{ name: "turning", ...by("SCHEDULED") }] },
  });
  const key =
    control.db
      .select({ key: task.key })
      .from(task)
      .where(eq(task.name, "shop/files/turning"))
      .get()?.key ?? "";
  expect(await isGone(control, key)).toBe(false);
  expect((await update("REAL_TIME")).code).toBe(0);
  expect(await isGone(control, key)).toBe(true);
  expect((await update("SCHEDULED")).code).toBe(0);
  expect(await isGone(control, key)).toBe(false);
  expect((await control.info(key)).nextExecutionTime).not.toBeNull();
});
