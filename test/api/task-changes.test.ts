import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eq } from "drizzle-orm";
import { plan } from "../../db/schema/plans.ts";
import { detail, record, tally } from "../../db/schema/records.ts";
import { cluster, task, taskCluster, taskObject } from "../../db/schema/tasks.ts";
import { addManyDetails, addRecord } from "../rigs/db/rows.ts";
import {
  type Changes,
  createTaskApi,
  FILES,
  IMAGES,
  INSTANCE,
  planned,
  REGISTRY,
  TASK,
  type TaskApi,
  taskBody,
} from "../rigs/api/api-task-fixture.ts";

let api: TaskApi;
beforeEach(() => {
  api = createTaskApi();
});
afterEach(() => api.close());

const update = (key: string, changes: Changes = {}) =>
  api.call("POST", `${TASK}/update`, {
    body: { ...taskBody(), setting: undefined, key, ...changes },
  });

describe("changing a task", () => {
  test("changing a task keeps its id, key and records, and its setting if the request has none", async () => {
    const before = await api.created({
      setting: { rateLimit: 5, executionPlan: { cronExpression: "0 0 2 * * ?" } },
      description: "old",
    });
    addRecord(api.db, before.key, api.time.now);
    api.started.splice(0);
    const answer = await update(before.key, {
      name: "renamed",
      remoteClusterIds: [INSTANCE, REGISTRY],
      recordReserveDays: 7,
      record: false,
    });
    expect([answer.status, answer.data]).toEqual([200, null]);
    const after = await api.info(before.key);
    expect(after).toMatchObject({
      id: before["id"],
      name: "renamed",
      description: null,
      recordReserveDays: 7,
      record: false,
      setting: before["setting"],
      executionTimes: 1,
      lastExecutionStatus: "RUNNING",
      nextExecutionTime: before["nextExecutionTime"],
    });
    expect(after["remoteClusters"]).toHaveLength(2);
    expect(api.started).toEqual([`saved ${before.key}`]);
  });

  test("changing a task's schedule changes its next execution time", async () => {
    const { key } = await api.created(
      planned("CRON_EXPRESSION", { cronExpression: "0 0 2 * * ?" }),
    );
    await update(key, planned("CRON_EXPRESSION", { cronExpression: "0 30 9 * * ?" }));
    expect(await api.info(key)).toMatchObject({
      nextExecutionTime: "2030-01-01T09:30:00.000",
    });
    await update(key, planned("IMMEDIATELY", { executeImmediately: true }));
    expect(await api.info(key)).toMatchObject({ nextExecutionTime: null });
  });

  test("changing a task accepts an unchanged cron expression of an earlier release that is now invalid", async () => {
    const cron = (cronExpression: string) =>
      planned("CRON_EXPRESSION", { cronExpression });
    const { key } = await api.created(cron("0 0 2 * * ?"));
    api.db.$client
      .prepare(
        "UPDATE task SET setting = replace(setting, '0 0 2 * * ?', '0 0 2 ? * ?') WHERE key = ?",
      )
      .run(key);
    expect((await update(key)).code).toBe(0);
    expect((await update(key, cron("0 0 2 ? * ?"))).code).toBe(0);
    expect(await api.info(key)).toMatchObject({
      nextExecutionTime: "2030-01-02T02:00:00.000",
    });
    expect((await update(key, cron("0 0 3 ? * ?"))).code).toBe(250105);
  });

  test("changing a task accepts an unchanged start time that has passed since", async () => {
    const soon = planned("SPECIFIED_TIME", { executeTime: "2030-01-01T08:00:01" });
    const { key } = await api.created(soon);
    api.time.now += 60_000;
    expect((await update(key)).code).toBe(0);
    expect((await update(key, soon)).code).toBe(0);
    expect(await api.info(key)).toMatchObject({ nextExecutionTime: null });
    expect(
      (
        await update(
          key,
          planned("SPECIFIED_TIME", { executeTime: "2030-01-01T08:00:02" }),
        )
      ).code,
    ).toBe(250105);
  });

  test.each<[string, Changes, number]>([
    ["an unknown key", { key: "nope" }, 250310],
    ["another task's name", { name: "taken" }, 250107],
    ["no clusters", { remoteClusterIds: [] }, 250104],
    ["an unknown cluster", { remoteClusterIds: ["x"] }, 250306],
    [
      "an unknown repository",
      { replicaTaskObjects: [{ ...FILES, localRepoName: "x" }] },
      251006,
    ],
    ["a retention of 90 days", { recordReserveDays: 90 }, 250105],
    ["no objects", { replicaTaskObjects: [] }, 250104],
  ])(
    "changing a task with %s is refused and changes nothing",
    async (_case, changes, code) => {
      const { key } = await api.created();
      await api.created({ name: "taken" });
      const before = await api.info(key);
      expect((await update(key, changes)).code).toBe(code);
      expect(await api.info(key)).toEqual(before);
    },
  );

  test("changing a task of a distribution is refused if it renames the task", async () => {
    const { key } = await api.created();
    api.db
      .update(task)
      .set({ kind: "config", name: "p/files/n" })
      .where(eq(task.key, key))
      .run();
    expect((await update(key, { name: "another" })).code).toBe(250105);
    expect((await update(key, { name: "p/files/n" })).code).toBe(0);
  });

  test("changing a REAL_TIME task to a linked repository is refused", async () => {
    const { key } = await api.created({ replicaType: "REAL_TIME" });
    expect((await update(key, { replicaTaskObjects: [IMAGES] })).message).toMatch(
      /CRON_EXPRESSION/,
    );
  });
});

