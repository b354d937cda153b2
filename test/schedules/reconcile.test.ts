import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { createReconciler } from "../../api/runs/reconcile.ts";
import { paceOf } from "../../api/runs/pace.ts";
import { record } from "../../db/schema/records.ts";
import { type Control, startControl, until } from "../rigs/runs/schedule-fixture.ts";

let control: Control;
beforeEach(async () => {
  control = await startControl({ address: inject("temporalAddress") });
});
afterEach(() => control?.close());

/** A clock at which all records are old enough for the reconciler. */
const later = () => Date.now() + 600_000;

test("a record that cannot be compared with Temporal is logged, and the others are reconciled", async () => {
  const keys = [
    await control.create("immediately", { blocked: true }),
    await control.create("immediately", { blocked: true }),
    await control.create("immediately", { blocked: true }),
  ];
  const [spoilt, ended, lost] = keys.map((key) => control.records(key)[0]);
  if (!spoilt || !ended || !lost) throw new Error("a run has no record");
  // No workflow has an empty id, and the server refuses to look for one.
  control.db.update(record).set({ workflowId: "" }).where(eq(record.id, spoilt.id)).run();
  await control.client.workflow.getHandle(ended.workflowId).terminate("by hand");
  await control.client.workflowService.deleteWorkflowExecution({
    namespace: "default",
    workflowExecution: { workflowId: lost.workflowId },
  });
  const state = (workflowId: string) =>
    control.client.workflow
      .getHandle(workflowId)
      .describe()
      .then(
        ({ status }) => status.name,
        () => "UNKNOWN",
      );
  await until(
    "the workflow to be deleted",
    async () => (await state(lost.workflowId)) === "UNKNOWN",
  );

  const closed: string[] = [];
  const { client, db, queues, zone, api } = control;
  const deps = {
    client,
    db,
    queues,
    zone,
    logger: api.deps.logger,
    searchAttributes: () => true,
    now: later,
    pace: paceOf(60_000),
    closed: (key: string) => void closed.push(key),
  };
  await createReconciler(deps).look();

  expect(control.records(keys[0] ?? "")).toMatchObject([{ status: "RUNNING" }]);
  expect(
    api.logs.filter(
      ({ level, facts }) => level === "warn" && facts["recordId"] === spoilt.id,
    ),
  ).toHaveLength(1);
  expect(control.records(keys[1] ?? "")).toMatchObject([
    {
      status: "FAILED",
      errorReason: "the run was ended from outside: TERMINATED in Temporal",
    },
  ]);
  expect(closed).toEqual([keys[1]]);
  expect(control.records(keys[2] ?? "")).toMatchObject([{ status: "RUNNING" }]);
  expect(await state(lost.workflowId)).toBe("RUNNING");
});
