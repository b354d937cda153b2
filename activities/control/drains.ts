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

/** `first`: cut number 1 of the target, which is already made. */
export type FirstTarget = Target & { first?: Cut };
/** `objects`: how many objects the drain's task has. */
export type Drained = Omit<Extract<DrainStep, { kind: "drain" }>, "targets"> & {
  targets: FirstTarget[] | null;
  objects: number;
};
/** `closed`: the result of closing the drain that was passed as `ended`. */
export type Step = (Exclude<DrainStep, { kind: "drain" | "look" }> | Drained) & {
  closed: Closed | null;
};
export type Ended = { recordId: string; reason: string | null };

/** With at most this many targets, the answer includes their first cuts, which saves small drains a step. */
const CUT_AT_ONCE = 4;
/** A drain reads at most this many pages of events at a time, and stops earlier once they concern many targets. */
const MOST_PAGES = 5;
const FEW_TARGETS = 5;

type DrainActivityDeps = {
  db: Db;
  localCluster: string;
  now: () => number;
  /** Called before events are read, so the doorbell may ring again for anything later. */
  asked: (key: CursorKey) => void;
  turns: Turns;
};

/** Activities of the control plane for the workflows of REAL_TIME tasks: state only, no network. */
export function createDrainActivities(deps: DrainActivityDeps) {
  const { db, localCluster, now, asked } = deps;
  return {
    /**
     * Closes the drain that ended, if any. Then returns the drain that is in progress, or opens the next one when there
     * is something to send.
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

    /** Reads more events into a drain. `targets` null: they are too many for one answer; read the drain's targets. */
    async growDrain(
      taskKey: string,
      clusterId: string,
      recordId: string,
    ): Promise<Omit<Grown, "targets"> & { targets: Target[] | null }> {
      asked({ taskKey, clusterId });
      const { targets, ...grown } = await heartbeating(() => grow(deps, recordId));
      return { ...grown, targets: whole(targets) };
    },

    /** Plans all objects of a catch-up drain to the end. */
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

/** Makes the first cut for each target, where the targets are few. Null: the targets are too many for one answer. */
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

/** Reads a few pages of events into a drain, as long as they concern few targets. */
async function grow({ db, now }: DrainActivityDeps, recordId: string): Promise<Grown> {
  const targets = new Map<number | null, Target>();
  for (let pages = 1; ; pages += 1) {
    const grown = await inTurn(() => growDrain(db, recordId, now()), "answer");
    for (const target of grown.targets) targets.set(target.object, target);
    if (!grown.more || pages === MOST_PAGES || targets.size > FEW_TARGETS)
      return { ...grown, targets: [...targets.values()] };
  }
}
