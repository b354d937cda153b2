import { Context } from "@temporalio/activity";
import { type FiringRules, takeFiring } from "../../db/runs/firings.ts";
import { closeRecord, type Closed, toldClosed } from "../../db/runs/close.ts";
import type { Cut, CutRequest } from "../../db/runs/cutting.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { listingState } from "../../db/plan/listed.ts";
import { snapshotOf } from "../../db/records/snapshots.ts";
import { pairProblem } from "../../db/runs/targets.ts";
import type { Db } from "../../db/open.ts";
import { taskKeyOf } from "../../db/records/records.ts";
import { inTurn } from "../../db/turns.ts";
import { createBatchFailureActivities, type Died } from "./batch-failures.ts";
import { cutInTurn } from "./cut-in-turn.ts";
import { heartbeating } from "./heartbeating.ts";
import type { Turns } from "./turns.ts";
import { createPlanActivities } from "./plans.ts";
import { createTargetPages, type TargetPage } from "./target-pages.ts";

export type Begun =
  | { kind: "go"; recordId: string; objects: number }
  | { kind: "busy" | "missed" | "stale" };
export type { TargetPage };

type RunActivityDeps = Pick<FiringRules, "localCluster" | "zone" | "window"> & {
  db: Db;
  now: () => number;
  /** Called after a run of the task was closed; must not throw. */
  closed: (taskKey: string) => void;
  turns: Turns;
  died: Died;
};

/** Activities of the control plane for the workflows of runs: state only, no network. */
export function createRunActivities({
  db,
  now,
  closed,
  turns,
  died,
  ...rules
}: RunActivityDeps) {
  const targetPage = createTargetPages(db);
  return {
    ...createPlanActivities({
      db,
      now,
      firstTargets: (recordId, after) => targetPage(recordId, 0, after),
    }),
    ...createBatchFailureActivities({ db, now, turns, died }),

    /**
     * Finds the run's record; if a schedule fired (`recordId` null, `schedule` its timing in words), opens it first.
     * Without one: `busy`: another run goes on; `missed`: the firing is late; `stale`: it is void or the record gone.
     */
    async beginRun(
      taskKey: string,
      recordId: string | null,
      workflowId: string,
      schedule: string | null,
    ): Promise<Begun> {
      if (recordId !== null) return begun(db, recordId);
      const taken = takeFiring(
        db,
        { taskKey, workflowId, schedule: schedule ?? "" },
        { ...rules, now: now() },
      );
      if (taken.kind === "opened") return begun(db, taken.recordId);
      return { kind: taken.kind === "running" ? "busy" : taken.kind };
    },

    /** For runs that began before `planAllHosted` existed: plans an object; false: a worker has to list it. */
    async planHosted(recordId: string, objectIndex: number): Promise<boolean> {
      return planOneObject(db, recordId, objectIndex, now);
    },

    /** Returns a page of a run's targets, from position `from` on; only of the clusters that follow `after`. */
    async readTargets(
      recordId: string,
      from: number,
      after: string | null = null,
    ): Promise<TargetPage> {
      return inTurn(() => targetPage(recordId, from, after), "answer");
    },

    async cutBatches(request: CutRequest): Promise<Cut> {
      const { workflowId = "" } = Context.current().info.workflowExecution ?? {};
      const cut = () => cutInTurn(db, turns, request, { workflowId, waits: true }, now());
      return inTurn(cut, "answer", request.recordId);
    },

    async closeRun(recordId: string, interrupted: string | null): Promise<Closed | null> {
      const result = await heartbeating(() =>
        closeRecord(db, recordId, interrupted, now),
      );
      const taskKey = taskKeyOf(db, recordId);
      if (taskKey !== null) closed(taskKey);
      turns.freed();
      return toldClosed(result);
    },
  };
}

export type RunActivities = ReturnType<typeof createRunActivities>;

/**
 * Plans a hosted object to the end. Returns false when the object is linked and a transfer worker must list
 * it; true also when nothing is left to plan.
 */
async function planOneObject(
  db: Db,
  recordId: string,
  objectIndex: number,
  now: () => number,
): Promise<boolean> {
  const snapshot = snapshotOf(db, recordId);
  const from = snapshot?.objects[objectIndex];
  const state = listingState(db, recordId, objectIndex);
  if (!snapshot || !from || !state || state.complete) return true;
  // An object that can be sent to none of the run's clusters needs no plan.
  if (
    snapshot.clusters.every(
      ({ id }) => pairProblem(db, snapshot, recordId, objectIndex, id) !== null,
    )
  )
    return true;
  if (from.category === "REMOTE") return false;
  const place = { ...from, projectId: snapshot.projectId };
  await heartbeating(async () => {
    while (
      !(await inTurn(() => planHostedPage(db, recordId, objectIndex, place, now())))
    );
  });
  return true;
}

function begun(db: Db, recordId: string): Begun {
  const snapshot = snapshotOf(db, recordId);
  return snapshot
    ? { kind: "go", recordId, objects: snapshot.objects.length }
    : { kind: "stale" };
}
