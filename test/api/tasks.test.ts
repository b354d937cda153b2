import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eq } from "drizzle-orm";
import { task } from "../../db/schema/tasks.ts";
import { addDetails, addRecord, endRecord, setPlanned } from "../rigs/db/rows.ts";
import {
  createTaskApi,
  type Info,
  INSTANCE,
  planned,
  TASK,
  type TaskApi,
} from "../rigs/api/api-task-fixture.ts";

let api: TaskApi;
beforeEach(() => {
  api = createTaskApi();
});
afterEach(() => api.close());

describe("the state of a task", () => {
  test("the state of a task, with its counts and bytes, follows from its executions", async () => {
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

  test.each(["info", "detail"])(
    "the endpoint %s answers that the task of an unknown key is not found",
    async (what) => {
      const answer = await api.call("GET", `${TASK}/${what}/nope`);
      expect([answer.status, answer.code, answer.message]).toEqual([
        400,
        250310,
        "replica task [nope] is not found",
      ]);
    },
  );
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

  test("pages of tasks list the newest first, and filter by beginning of name, status and enabled", async () => {
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

  test("pages of tasks are sorted in both directions, by CREATE_TIME and CREATED_TIME alike", async () => {
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

  test("page numbers 0 and 1 both return the first page of tasks, and each page has the totals", async () => {
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
