import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { takeFiring } from "../../db/runs/firings.ts";
import { plan, planObject } from "../../db/schema/plans.ts";
import { detail, halt, record, tally } from "../../db/schema/records.ts";
import { task } from "../../db/schema/tasks.ts";
import { deleteOldRecords, resetNextTimes } from "../../db/tasks/upkeep.ts";
import { firingId } from "../../domain/firing.ts";
import {
  addCluster,
  addDetails,
  addRecord,
  addRepository,
  endRecord,
} from "../rigs/db/rows.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";

const DAY = 86_400_000;
const NOW = Date.parse("2027-06-15T12:00:00Z");

let api: TestApi;
let clusterId: string;
let now: number;

beforeEach(() => {
  now = NOW;
  api = createTestApi({ now: () => now, zone: "UTC" });
  addRepository(api.db, "shop", "files", "GENERIC");
  clusterId = addCluster(api.db, "target");
});
afterEach(() => api.close());

async function create(setting: object = {}, more: object = {}): Promise<string> {
  const answer = await api.call("POST", "/replication/api/task/create", {
    body: {
      name: `task-${Math.random()}`,
      localProjectId: "shop",
      replicaObjectType: "REPOSITORY",
      replicaTaskObjects: [{ localRepoName: "files", repoType: "GENERIC" }],
      setting,
      remoteClusterIds: [clusterId],
      ...more,
    },
  });
  if (answer.code !== 0) throw new Error(answer.text);
  return (answer.data as { key: string }).key;
}

const cron = (cronExpression: string, timeZone?: string) => ({
  executionStrategy: "CRON_EXPRESSION",
  executionPlan: { cronExpression, executeImmediately: false, timeZone },
});
const at = (executeTime: string) => ({
  executionStrategy: "SPECIFIED_TIME",
  executionPlan: { executeTime, executeImmediately: false },
});
const row = (key: string) => api.db.select().from(task).where(eq(task.key, key)).get();
const info = async (key: string) =>
  (await api.call("GET", `/replication/api/task/info/${key}`)).data as Record<
    string,
    unknown
  >;

describe("old records", () => {
  /** Adds a record with a detail and the rows that belong to both. */
  function addOld(taskKey: string, age: number, running = false): string {
    const id = addRecord(api.db, taskKey, NOW - age);
    addDetails(api.db, [{ recordId: id, clusterId, artifactName: "/a" }]);
    api.db.insert(plan).values({ recordId: id, object: 0, seq: 1, name: "/a" }).run();
    api.db.insert(halt).values({ recordId: id, clusterId, reason: "enough" }).run();
    if (!running) endRecord(api.db, id, "FAILED", NOW - age);
    return id;
  }
  const rowsOf = (id: string) =>
    [detail, plan, planObject, tally, halt].map(
      (table) => api.db.select().from(table).where(eq(table.recordId, id)).all().length,
    );
  const recordIds = () =>
    api.db
      .select({ id: record.id })
      .from(record)
      .all()
      .map(({ id }) => id);

  test("records older than their task keeps them are deleted with all their rows, except running ones", async () => {
    const [short, long, busy] = [
      await create({}, { recordReserveDays: 2 }),
      await create({}, { recordReserveDays: 40 }),
      await create({}, { recordReserveDays: 1 }),
    ];
    const gone = [addOld(short, 2 * DAY + 1), addOld(long, 40 * DAY + 1)];
    const kept = [
      addOld(short, 2 * DAY - 1),
      addOld(long, 39 * DAY),
      addOld(busy, 50 * DAY, true),
    ];
    expect(await deleteOldRecords(api.db, NOW)).toBe(2);
    expect(recordIds().sort()).toEqual([...kept].sort());
    expect(gone.map(rowsOf)).toEqual(gone.map(() => [0, 0, 0, 0, 0]));
    expect(kept.map(rowsOf)).toEqual(kept.map(() => [1, 1, 1, 1, 1]));
    expect(row(short)).toMatchObject({
      executionTimes: 2,
      lastExecutionStatus: "FAILED",
    });
    expect(await deleteOldRecords(api.db, NOW)).toBe(0);
  });

  test("records of a deleted task are deleted, also RUNNING ones", async () => {
    const key = await create();
    const ids = [addOld(key, DAY / 2), addOld(key, 0, true)];
    api.db.delete(task).where(eq(task.key, key)).run();
    expect(await deleteOldRecords(api.db, NOW)).toBe(2);
    expect(ids.flatMap(rowsOf).every((count) => count === 0)).toBe(true);
  });

  test("one cleanup deletes hundreds of old records", async () => {
    const key = await create({}, { recordReserveDays: 1 });
    for (let i = 0; i < 250; i += 1) addOld(key, 2 * DAY + i);
    expect(await deleteOldRecords(api.db, NOW)).toBe(250);
    expect(recordIds()).toEqual([]);
  });
});

