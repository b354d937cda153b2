import type { CursorKey } from "../../db/pending/cursors.ts";
import {
  beginDrain,
  type DrainStep,
  type Grown,
  growDrain,
} from "../../db/drains/open.ts";
import { planCatchUp } from "../../db/drains/plan.ts";
import type { Db } from "../../db/open.ts";
import { closeRecord, type Closed, toldClosed } from "../../db/runs/close.ts";
import type { Cut } from "../../db/runs/cutting.ts";
import { snapshotOf } from "../../db/records/snapshots.ts";
import type { Target } from "../../db/runs/targets.ts";
import { inTurn } from "../../db/turns.ts";
import { whole } from "./answers.ts";
import { cutInTurn } from "./cut-in-turn.ts";
import { heartbeating } from "./heartbeating.ts";
import type { Turns } from "./turns.ts";

/** A target of a drain. `first`: the batches of its cut number 1, if that cut is already made. */
export type FirstTarget = Target & { first?: Cut };
/** A drain as the workflow gets it. `objects`: how many objects the task of the drain has. */
export type Drained = Omit<Extract<DrainStep, { kind: "drain" }>, "targets"> & {
  targets: FirstTarget[] | null;
  objects: number;
};
/**
 * The answer of `beginDrain`: what the workflow does next. `closed`: the result of closing its previous
 * drain (parameter `ended`); null when there was none, or its record was deleted.
 */
export type Step = (Exclude<DrainStep, { kind: "drain" | "look" }> | Drained) & {
  closed: Closed | null;
};
export type Ended = { recordId: string; reason: string | null };

/**
 * If a new drain has at most this many targets, the answer of `beginDrain` includes the first cut of each,
 * which saves small drains an activity.
 */
const CUT_AT_ONCE = 4;
/**
 * `growDrain` reads at most MOST_PAGES pages of events per call, and stops earlier once these events
 * concern more than FEW_TARGETS targets.
 */
const MOST_PAGES = 5;
const FEW_TARGETS = 5;

type DrainActivityDeps = {
  db: Db;
  localCluster: string;
  now: () => number;
  /**
   * Called just before the events of a cursor are read: events written after this moment must wake the
   * workflow again.
   */
  asked: (key: CursorKey) => void;
  turns: Turns;
};

/** Activities of the control plane for the workflows of REAL_TIME tasks: state only, no network. */
export function createDrainActivities(deps: DrainActivityDeps) {
  const { db, localCluster, now, asked } = deps;
  return {
    /**
     * Closes the drain that ended, if any. Then returns the next step: the drain that is in progress, a new
     * drain when there is something to send, or else that the workflow waits (`idle`) or ends (`gone`).
     */
    async beginDrain(
      taskKey: string,
      clusterId: string,
      workflowId: string,
      ended: Ended | null,
      window: number,
    ): Promise<Step> {
      return heartbeating(async () => {
        const closed =
          ended && toldClosed(await closeRecord(db, ended.recordId, ended.reason, now));
        asked({ taskKey, clusterId });
        for (;;) {
          const step = await inTurn(
            () =>
              beginDrain(db, {
                taskKey,
                clusterId,
                workflowId,
                localCluster,
                now: now(),
              }),
            "answer",
          );
          if (step.kind === "drain")
            return {
              ...step,
              targets: cutFirst(deps, step, window, workflowId),
              objects: snapshotOf(db, step.recordId)?.objects.length ?? 0,
              closed,
            };
          if (step.kind !== "look") return { ...step, closed };
        }
      });
    },

    /**
     * Reads more events into a drain and returns the targets that gained something to send. `targets` null:
     * they are too many for one answer; the caller must read them page by page.
     */
    async growDrain(
      taskKey: string,
      clusterId: string,
      recordId: string,
    ): Promise<Omit<Grown, "targets"> & { targets: Target[] | null }> {
      asked({ taskKey, clusterId });
      const { targets, ...grown } = await heartbeating(() => grow(deps, recordId));
      return { ...grown, targets: whole(targets) };
    },

    /**
     * Plans all objects of a drain as they are now, instead of following their changes. An object that
     * cannot be sent to the drain's cluster is left out.
     */
    async planDrain(recordId: string): Promise<void> {
      const snapshot = snapshotOf(db, recordId);
      await heartbeating(async () => {
        for (const objectIndex of snapshot?.objects.keys() ?? []) {
          while (!(await inTurn(() => planCatchUp(db, recordId, objectIndex, now()))));
        }
      });
    },
  };
}

export type DrainActivities = ReturnType<typeof createDrainActivities>;

/**
 * Returns the targets of a drain, each with its first cut if there are at most CUT_AT_ONCE of them. Returns
 * null when the caller must read the targets page by page.
 */
function cutFirst(
  { db, turns, now }: DrainActivityDeps,
  { recordId, targets }: Extract<DrainStep, { kind: "drain" }>,
  most: number,
  workflowId: string,
): FirstTarget[] | null {
  if (!targets || targets.length > CUT_AT_ONCE) return targets && whole(targets);
  const who = { workflowId, waits: false };
  return targets.map((target) => {
    const { object: objectIndex, clusterId } = target;
    if (objectIndex === null) return target;
    return {
      ...target,
      first: cutInTurn(
        db,
        turns,
        { recordId, object: objectIndex, clusterId, cut: 1, most },
        who,
        now(),
      ),
    };
  });
}

/**
 * Reads up to MOST_PAGES pages of events into a drain; stops once the events concern more than
 * FEW_TARGETS targets.
 */
async function grow({ db, now }: DrainActivityDeps, recordId: string): Promise<Grown> {
  const targets = new Map<number | null, Target>();
  for (let pages = 1; ; pages += 1) {
    const grown = await inTurn(() => growDrain(db, recordId, now()), "answer");
    for (const target of grown.targets) targets.set(target.object, target);
    if (!grown.more || pages === MOST_PAGES || targets.size > FEW_TARGETS)
      return { ...grown, targets: [...targets.values()] };
  }
}
