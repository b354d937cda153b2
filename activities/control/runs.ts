import { Context } from "@temporalio/activity";
import { closeRecord, type Closed } from "../../db/runs/close.ts";
import { type BatchCounts, failBatch } from "../../db/runs/fail-batch.ts";
import { type Cut, type CutRequest, cutBatches } from "../../db/runs/cut.ts";
import { countSkipped, openFiring } from "../../db/runs/open.ts";
import { planHostedPage } from "../../db/runs/plan-hosted.ts";
import { listingState } from "../../db/runs/plan-listed.ts";
import { runTargets, snapshotOf, type Target } from "../../db/runs/targets.ts";
import type { Db } from "../../db/open.ts";

/** Child descriptors in one answer, which stays below 4 KiB (design.md §4). */
const TARGETS_PAGE = 20;

export type Begun = { kind: "go"; recordId: string; objects: number } | { kind: "busy" } | { kind: "gone" };
export type TargetPage = { targets: Target[]; next: number | null };

/** What the control plane does for workflows: state only, no network. */
export function createRunActivities({ db, localCluster, now }: { db: Db; localCluster: string; now: () => number }) {
  return {
    /** Finds the run's record, or makes it when a schedule fired. */
    async beginRun(taskKey: string, recordId: string | null, workflowId: string): Promise<Begun> {
      if (recordId === null) {
        const opened = openFiring(db, { taskKey, localCluster, now: now() }, workflowId);
        if (opened.kind === "running") countSkipped(db, taskKey, now());
        if (opened.kind !== "opened") return { kind: opened.kind === "running" ? "busy" : "gone" };
        return begun(db, opened.recordId);
      }
      return begun(db, recordId);
    },

    /** Plans a hosted object to the end; answers false when the object is linked and has to be listed by a transfer worker. */
    async planHosted(recordId: string, object: number): Promise<boolean> {
      const snapshot = snapshotOf(db, recordId);
      const from = snapshot?.objects[object];
      const state = listingState(db, recordId, object);
      if (!snapshot || !from || !state || state.complete) return true;
      if (isUnsendable(db, recordId, object)) return true;
      if (from.category === "REMOTE") return false;
      while (!planHostedPage(db, recordId, object, { ...from, projectId: snapshot.projectId }, now())) {
        Context.current().heartbeat();
        await new Promise((resolve) => setImmediate(resolve));
      }
      return true;
    },

    async readTargets(recordId: string, from: number): Promise<TargetPage> {
      const { targets } = runTargets(db, recordId);
      const page = targets.slice(from, from + TARGETS_PAGE);
      return { targets: page, next: from + page.length < targets.length ? from + page.length : null };
    },

    async cutBatches(request: CutRequest): Promise<Cut> {
      return cutBatches(db, request, now());
    },

    /** Fails what has no outcome in a batch that no worker could finish. */
    async failBatch(recordId: string, number: number): Promise<BatchCounts> {
      return failBatch(db, recordId, number, now());
    },

    async closeRun(recordId: string, interrupted: string | null): Promise<Closed | null> {
      return closeRecord(db, recordId, interrupted, now);
    },
  };
}

export type RunActivities = ReturnType<typeof createRunActivities>;

function begun(db: Db, recordId: string): Begun {
  const snapshot = snapshotOf(db, recordId);
  return snapshot ? { kind: "go", recordId, objects: snapshot.objects.length } : { kind: "gone" };
}

/** An object that can be sent to none of the run's clusters needs no plan. */
function isUnsendable(db: Db, recordId: string, object: number): boolean {
  return !runTargets(db, recordId).targets.some((target) => target.object === object || target.object === null);
}
