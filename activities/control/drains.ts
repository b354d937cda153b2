import { Context } from "@temporalio/activity";
import type { CursorKey } from "../../db/drains/cursors.ts";
import { beginDrain, type DrainStep, growDrain } from "../../db/drains/open.ts";
import { planCatchUp } from "../../db/drains/plan.ts";
import type { Db } from "../../db/open.ts";
import { snapshotOf, type Target } from "../../db/runs/targets.ts";

/** `objects`: how many the drain's task has. */
export type Drained = Extract<DrainStep, { kind: "drain" }> & { objects: number };
export type Step = Exclude<DrainStep, { kind: "drain" | "look" }> | Drained;

export type DrainActivityDeps = {
  db: Db;
  localCluster: string;
  now: () => number;
  /** Told before anything is read: what happened until now is about to be seen. */
  asked: (key: CursorKey) => void;
};

/** What the control plane does for the workflows that follow uploads: state only, no network. */
export function createDrainActivities({ db, localCluster, now, asked }: DrainActivityDeps) {
  return {
    /** Finds the drain that goes on, or opens the next one when there is something to send. */
    async beginDrain(taskKey: string, clusterId: string, workflowId: string): Promise<Step> {
      asked({ taskKey, clusterId });
      for (;;) {
        const step = beginDrain(db, { taskKey, clusterId, workflowId, localCluster, now: now() });
        if (step.kind === "drain") return { ...step, objects: snapshotOf(db, step.recordId)?.objects.length ?? 0 };
        if (step.kind !== "look") return step;
        await breathe();
      }
    },

    async growDrain(taskKey: string, clusterId: string, recordId: string): Promise<{ targets: Target[]; more: boolean }> {
      asked({ taskKey, clusterId });
      return growDrain(db, recordId, now());
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