const copy = (changes: Changes) =>
  api.call("POST", `${TASK}/copy`, { body: { name: "copy", ...changes } });

describe("copying a task", () => {
  test("copying a task creates a disabled task without executions, with the same objects and clusters", async () => {
    const { key } = await api.created({
      ...planned("CRON_EXPRESSION", { cronExpression: "0 0 2 * * ?" }),
      description: "original",
    });
    addRecord(api.db, key, api.time.now);
    api.started.splice(0);
    expect((await copy({ key })).data).toBeNull();
    const row = api.db.select().from(task).where(eq(task.name, "copy")).get();
    expect(row).toMatchObject({
      enabled: false,
      executionTimes: 0,
      lastExecutionStatus: null,
      nextExecutionTime: null,
      description: null,
    });
    const { data } = await api.call("GET", `${TASK}/detail/${row?.key}`);
    expect(data).toMatchObject({
      task: { remoteClusters: [{ id: INSTANCE }] },
      objects: [FILES],
    });
    expect(api.started).toEqual([]);
  });

  test.each<[string, Changes, number]>([
    ["a taken name", { name: "nightly" }, 250107],
    ["a blank name", { name: " " }, 250104],
    ["a short name", { name: "x" }, 250105],
    ["an unknown key", { key: "nope" }, 250310],
  ])("copying a task with %s is refused", async (_case, changes, code) => {
    const { key } = await api.created();
    expect((await copy({ key, ...changes })).code).toBe(code);
  });

  test("copying a task that uses the cluster of a distribution is refused", async () => {
    const { key } = await api.created();
    api.db
      .update(cluster)
      .set({ ownerTaskKey: key })
      .where(eq(cluster.id, INSTANCE))
      .run();
    expect((await copy({ key })).code).toBe(250112);
  });
});

describe("enabling, executing and stopping tasks", () => {
  test("toggling a task pauses and resumes its schedule", async () => {
    const { key } = await api.created(
      planned("CRON_EXPRESSION", { cronExpression: "0 0 2 * * ?" }),
    );
    api.started.splice(0);
    await api.call("POST", `${TASK}/toggle/status/${key}`);
    expect(await api.info(key)).toMatchObject({
      enabled: false,
      nextExecutionTime: null,
    });
    await api.call("POST", `${TASK}/toggle/status/${key}`);
    expect(await api.info(key)).toMatchObject({
      enabled: true,
      nextExecutionTime: "2030-01-02T02:00:00.000",
    });
    expect(api.started).toEqual([`saved ${key}`, `saved ${key}`]);
  });

  test("executing a task starts it, unless it is disabled or of type REAL_TIME", async () => {
    const { key } = await api.created();
    api.started.splice(0);
    expect((await api.call("POST", `${TASK}/execute/${key}`)).data).toBeNull();
    expect(api.started).toEqual([`start ${key}`]);
    await api.call("POST", `${TASK}/toggle/status/${key}`);
    expect((await api.call("POST", `${TASK}/execute/${key}`)).code).toBe(250304);
    const live = await api.created({ name: "live", replicaType: "REAL_TIME" });
    expect((await api.call("POST", `${TASK}/execute/${live.key}`)).code).toBe(250303);
  });

  test("stopping a task answers whether a run was stopped", async () => {
    const { key } = await api.created();
    expect((await api.call("POST", `${TASK}/stop/${key}`)).data).toEqual({
      stopped: true,
    });
  });

  test.each(["toggle/status", "execute", "stop"])(
    "the endpoint %s refuses the key of an unknown task",
    async (what) => {
      expect((await api.call("POST", `${TASK}/${what}/nope`)).code).toBe(250310);
    },
  );
});

describe("deleting a task", () => {
  test("deleting a task stops its run, and deletes all its rows and none of other tasks", async () => {
    const { key } = await api.created();
    const other = await api.created({ name: "other" });
    for (const [i, owner] of [key, other.key].entries()) {
      const run = addRecord(api.db, owner, api.time.now);
      addManyDetails(api.db, run, INSTANCE, 2_500);
      api.db
        .insert(plan)
        .values({ recordId: run, object: 0, seq: 1, name: `/${i}` })
        .run();
    }
    api.db
      .update(cluster)
      .set({ ownerTaskKey: key })
      .where(eq(cluster.id, REGISTRY))
      .run();
    api.started.splice(0);
    const answer = await api.call("DELETE", `${TASK}/delete/${key}`);
    expect([answer.status, answer.data]).toEqual([200, null]);
    expect(api.started).toEqual([`deleted ${key}`, `cancel ${key}`]);
    const left = [task, taskObject, taskCluster, record, plan, tally].map(
      (table) => api.db.select().from(table).all().length,
    );
    expect(left).toEqual([1, 1, 1, 1, 1, 1]);
    expect(api.db.select().from(detail).all()).toHaveLength(2_500);
    expect(
      api.db
        .select()
        .from(cluster)
        .all()
        .map(({ name }) => name),
    ).toEqual(["shanghai"]);
    expect((await api.call("GET", `${TASK}/info/${key}`)).code).toBe(250310);
  });

  test("deleting a task that does not exist succeeds", async () => {
    expect(await api.call("DELETE", `${TASK}/delete/nope`)).toMatchObject({
      status: 200,
      code: 0,
      data: null,
    });
  });
});
