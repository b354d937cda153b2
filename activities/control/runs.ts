import { Context } from "@temporalio/activity";
import { eq } from "drizzle-orm";
import { type FiringRules, takeFiring } from "../../db/runs/firings.ts";
import { closeRecord, type Closed, toldClosed } from "../../db/runs/close.ts";
import { failBatch } from "../../db/runs/fail-batch.ts";
import type { Cut, CutRequest } from "../../db/runs/cutting.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { listingState } from "../../db/plan/listed.ts";
import { snapshotOf } from "../../db/records/snapshots.ts";
import { pairProblem } from "../../db/runs/targets.ts";
import type { Db } from "../../db/open.ts";
import { findBatch } from "../../db/runs/end-batch.ts";
import { type BatchCounts, isolateBatch, type Split, splitBatch } from "../../db/runs/split-batch.ts";
import { record } from "../../db/schema/records.ts";
import { MOST_DEATHS } from "../../domain/lanes.ts";
import { inTurn } from "../../db/turns.ts";
import { cutInTurn } from "./cut-in-turn.ts";
import { heartbeating } from "./heartbeating.ts";
import type { Turns } from "./turns.ts";
import { createPlanActivities } from "./plans.ts";
import { createTargetPages, type TargetPage } from "./target-pages.ts";

export type Begun = { kind: "go"; recordId: string; objects: number } | { kind: "busy" | "missed" | "stale" };
export type { TargetPage };

export type RunActivityDeps = Pick<FiringRules, "localCluster" | "zone" | "window"> & {
  db: Db;
  now: () => number;
  /** Told after a run of the task was closed; must not throw. */
  closed: (taskKey: string) => void;
  turns: Turns;
  /** Told of workers' and processes' deaths over a batch, for numbers. */
  died: (death: { subject: string; deaths: number }) => void;
};

/** What the control plane does for workflows: state only, no network. */
export function createRunActivities({ db, now, closed, turns, died, ...rules }: RunActivityDeps) {
  const targetPage = createTargetPages(db);
  return {
    ...createPlanActivities({ db, now, firstTargets: (recordId, after) => targetPage(recordId, 0, after) }),

    /**
     * Finds the run's record, or makes it when a schedule fired: then `recordId` is null and `schedule` says by which
     * timing.
     */
    async beginRun(
      taskKey: string,
      recordId: string | null,
      workflowId: string,
      schedule: string | null,
    ): Promise<Begun> {
      if (recordId !== null) return begun(db, recordId);
      const taken = takeFiring(db, { taskKey, workflowId, schedule: schedule ?? "" }, { ...rules, now: now() });
      if (taken.kind === "opened") return begun(db, taken.recordId);
      return { kind: taken.kind === "running" ? "busy" : taken.kind };
    },

    /**
     * For runs that began before there was `planAllHosted`: plans a hosted object to the end; answers false when the
     * object is linked and has to be listed by a transfer worker.
     */
    async planHosted(recordId: string, object: number): Promise<boolean> {
      const snapshot = snapshotOf(db, recordId);
      const from = snapshot?.objects[object];
      const state = listingState(db, recordId, object);
      if (!snapshot || !from || !state || state.complete) return true;
      // An object that can be sent to none of the run's clusters needs no plan.
      if (snapshot.clusters.every(({ id }) => pairProblem(db, snapshot, recordId, object, id) !== null)) return true;
      if (from.category === "REMOTE") return false;
      const place = { ...from, projectId: snapshot.projectId };
      await heartbeating(async () => {
        while (!(await inTurn(() => planHostedPage(db, recordId, object, place, now()))));
      });
      return true;
    },

    /** The targets from number `from` on; `after`: of those of the clusters that come after this one. */
    async readTargets(recordId: string, from: number, after: string | null = null): Promise<TargetPage> {
      return inTurn(() => targetPage(recordId, from, after), "answer");
    },

    async cutBatches(request: CutRequest): Promise<Cut> {
      const { workflowId = "" } = Context.current().info.workflowExecution ?? {};
      return inTurn(() => cutInTurn(db, turns, request, { workflowId, waits: true }, now()), "answer");
    },

    /** Fails what has no outcome in a batch that no worker could finish. */
    async failBatch(recordId: string, number: number): Promise<BatchCounts> {
      return failBatch(db, recordId, number, now());
    },

    /** Gives a batch over which workers have died to a process of its own; `deaths`: how many so far. */
    async isolateBatch(recordId: string, number: number, deaths: number): Promise<void> {
      for (let nth = 1; nth <= deaths; nth += 1) died({ subject: batchName(db, recordId, number), deaths: nth });
      isolateBatch(db, recordId, number);
      turns.freed();
    },

    /** Halves a batch whose own process has died, too, or fails the one artifact that is left of it. */
    async splitBatch(recordId: string, number: number, reason: string): Promise<Split> {
      died({ subject: batchName(db, recordId, number), deaths: MOST_DEATHS + 1 });
      return splitBatch(db, recordId, number, reason, now());
    },

    async closeRun(recordId: string, interrupted: string | null): Promise<Closed | null> {
      const result = await heartbeating(() => closeRecord(db, recordId, interrupted, now));
      const row = db.select({ taskKey: record.taskKey }).from(record).where(eq(record.id, recordId)).get();
      if (row) closed(row.taskKey);
      turns.freed();
      return toldClosed(result);
    },
  };
}

export type RunActivities = ReturnType<typeof createRunActivities>;

/** For people: which batch it is. */
function batchName(db: Db, recordId: string, number: number): string {
  const snapshot = snapshotOf(db, recordId);
  const end = findBatch(db, recordId, number);
  const to = snapshot?.clusters.find(({ id }) => id === end?.clusterId)?.name ?? "";
  return `batch ${number} of ${snapshot?.taskName ?? recordId} → ${to}`;
}

function begun(db: Db, recordId: string): Begun {
  const snapshot = snapshotOf(db, recordId);
  return snapshot ? { kind: "go", recordId, objects: snapshot.objects.length } : { kind: "stale" };
}
