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

/** Numbers of objects in one answer, which stays below 4 KiB. */
const OBJECTS_PAGE = 500;
/** An object whose plan breaks so often has a problem, and the rest is planned without it. */
const MOST_TRIES = 3;

export type Unlisted = { objects: number[]; next: number | null };
/**
 * `linked`: objects that are to be listed, `unlisted` the first of them. Without any the plan is whole, and `targets`
 * are the first to send to. Earlier releases told the number alone. `leftOut` is there for those who look at it.
 */
export type HostedPlanned = { linked: number; unlisted?: Unlisted; targets?: TargetPage; leftOut?: LeftOut };

type PlanDeps = { db: Db; now: () => number; firstTargets: (recordId: string, after: string | null) => TargetPage };

/** Plans whole runs: state only, no network. */
export function createPlanActivities({ db, now, firstTargets }: PlanDeps) {
  async function planHosted(recordId: string, object: number): Promise<void> {
    const snapshot = snapshotOf(db, recordId);
    const from = snapshot?.objects[object];
    if (!from) return;
    try {
      const place = { ...from, projectId: snapshot.projectId };
      while (!(await inTurn(() => planHostedPage(db, recordId, object, place, now()))));
    } catch (error) {
      if (Context.current().info.attempt < MOST_TRIES || isPassing(error)) throw error;
      failPlan(db, recordId, object, `cannot be planned: ${String(error)}`);
    }
  }

  return {
    /**
     * Plans every hosted object to the end, on from where an earlier attempt came; `after`: the run has sent to the
     * clusters up to this one.
     */
    async planAllHosted(recordId: string, after: string | null = null): Promise<HostedPlanned> {
      const unplanned = unplannedObjects(db, recordId);
      await heartbeating(async () => {
        for (const { object, linked } of unplanned) {
          if (linked) continue;
          if (isEnding(db, recordId)) break;
          await planHosted(recordId, object);
        }
      });
      const linked = unplanned.flatMap((each) => (each.linked ? each.object : []));
      const told = leftOutOf(db, recordId);
      const leftOut = told.count > 0 ? { leftOut: told } : {};
      if (linked.length > 0) return { linked: linked.length, unlisted: pageOf(linked), ...leftOut };
      return { linked: 0, targets: await inTurn(() => firstTargets(recordId, after), "answer"), ...leftOut };
    },

    /** Linked objects, from number `from` on, that are not listed to the end. */
    async readUnlisted(recordId: string, from: number): Promise<Unlisted> {
      return pageOf(unplannedObjects(db, recordId, from).flatMap(({ object, linked }) => (linked ? object : [])));
    },

    /** Says of a linked object that no worker could list it. */
    async failListing(recordId: string, object: number, reason: string): Promise<void> {
      failPlan(db, recordId, object, `cannot be listed: ${reason}`);
    },
  };
}

export type PlanActivities = ReturnType<typeof createPlanActivities>;

function pageOf(objects: number[]): Unlisted {
  const page = objects.slice(0, OBJECTS_PAGE);
  return { objects: page, next: page.length < objects.length ? (page.at(-1) ?? 0) + 1 : null };
}

/** What is wrong with the disk is nobody's plan's fault, and is waited for. */
const isPassing = (error: unknown) =>
  error instanceof Error && "code" in error && /^SQLITE_(FULL|IOERR|BUSY|NOMEM)/.test(String(error.code));
