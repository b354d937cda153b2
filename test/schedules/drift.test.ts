import { setTimeout as sleep } from "node:timers/promises";
import type { ScheduleDescription } from "@temporalio/client";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { startUpkeep } from "../../api/upkeep/upkeep.ts";
import { task } from "../../db/schema/tasks.ts";
import { toCalendars } from "../../domain/cron/calendars.ts";
import { parseCron } from "../../domain/cron/parse.ts";
import { scheduleId } from "../../workflows/contract.ts";
import { createRandom, sample } from "../rigs/runs/cron-samples.ts";
import { type Control, startControl, until } from "../rigs/runs/schedule-fixture.ts";

const DAILY = { cron: "0 0 3 * * ?" };
const HOUR = 3_600_000;
const seed = Number(process.env["CRON_SEED"] ?? Math.floor(Math.random() * 1e9));

let control: Control;
let upkeep: ReturnType<typeof startUpkeep>;

beforeAll(async () => {
  control = await startControl({
    address: inject("temporalAddress"),
    zone: "Europe/Berlin",
  });
  upkeep = startUpkeep(
    { ...control, now: Date.now, logger: control.api.deps.logger },
    { starts: 300, schedules: 300, records: HOUR },
  );
});
afterAll(async () => {
  upkeep.stop();
  await control.close();
});

const describe = (key: string) => control.schedule(key).describe();
const seen = (key: string) => describe(key).catch(() => null);

test("a schedule that was deleted in Temporal is created again", async () => {
  const key = await control.create(DAILY);
  const { spec } = await describe(key);
  await control.schedule(key).delete();
  const mended = await until("the schedule", () => seen(key));
  expect(mended.spec).toEqual(spec);
});

test("a schedule whose times, action or policies were changed in Temporal is corrected", async () => {
  const key = await control.create(DAILY);
  const [{ state, ...made }, right] = [await describe(key), await whatItDoes(key)];
  const changes: Partial<ScheduleDescription>[] = [
    {
      spec: {
        calendars: toCalendars(parseCron("0 0 4 * * ?")),
        timezone: "Europe/Berlin",
      },
    },
    { spec: { ...made.spec, timezone: "UTC" } },
    { spec: { ...made.spec, intervals: [{ every: 60_000, offset: 0 }] } },
    { spec: { ...made.spec, jitter: 5_000 } },
    { policies: { ...made.policies, overlap: "ALLOW_ALL" } },
    { policies: { ...made.policies, catchupWindow: 30 * 24 * HOUR } },
    { action: { ...made.action, taskQueue: "elsewhere" } },
    { action: { ...made.action, args: [{ taskKey: "another" }] } },
    { state: { ...state, remainingActions: 1 } },
  ];
  for (const change of changes) {
    await control
      .schedule(key)
      .update(({ searchAttributes: _searchAttributes, ...previous }) => ({
        ...previous,
        ...change,
      }));
    await expect
      .poll(() => whatItDoes(key), { message: JSON.stringify(change) })
      .toEqual(right);
  }
});

async function whatItDoes(key: string) {
  const { spec, policies, action, state } = await describe(key);
  return {
    spec,
    policies,
    action: { ...action, raw: undefined },
    limited: state.remainingActions,
  };
}

test("a schedule that was paused or unpaused in Temporal follows its task again", async () => {
  const [on, off] = [
    await control.create(DAILY),
    await control.create(DAILY, { enabled: false }),
  ];
  await control.schedule(on).pause("I would rather not");
  await control.schedule(off).unpause();
  const states = () => Promise.all([describe(on), describe(off)]);
  await expect
    .poll(async () => (await states()).map(({ state }) => state.paused))
    .toEqual([false, true]);
});

test("a schedule whose task is gone is deleted, and a schedule of another instance is kept", async () => {
  const key = await control.create(DAILY);
  control.db.delete(task).where(eq(task.key, key)).run();
  const other = await startControl({ address: inject("temporalAddress") });
  const theirs = await other.create(DAILY);
  await until("the schedule's end", async () => (await seen(key)) === null);
  await control.schedules.reconcile();
  expect((await other.schedule(theirs).describe()).state.paused).toBe(false);
  await other.close();
});

test(`a schedule that matches its task is not updated, for any cron (CRON_SEED=${seed})`, async () => {
  const random = createRandom(seed);
  const plans = Array.from({ length: 25 }, (_, index) => ({
    cron: sample(random, index % 2 ? "unix" : "quartz", {
      wraps: true,
      lastOffsets: true,
    }).expression,
  }));
  const keys: string[] = [];
  // Some of these crons never fire again: the API refuses them, and they are left out.
  for (const plan of plans)
    keys.push(
      ...(await control
        .create(plan, { enabled: false, timeZone: "America/Santiago" })
        .then(
          (key) => [key],
          () => [],
        )),
    );
  keys.push(
    await control.create({ at: "2040-02-29T12:30:15.250+05:30" }),
    await control.create(DAILY),
  );
  await control.schedules.reconcile();
  await control.schedules.reconcile();
  for (const key of keys) {
    const { info, spec } = await describe(key);
    expect(
      info.lastUpdatedAt,
      `changed: ${JSON.stringify(control.row(key).setting.executionPlan)} ${JSON.stringify(spec)}`,
    ).toBeUndefined();
  }
});

test("a schedule names its task and contains no secret", async () => {
  const key = await control.create({ at: "2040-02-29T12:30:15.250+05:30" });
  const { spec, state, action, typedSearchAttributes, raw } = await describe(key);
  expect(state).toMatchObject({
    note: `${control.row(key).name}: it fires once at 2040-02-29T07:00:16.000Z`,
    remainingActions: 1,
  });
  expect(spec.timezone).toBe("UTC");
  expect(action).toMatchObject({
    workflowType: "taskRun",
    workflowId: `repl/${control.row(key).name}/${key}`,
    staticSummary: control.row(key).name,
    priority: { priorityKey: 2, fairnessKey: control.row(key).projectId },
  });
  expect(
    typedSearchAttributes.getAll().map(({ key: { name }, value }) => [name, value]),
  ).toEqual(
    expect.arrayContaining([
      ["ReplTask", control.row(key).name],
      ["ReplProject", "shop"],
    ]),
  );
  expect(JSON.stringify(raw)).not.toContain("password");
  expect(control.schedule(key).scheduleId).toBe(scheduleId(key));
});

test("a task whose start was lost when it was created is started later by the reconciler", async () => {
  const { executions } = control.api.deps;
  const saved = executions.taskSaved;
  executions.taskSaved = async () => undefined;
  let key = "";
  try {
    key = await control.create("immediately");
  } finally {
    executions.taskSaved = saved;
  }
  await until("the task's run", () => control.records(key).length === 1);
  await sleep(700);
  expect(control.row(key).executionTimes).toBe(1);
});