describe("the next execution time", () => {
  test("a task's next execution time moves on once it has passed", async () => {
    const key = await create(cron("0 0 3 * * ?"));
    expect((await info(key))["nextExecutionTime"]).toBe("2027-06-16T03:00:00.000");
    now = Date.parse("2027-06-16T03:00:00Z");
    expect((await info(key))["nextExecutionTime"]).toBe("2027-06-17T03:00:00.000");
    now = Date.parse("2027-07-01T02:59:59.999Z");
    expect((await info(key))["nextExecutionTime"]).toBe("2027-07-01T03:00:00.000");
  });

  test("task lists are sorted by the next execution time, also after it has moved on", async () => {
    const [daily, hourly] = [
      await create(cron("0 30 12 * * ?")),
      await create(cron("0 0 * * * ?")),
    ];
    const list = async () => {
      const { data } = await api.call(
        "GET",
        "/replication/api/task/page/shop?sortType=NEXT_EXECUTION_TIME&sortDirection=ASC",
      );
      return (data as { records: { key: string }[] }).records.map(({ key }) => key);
    };
    expect(await list()).toEqual([daily, hourly]);
    now = Date.parse("2027-06-15T12:30:00Z");
    expect(await list()).toEqual([hourly, daily]);
  });

  test("the next execution time is null for a disabled task, a past specified time and a cron that ended", async () => {
    const [daily, once, ending] = [
      await create(cron("0 0 3 * * ?")),
      await create(at("2027-06-15T12:30:00")),
      await create(cron("0 0 3 16 6 ? 2027")),
    ];
    await api.call("POST", `/replication/api/task/toggle/status/${daily}`);
    expect((await info(daily))["nextExecutionTime"]).toBeNull();
    now = Date.parse("2027-06-16T03:00:01Z");
    expect([
      (await info(once))["nextExecutionTime"],
      (await info(ending))["nextExecutionTime"],
    ]).toEqual([null, null]);
    await api.call("POST", `/replication/api/task/toggle/status/${daily}`);
    expect((await info(daily))["nextExecutionTime"]).toBe("2027-06-17T03:00:00.000");
  });
});

test("next execution times follow a change of the configured time zone, unless a task has its own zone", async () => {
  const [plain, zoned] = [
    await create(cron("0 0 3 * * ?")),
    await create(cron("0 0 3 * * ?", "Europe/Berlin")),
  ];
  resetNextTimes(api.db, "America/New_York", NOW);
  expect([row(plain)?.nextExecutionTime, row(zoned)?.nextExecutionTime]).toEqual([
    Date.parse("2027-06-16T07:00:00Z"),
    Date.parse("2027-06-16T01:00:00Z"),
  ]);
});

