import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createReconciler } from "../../api/runs/reconcile.ts";
import { paceOf } from "../../api/runs/pace.ts";
import { dueTime, firingId } from "../../domain/firing.ts";
import {
  type Control,
  finished,
  startControl,
  startTemporal,
  until,
} from "../rigs/runs/schedule-fixture.ts";

const EVERY_2_S = { cron: "*/2 * * * * ?" };
const YEARLY = { cron: "0 0 0 1 1 ?" };
/** Time in which a test creates its tasks before they are due, on any machine. */
const SOON_MS = 30_000;
/** A catch-up window in which a missed firing is young enough, however long the servers take to start. */
const PATIENT_MS = 600_000;

let temporal: Awaited<ReturnType<typeof startTemporal>>;
/**
 * Functions that close the control planes and workers that tests opened. Each control plane has a
 * catch-up window of its own.
 */
const opened: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  temporal = await startTemporal();
});
afterEach(async () => {
  temporal.thaw();
  await temporal.start();
});
afterAll(async () => {
  for (const close of opened.reverse()) await close();
  await temporal.remove();
});

async function open(catchUpWindow: number): Promise<Control> {
  const control = await startControl({ address: temporal.address, catchUpWindow });
  opened.push(control.close);
  return control;
}

async function startRuns(control: Control): Promise<void> {
  opened.push(await control.startRuns());
}

/** Runs the reconciler once, as the product does regularly, with a clock at which new runs are old enough. */
const lookAtRuns = ({ client, db, queues, zone, api }: Control) =>
  createReconciler({
    client,
    db,
    queues,
    zone,
    logger: api.deps.logger,
    searchAttributes: () => true,
    now: () => Date.now() + 600_000,
    pace: paceOf(60_000),
    closed: () => {},
  }).look();

const at = (time: number) => ({ at: new Date(time).toISOString() });
/** Builds a cron that fires at this second of this day and never again. */
function cronAt(time: number): { cron: string } {
  const date = new Date(time);
  const day = `${date.getUTCDate()} ${date.getUTCMonth() + 1} ? ${date.getUTCFullYear()}`;
  return {
    cron: `${date.getUTCSeconds()} ${date.getUTCMinutes()} ${date.getUTCHours()} ${day}`,
  };
}
const passed = (time: number) =>
  until(new Date(time).toISOString(), () => Date.now() > time);
const dueTimes = (control: Control, key: string) =>
  control.records(key).map(({ workflowId }) => dueTime(workflowId) ?? 0);
const dueBetween = (control: Control, key: string, from: number, to: number) =>
  dueTimes(control, key).filter((due) => due > from && due < to);

test("one missed firing of each task runs after an outage of Temporal, if it is young enough", async () => {
  const [patient, strict] = [await open(PATIENT_MS), await open(10_000)];
  await startRuns(patient);
  await startRuns(strict);
  const often = await patient.create(EVERY_2_S);
  await finished(patient, often);
  const due = Date.now() + SOON_MS;
  const [late, once] = [await patient.create(cronAt(due)), await patient.create(at(due))];
  const [tooLate, tooLateOnce] = [
    await strict.create(cronAt(due)),
    await strict.create(at(due)),
  ];
  await temporal.end();
  const down = Date.now();
  await passed(due + 13_000);
  const up = Date.now();
  await temporal.start();

  for (const key of [late, once]) {
    await finished(patient, key);
    expect(patient.records(key)).toMatchObject([{ status: "SUCCESS" }]);
  }
  await until("the cron to go on", () =>
    dueTimes(patient, often).some((time) => time > up + 4_000),
  );
  // At most one missed firing runs; none if the firing before was still running when Temporal went
  // down, because it overlaps them.
  expect(dueBetween(patient, often, down, up).length).toBeLessThanOrEqual(1);
  await patient.remove(often);

  await strict.schedules.reconcile();
  expect(strict.records(tooLate)).toEqual([]);
  expect(strict.records(tooLateOnce)).toMatchObject([
    { status: "FAILED", errorReason: expect.stringContaining("missed") },
  ]);
  expect(await strict.info(tooLateOnce)).toMatchObject({
    status: "COMPLETED",
    nextExecutionTime: null,
    executionTimes: 1,
  });
});

