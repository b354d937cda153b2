import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eq } from "drizzle-orm";
import { plan } from "../../db/schema/plans.ts";
import { detail, record, tally } from "../../db/schema/records.ts";
import { cluster, task, taskCluster, taskObject } from "../../db/schema/tasks.ts";
import {
  addDetails,
  addManyDetails,
  addRecord,
  endRecord,
  setPlanned,
} from "../rigs/api/api-rows.ts";
import {
  type Changes,
  createTaskApi,
  FILES,
  IMAGES,
  type Info,
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

describe("the state of a task", () => {
  test("the state of a task is what its executions make it, bytes included", async () => {
    const { key } = await api.created({
      setting: { executionPlan: { cronExpression: "0 0 2 * * ?" } },
    });
    const run = addRecord(api.db, key, api.time.now + 1000);
    setPlanned(api.db, run, 3, 300);
    addDetails(api.db, [
      { recordId: run, clusterId: INSTANCE, artifactName: "/a", size: 100 },
      {
        recordId: run,
        clusterId: INSTANCE,
        artifactName: "/b",
        seq: 2,
        status: "RUNNING",
        bytesSent: 40,
      },
      {
        recordId: run,
        clusterId: INSTANCE,
        artifactName: "found",
        seq: 3,
        size: 7,
        sizePlanned: false,
      },
    ]);
    expect(await api.info(key)).toMatchObject({
      status: "REPLICATING",
      lastExecutionStatus: "RUNNING",
      executionTimes: 1,
      replicatedBytes: 147,
      totalBytes: 307,
      lastExecutionTime: "2030-01-01T08:00:01.000",
    });
    endRecord(api.db, run, "FAILED", api.time.now + 2000);
    expect(await api.info(key)).toMatchObject({
      status: "WAITING",
      lastExecutionStatus: "FAILED",
    });
    const once = await api.created({ name: "once" });
    endRecord(api.db, addRecord(api.db, once.key, api.time.now), "SUCCESS", api.time.now);
    expect(await api.info(once.key)).toMatchObject({
      status: "COMPLETED",
      nextExecutionTime: null,
    });
    const live = await api.created({ name: "live", replicaType: "REAL_TIME" });
    expect(live).toMatchObject({ status: "REPLICATING", nextExecutionTime: null });
    await api.call("POST", `${TASK}/toggle/status/${live.key}`);
    expect(await api.info(live.key)).toMatchObject({ status: "WAITING" });
  });

  test.each(["info", "detail"])("an unknown key is refused by %s", async (what) => {
    const answer = await api.call("GET", `${TASK}/${what}/nope`);
    expect([answer.status, answer.code, answer.message]).toEqual([
      400,
      250310,
      "replica task [nope] is not found",
    ]);
  });
});

const pageOf = async (query: string) =>
  (await api.call("GET", `${TASK}/page/p?${query}`)).data as {
    records: Info[];
    totalRecords: number;
    totalPages: number;
    pageNumber: number;
    count: number;
    page: number;
  };
const names = async (query: string) =>
  (await pageOf(query)).records.map(({ name }) => name);

describe("pages of tasks", () => {
  beforeEach(async () => {
    for (const [i, name] of ["test_1", "test%2", "Test 3", "other"].entries()) {
      const { key } = await api.created({
        name,
        enabled: i !== 2,
        ...(i === 0 ? planned("CRON_EXPRESSION", { cronExpression: "0 0 2 * * ?" }) : {}),
      });
      api.db
        .update(task)
        .set({
          createdDate: api.time.now + i,
          ...(i === 1
            ? { lastExecutionStatus: "SUCCESS", lastExecutionTime: api.time.now }
            : {}),
        })
        .where(eq(task.key, key))
        .run();
    }
  });

  test("pages of tasks come newest first, filtered by the beginning of the name, status and enabled", async () => {
    expect(await names("")).toEqual(["other", "Test 3", "test%2", "test_1"]);
    expect(await names("name=test")).toEqual(["test%2", "test_1"]);
    expect(await names("name=test_")).toEqual(["test_1"]);
    expect(await names("name=test%25")).toEqual(["test%2"]);
    expect(await names("name=.*")).toEqual([]);
    expect(await names("lastExecutionStatus=SUCCESS")).toEqual(["test%2"]);
    expect(await names("enabled=false")).toEqual(["Test 3"]);
    expect((await api.call("GET", `${TASK}/page/q`)).data).toMatchObject({
      totalRecords: 0,
      totalPages: 0,
      records: [],
    });
  });

  test("pages of tasks are sorted by either spelling, both ways", async () => {
    expect(await names("sortType=CREATE_TIME&sortDirection=ASC")).toEqual([
      "test_1",
      "test%2",
      "Test 3",
      "other",
    ]);
    expect(await names("sortType=CREATED_TIME&pageSize=1")).toEqual(["other"]);
    expect((await names("sortType=LAST_EXECUTION_TIME"))[0]).toBe("test%2");
    expect((await names("sortType=NEXT_EXECUTION_TIME"))[0]).toBe("test_1");
    const answer = await api.call("GET", `${TASK}/page/p?sortDirection=desc`);
    expect([answer.code, answer.message]).toEqual([
      250105,
      expect.stringContaining("[sortDirection]"),
    ]);
  });

  test("pages of tasks begin with 0 and with 1, echo the number and say how many there are", async () => {
    expect(await pageOf("pageNumber=0&pageSize=3")).toMatchObject({
      pageNumber: 0,
      page: 0,
      pageSize: 3,
      totalRecords: 4,
      count: 4,
      totalPages: 2,
      records: [{ name: "other" }, {}, {}],
    });
    expect(await pageOf("pageNumber=1&pageSize=3")).toMatchObject({
      pageNumber: 1,
      records: [{ name: "other" }, {}, {}],
    });
    expect(await names("pageNumber=2&pageSize=3")).toEqual(["test_1"]);
    expect(await names("pageNumber=999999999&pageSize=1000")).toEqual([]);
  });
});

const update = (key: string, changes: Changes = {}) =>
  api.call("POST", `${TASK}/update`, {
    body: { ...taskBody(), setting: undefined, key, ...changes },
  });

describe("changing a task", () => {
  test("changing a task keeps id, key, records and a setting that is not sent", async () => {
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

  test("changing a task moves the next execution with the plan", async () => {
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

  test("changing a task accepts a cron of earlier releases that Quartz refuses, if it is unchanged", async () => {
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

  test("changing a task accepts a time that has passed since, if it is unchanged", async () => {
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
    ["too long a retention", { recordReserveDays: 90 }, 250105],
    ["no objects", { replicaTaskObjects: [] }, 250104],
  ])("changing a task refuses %s and changes nothing", async (_case, changes, code) => {
    const { key } = await api.created();
    await api.created({ name: "taken" });
    const before = await api.info(key);
    expect((await update(key, changes)).code).toBe(code);
    expect(await api.info(key)).toEqual(before);
  });

  test("changing a task refuses to rename what belongs to a distribution", async () => {
    const { key } = await api.created();
    api.db
      .update(task)
      .set({ kind: "config", name: "p/files/n" })
      .where(eq(task.key, key))
      .run();
    expect((await update(key, { name: "another" })).code).toBe(250105);
    expect((await update(key, { name: "p/files/n" })).code).toBe(0);
  });

  test("real time stays refused on a linked repository", async () => {
    const { key } = await api.created({ replicaType: "REAL_TIME" });
    expect((await update(key, { replicaTaskObjects: [IMAGES] })).message).toMatch(
      /CRON_EXPRESSION/,
    );
  });
});

const copy = (changes: Changes) =>
  api.call("POST", `${TASK}/copy`, { body: { name: "copy", ...changes } });

describe("copying a task", () => {
  test("copying a task makes a disabled one that has never run, with the same objects and clusters", async () => {
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
  ])("copying a task refuses %s", async (_case, changes, code) => {
    const { key } = await api.created();
    expect((await copy({ key, ...changes })).code).toBe(code);
  });

  test("copying a task refuses to share the cluster of a distribution", async () => {
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

  test("execute starts a task, unless it is disabled or follows uploads", async () => {
    const { key } = await api.created();
    api.started.splice(0);
    expect((await api.call("POST", `${TASK}/execute/${key}`)).data).toBeNull();
    expect(api.started).toEqual([`start ${key}`]);
    await api.call("POST", `${TASK}/toggle/status/${key}`);
    expect((await api.call("POST", `${TASK}/execute/${key}`)).code).toBe(250304);
    const live = await api.created({ name: "live", replicaType: "REAL_TIME" });
    expect((await api.call("POST", `${TASK}/execute/${live.key}`)).code).toBe(250303);
  });

  test("stop says whether a run was stopped", async () => {
    const { key } = await api.created();
    expect((await api.call("POST", `${TASK}/stop/${key}`)).data).toEqual({
      stopped: true,
    });
  });

  test.each(["toggle/status", "execute", "stop"])(
    "an unknown key is refused by %s",
    async (what) => {
      expect((await api.call("POST", `${TASK}/${what}/nope`)).code).toBe(250310);
    },
  );
});

describe("deleting a task", () => {
  test("deleting a task stops it first, then takes everything of it and nothing of others", async () => {
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

  test("deleting a task with an unknown key is a success", async () => {
    expect(await api.call("DELETE", `${TASK}/delete/nope`)).toMatchObject({
      status: 200,
      code: 0,
      data: null,
    });
  });
});