describe("a firing of a schedule", () => {
  const RULES = { localCluster: "center", zone: "UTC", window: 3_600_000 };
  const take = (key: string, due: number, schedule: string) =>
    takeFiring(
      api.db,
      {
        taskKey: key,
        workflowId: firingId({ key, name: row(key)?.name ?? "" }, due),
        schedule,
      },
      { ...RULES, now },
    );
  const daily = "0 0 12 * * ? in UTC";

  test("a firing whose first activity is repeated opens one record, and none once that record is closed", async () => {
    const key = await create(cron("0 0 12 * * ?"));
    const first = take(key, NOW, daily);
    expect(first.kind).toBe("opened");
    now += 5 * 3_600_000;
    expect(take(key, NOW, daily)).toEqual(first);
    if (first.kind === "opened") endRecord(api.db, first.recordId, "SUCCESS", now);
    expect(take(key, NOW, daily)).toEqual({ kind: "stale" });
    expect(row(key)).toMatchObject({ executionTimes: 1, settledTime: NOW });
  });

  test("a firing counts once, even if it has an older release's workflow id or its task was renamed", async () => {
    const key = await create(cron("0 0 12 * * ?"));
    const named = (workflowId: string) =>
      takeFiring(
        api.db,
        { taskKey: key, workflowId, schedule: daily },
        { ...RULES, now },
      );
    const older = `repl/${key}-2027-06-15T12:00:00Z`;
    const first = named(older);
    expect(first.kind).toBe("opened");
    expect(take(key, NOW, daily)).toEqual({ kind: "stale" });
    expect(named(firingId({ key, name: "renamed" }, NOW))).toEqual({ kind: "stale" });
    expect(named(older)).toEqual(first);
    expect(row(key)).toMatchObject({ executionTimes: 1, skippedTimes: 0 });
  });

  test("a firing is refused when its task has been deleted, disabled or given other times", async () => {
    const key = await create(cron("0 0 12 * * ?"));
    expect(take("0".repeat(32), NOW, daily)).toEqual({ kind: "stale" });
    expect(take(key, NOW, "0 0 11 * * ? in UTC")).toEqual({ kind: "stale" });
    await api.call("POST", `/replication/api/task/toggle/status/${key}`);
    expect(take(key, NOW, daily)).toEqual({ kind: "stale" });
    expect(row(key)).toMatchObject({
      executionTimes: 0,
      skippedTimes: 0,
      settledTime: null,
    });
  });

  test("a firing during a run is counted as skipped at its due time", async () => {
    const key = await create(cron("0 0 12 * * ?"));
    addRecord(api.db, key, NOW);
    expect(take(key, NOW - 1000, daily)).toEqual({ kind: "running" });
    expect(row(key)).toMatchObject({
      executionTimes: 1,
      skippedTimes: 1,
      lastSkippedTime: NOW - 1000,
    });
  });

  test("a firing older than the catch-up window does not run, unless a younger one was missed with it", async () => {
    const [rare, often] = [
      await create(cron("0 0 12 * * ?")),
      await create(cron("0 0/10 * * * ?")),
    ];
    now = NOW + RULES.window + 1;
    expect(take(rare, NOW, daily)).toEqual({ kind: "missed" });
    expect(take(often, NOW, "0 0/10 * * * ? in UTC").kind).toBe("opened");
    expect(row(rare)).toMatchObject({
      executionTimes: 0,
      lastExecutionStatus: null,
      settledTime: NOW,
    });
  });

  test("a firing runs even if the clock of Temporal's server is ahead of ours", async () => {
    const key = await create(cron("0 0 12 * * ?"));
    now = NOW - 500;
    expect(take(key, NOW, daily).kind).toBe("opened");
  });

  test("a specified time that fires too late fails its task once, as missed", async () => {
    const key = await create(at("2027-06-15T12:30:00"));
    const due = NOW + 1_800_000;
    now = due + RULES.window + 1;
    const late = () => take(key, due, "once at 2027-06-15T12:30:00.000Z");
    expect([late(), late()]).toEqual([{ kind: "missed" }, { kind: "stale" }]);
    expect(await info(key)).toMatchObject({
      status: "COMPLETED",
      lastExecutionStatus: "FAILED",
      executionTimes: 1,
      nextExecutionTime: null,
    });
    const { data } = await api.call("GET", `/replication/api/task/record/list/${key}`);
    expect(data).toMatchObject([
      {
        status: "FAILED",
        errorReason:
          "missed: it was due at 2027-06-15T12:30:00.000, when it could not be started",
      },
    ]);
  });
});

test("a specified time after the last year of a schedule, 2099, is refused", async () => {
  await expect(create(at("2100-01-01T00:00:00Z"))).rejects.toThrow(/after the year 2099/);
  await expect(create(at("2099-12-31T23:59:59Z"))).resolves.toMatch(/^[0-9a-f]{32}$/);
});