test("one of a task's waiting firings runs after an outage of the workers, unless all are too old", async () => {
  const [patient, strict] = [await open(PATIENT_MS), await open(3_000)];
  const due = Date.now() + SOON_MS;
  const [often, once] = [await patient.create(EVERY_2_S), await patient.create(at(due))];
  const [newest, tooLate, tooLateOnce] = [
    await strict.create(EVERY_2_S),
    await strict.create(cronAt(due)),
    await strict.create(at(due)),
  ];
  const waiting = async (control: Control, key: string) =>
    (await control.schedule(key).describe()).info.runningActions.length === 1;
  for (const key of [tooLate, tooLateOnce, newest])
    await until("the firing to wait", () => waiting(strict, key));
  for (const key of [often, once])
    await until("the firing to wait", () => waiting(patient, key));
  await passed(due + 7_000);
  const up = Date.now();
  await startRuns(patient);
  await startRuns(strict);

  await finished(patient, once);
  await until("the cron to go on", () =>
    dueTimes(patient, often).some((time) => time > up),
  );
  expect(dueBetween(patient, often, 0, up)).toHaveLength(1);
  // The waiting firing is old, but stands for the last one that was missed.
  await until("the cron to go on", () =>
    dueTimes(strict, newest).some((time) => time > up),
  );
  expect(dueBetween(strict, newest, 0, up)).toHaveLength(1);
  await finished(strict, tooLateOnce);
  expect(strict.records(tooLateOnce)).toMatchObject([
    { status: "FAILED", errorReason: expect.stringContaining("missed") },
  ]);
  await until(
    "the firing that is too late to end",
    async () => !(await waiting(strict, tooLate)),
  );
  expect(strict.records(tooLate)).toEqual([]);
});

test("all schedules come back after Temporal lost its data, and missed firings run once", async () => {
  const control = await open(PATIENT_MS);
  await startRuns(control);
  const [often, yearly] = [await control.create(EVERY_2_S), await control.create(YEARLY)];
  await finished(control, often);
  const due = Date.now() + SOON_MS;
  const once = await control.create(at(due));
  await temporal.end();
  const down = Date.now();
  temporal.forget();
  await passed(due + 3_000);
  await temporal.start();
  await control.schedules.reconcile();
  await lookAtRuns(control);
  const made = (await control.schedule(often).describe()).info.createdAt.getTime();

  expect(
    (await control.schedule(yearly).describe()).info.nextActionTimes[0]?.getTime(),
  ).toBe(control.row(yearly).nextExecutionTime);
  await finished(control, once);
  expect(control.records(once)).toMatchObject([{ status: "SUCCESS" }]);
  await until("the cron to go on", () =>
    dueTimes(control, often).some((time) => time > made + 2_000),
  );
  // A firing that was running when the data were lost is started again and overlaps the missed ones.
  expect(dueBetween(control, often, down, made).length).toBeLessThanOrEqual(1);
});

test("a firing that an older release started does not run again under its present workflow id", async () => {
  const control = await open(PATIENT_MS);
  const due = Math.ceil(Date.now() / 1000) * 1000 + SOON_MS;
  const [key, plain] = [
    await control.create(cronAt(due)),
    await control.create(cronAt(due)),
  ];
  const older = `repl/${key}`;
  await control
    .schedule(key)
    .update(({ searchAttributes: _searchAttributes, ...previous }) => ({
      ...previous,
      action: { ...previous.action, workflowId: older },
    }));
  for (const one of [key, plain])
    await until(
      "the firing to wait",
      async () =>
        (await control.schedule(one).describe()).info.runningActions.length === 1,
    );
  await control.schedules.reconcile();
  const ids = [
    `${older}-${new Date(due).toISOString().replace(".000Z", "Z")}`,
    firingId(control.row(key), due),
  ];
  const states = () =>
    Promise.all(
      ids.map(
        async (id) =>
          (await control.client.workflow.getHandle(id).describe()).status.name,
      ),
    );
  expect(await states()).toEqual(["RUNNING", "RUNNING"]);
  await startRuns(control);
  await until("the end of both", async () =>
    (await states()).every((state) => state === "COMPLETED"),
  );
  for (const one of [key, plain]) {
    await finished(control, one);
    expect(control.records(one)).toMatchObject([{ status: "SUCCESS" }]);
    expect(control.row(one)).toMatchObject({ executionTimes: 1, skippedTimes: 0 });
  }
});

test("a task is saved quickly while Temporal does not answer, and its schedule follows afterwards", async () => {
  const control = await open(PATIENT_MS);
  const [toggled, deleted] = [await control.create(YEARLY), await control.create(YEARLY)];
  temporal.freeze();
  const begun = Date.now();
  const created = await control.create(YEARLY);
  expect(Date.now() - begun).toBeLessThan(60_000);
  expect(
    control.api.logs.filter(
      ({ level, facts }) => level === "warn" && facts["taskKey"] === created,
    ),
  ).toHaveLength(1);
  // From here on the control plane knows from the supervisor that Temporal is away, and no request
  // waits for Temporal.
  control.up.temporal = false;
  await control.toggle(toggled);
  await control.remove(deleted);
  expect((await control.info(toggled)).nextExecutionTime).toBeNull();
  temporal.thaw();
  control.up.temporal = true;
  await control.schedules.reconcile();
  expect((await control.schedule(toggled).describe()).state.paused).toBe(true);
  expect((await control.schedule(created).describe()).state.paused).toBe(false);
  // Schedules without a task are found in Temporal's listing, which is updated a little later.
  await until("the deleted task's schedule to go", async () => {
    await control.schedules.reconcile();
    return control
      .schedule(deleted)
      .describe()
      .then(
        () => false,
        (error: unknown) => /not found/i.test(String(error)),
      );
  });
});
