import { Context } from "@temporalio/activity";
import type { CursorKey } from "../../db/drains/cursors.ts";
import { beginDrain, type DrainStep, growDrain } from "../../db/drains/open.ts";
import { planCatchUp } from "../../db/drains/plan.ts";
import type { Db } from "../../db/open.ts";
import { closeRecord, type Closed } from "../../db/runs/close.ts";
import { type Cut, cutBatches } from "../../db/runs/cut.ts";
import { snapshotOf, type Target } from "../../db/runs/targets.ts";
import { cut } from "../../domain/run-names.ts";
import { whole } from "./answers.ts";

/** `first`: the cut number 1 of a target, already made; `objects`: how many the drain's task has. */
export type FirstTarget = Target & { first?: Cut };
export type Drained = Omit<Extract<DrainStep, { kind: "drain" }>, "targets"> & { targets: FirstTarget[] | null; objects: number };
/** `closed`: what became of the drain that was handed in as ended. */
export type Step = (Exclude<DrainStep, { kind: "drain" | "look" }> | Drained) & { closed: Closed | null };
export type Ended = { recordId: string; reason: string | null };

/** Characters of a drain's reason that the history tells; the record has all of it. */
const TOLD_REASON = 300;

/** Of so many targets the first cut comes with the drain itself, which saves small drains a step. */
const CUT_AT_ONCE = 4;

export type DrainActivityDeps = {
  db: Db;
  localCluster: string;
  now: () => number;
  /** Told before anything is read: what happened until now is about to be seen. */
  asked: (key: CursorKey) => void;
};

/** What the control plane does for the workflows that follow uploads: state only, no network. */
export function createDrainActivities({ db, localCluster, now, asked }: DrainActivityDeps) {
  function cutFirst({ recordId, targets }: Extract<DrainStep, { kind: "drain" }>, most: number): FirstTarget[] | null {
    if (!targets || targets.length > CUT_AT_ONCE) return targets && whole(targets);
    return targets.map((target) => {
      const { object, clusterId } = target;
      return object === null ? target : { ...target, first: cutBatches(db, { recordId, object, clusterId, cut: 1, most }, now()) };
    });
  }

  return {
    /** Closes the drain that ended, if any, and finds the one that goes on, or opens the next when there is something to send. */
    async beginDrain(taskKey: string, clusterId: string, workflowId: string, ended: Ended | null, window: number): Promise<Step> {
      const result = ended && (await closeRecord(db, ended.recordId, ended.reason, now));
      const closed = result && { ...result, errorReason: result.errorReason && cut(result.errorReason, TOLD_REASON) };
      asked({ taskKey, clusterId });
      for (;;) {
        const step = beginDrain(db, { taskKey, clusterId, workflowId, localCluster, now: now() });
        if (step.kind === "drain") return { ...step, targets: cutFirst(step, window), objects: snapshotOf(db, step.recordId)?.objects.length ?? 0, closed };
        if (step.kind !== "look") return { ...step, closed };
        await breathe();
      }
    },

    /** `targets` null: there are too many for one answer; ask for all of the drain. */
    async growDrain(taskKey: string, clusterId: string, recordId: string): Promise<{ targets: Target[] | null; more: boolean }> {
      asked({ taskKey, clusterId });
      const { targets, more } = growDrain(db, recordId, now());
      return { targets: whole(targets), more };
    },

    /** Plans all objects of a drain that catches up, to the end. */
    async planDrain(recordId: string): Promise<void> {
      const snapshot = snapshotOf(db, recordId);
      for (const object of snapshot?.objects.keys() ?? []) {
        while (!planCatchUp(db, recordId, object, now())) await breathe();
      }
    },
  };
}

export type DrainActivities = ReturnType<typeof createDrainActivities>;

async function breathe(): Promise<void> {
  Context.current().heartbeat();
  await new Promise((resolve) => setImmediate(resolve));
}
