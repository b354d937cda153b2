import { Context } from "@temporalio/activity";
import type { LeftOut } from "../../domain/left-out.ts";
import type { Db } from "../../db/open.ts";
import { isEnding } from "../../db/records/halts.ts";
import { failPlan, leftOutOf, planHostedPage } from "../../db/plan/hosted.ts";
import { snapshotOf } from "../../db/records/snapshots.ts";
import { unplannedObjects } from "../../db/runs/targets.ts";
import { inTurn } from "../../db/turns.ts";
import { heartbeating } from "./heartbeating.ts";
import type { TargetPage } from "./target-pages.ts";

/** Maximum number of object indexes in one answer, which must stay below 4 KiB. */
const OBJECTS_PAGE = 500;
/**
 * From this attempt of the activity on, an object whose plan throws is recorded as failed, and the other
 * objects are planned without it. Errors of SQLite that may pass (`isPassing`) are tried again without
 * limit.
 */
const MOST_TRIES = 3;

/** Indexes of objects that are still to be listed; `next`: the index from which on there are more, or null. */
export type Unlisted = { objects: number[]; next: number | null };
/**
 * `linked`: how many objects are to be listed; `unlisted`: the first of them. If no object is to be
 * listed, the plan is complete, and `targets` are the first to send to. Answers of earlier releases
 * have `linked` only. No workflow reads `leftOut`; it is for people who look at Temporal's history.
 */
type HostedPlanned = {
  linked: number;
  unlisted?: Unlisted;
  targets?: TargetPage;
  leftOut?: LeftOut;
};

type PlanDeps = {
  db: Db;
  now: () => number;
  firstTargets: (recordId: string, after: string | null) => TargetPage;
};

/** Activities that plan whole runs: state only, no network. */
export function createPlanActivities({ db, now, firstTargets }: PlanDeps) {
  async function planObject(recordId: string, objectIndex: number): Promise<void> {
    const snapshot = snapshotOf(db, recordId);
    const from = snapshot?.objects[objectIndex];
    if (!from) return;
    try {
      const place = { ...from, projectId: snapshot.projectId };
      while (
        !(await inTurn(() => planHostedPage(db, recordId, objectIndex, place, now())))
      );
    } catch (error) {
      if (Context.current().info.attempt < MOST_TRIES || isPassing(error)) throw error;
      failPlan(db, recordId, objectIndex, `cannot be planned: ${String(error)}`);
    }
  }

  return {
    /**
     * Plans every hosted object that can be sent to a cluster, unless the run must end; continues an
     * earlier attempt. `after`: the id of the last cluster, in the order of the run, to which the run has
     * already sent; null: none.
     */
    async planAllHosted(
      recordId: string,
      after: string | null = null,
    ): Promise<HostedPlanned> {
      const unplanned = unplannedObjects(db, recordId);
      await heartbeating(async () => {
        for (const { object: objectIndex, linked } of unplanned) {
          if (linked) continue;
          if (isEnding(db, recordId)) break;
          await planObject(recordId, objectIndex);
        }
      });
      const linked = unplanned.flatMap((each) => (each.linked ? each.object : []));
      const told = leftOutOf(db, recordId);
      const leftOut = told.count > 0 ? { leftOut: told } : {};
      if (linked.length > 0)
        return { linked: linked.length, unlisted: pageOf(linked), ...leftOut };
      return {
        linked: 0,
        targets: await inTurn(() => firstTargets(recordId, after), "answer"),
        ...leftOut,
      };
    },

    /**
     * Returns the first linked objects, from index `from` on, that can be sent to a cluster and whose
     * listing is not complete.
     */
    async readUnlisted(recordId: string, from: number): Promise<Unlisted> {
      return pageOf(
        unplannedObjects(db, recordId, from).flatMap(({ object: objectIndex, linked }) =>
          linked ? objectIndex : [],
        ),
      );
    },

    /** Fails the plan of a linked object that no worker could list. */
    async failListing(
      recordId: string,
      objectIndex: number,
      reason: string,
    ): Promise<void> {
      failPlan(db, recordId, objectIndex, `cannot be listed: ${reason}`);
    },
  };
}

export type PlanActivities = ReturnType<typeof createPlanActivities>;

function pageOf(objects: number[]): Unlisted {
  const page = objects.slice(0, OBJECTS_PAGE);
  return {
    objects: page,
    next: page.length < objects.length ? (page.at(-1) ?? 0) + 1 : null,
  };
}

/**
 * Whether an error of SQLite says nothing about the plan and may pass: the disk is full, busy or fails, or
 * memory is short. The attempt is then repeated until the trouble is over.
 */
const isPassing = (error: unknown) =>
  error instanceof Error &&
  "code" in error &&
  /^SQLITE_(FULL|IOERR|BUSY|NOMEM)/.test(String(error.code));
