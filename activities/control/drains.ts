import type { CursorKey } from "../../db/pending/cursors.ts";
import { beginDrain, type DrainStep, type Grown, growDrain } from "../../db/drains/open.ts";
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

/** `first`: the cut number 1 of a target, already made; `objects`: how many the drain's task has. */
export type FirstTarget = Target & { first?: Cut };
export type Drained = Omit<Extract<DrainStep, { kind: "drain" }>, "targets"> & {
  targets: FirstTarget[] | null;
  objects: number;
};
/** `closed`: what became of the drain that was handed in as ended. */
export type Step = (Exclude<DrainStep, { kind: "drain" | "look" }> | Drained) & { closed: Closed | null };
export type Ended = { recordId: string; reason: string | null };

/** Of so many targets the first cut comes with the drain itself, which saves small drains a step. */
const CUT_AT_ONCE = 4;
/** Pages of news that a drain takes in at a time, fewer where they concern more than a few objects. */
const MOST_PAGES = 5;
const FEW_TARGETS = 5;

export type DrainActivityDeps = {
  db: Db;
  localCluster: string;
  now: () => number;
  /** Told before anything is read: what happened until now is about to be seen. */
  asked: (key: CursorKey) => void;
  turns: Turns;
};

/** What the control plane does for the workflows that follow uploads: state only, no network. */
export function createDrainActivities({ db, localCluster, now, asked, turns }: DrainActivityDeps) {
  function cutFirst(
    { recordId, targets }: Extract<DrainStep, { kind: "drain" }>,
    most: number,
    workflowId: string,
  ): FirstTarget[] | null {
    if (!targets || targets.length > CUT_AT_ONCE) return targets && whole(targets);
    return targets.map((target) => {
      const { object, clusterId } = target;
      return object === null
        ? target
        : {
            ...target,
            first: cutInTurn(
              db,
              turns,
              { recordId, object, clusterId, cut: 1, most },
              { workflowId, waits: false },
              now(),
            ),
          };
    });
  }

  /** Takes in a few pages of news, while what is to be told of them stays small. */
  async function grow(recordId: string): Promise<Grown> {
    const targets = new Map<number | null, Target>();
    for (let pages = 1; ; pages += 1) {
      const grown = await inTurn(() => growDrain(db, recordId, now()), "answer");
      for (const target of grown.targets) targets.set(target.object, target);
      if (!grown.more || pages === MOST_PAGES || targets.size > FEW_TARGETS)
        return { ...grown, targets: [...targets.values()] };
    }
  }

  return {
    /**
     * Closes the drain that ended, if any, and finds the one that goes on, or opens the next when there is something to
     * send.
     */
    async beginDrain(
      taskKey: string,
      clusterId: string,
      workflowId: string,
      ended: Ended | null,
      window: number,
    ): Promise<Step> {
      return heartbeating(async () => {
        const closed = ended && toldClosed(await closeRecord(db, ended.recordId, ended.reason, now));
        asked({ taskKey, clusterId });
        for (;;) {
          const step = await inTurn(
            () => beginDrain(db, { taskKey, clusterId, workflowId, localCluster, now: now() }),
            "answer",
          );
          if (step.kind === "drain")
            return {
              ...step,
              targets: cutFirst(step, window, workflowId),
              objects: snapshotOf(db, step.recordId)?.objects.length ?? 0,
              closed,
            };
          if (step.kind !== "look") return { ...step, closed };
        }
      });
    },

    /** `targets` null: there are too many for one answer; ask for all of the drain. */
    async growDrain(
      taskKey: string,
      clusterId: string,
      recordId: string,
    ): Promise<Omit<Grown, "targets"> & { targets: Target[] | null }> {
      asked({ taskKey, clusterId });
      const { targets, ...grown } = await heartbeating(() => grow(recordId));
      return { ...grown, targets: whole(targets) };
    },

    /** Plans all objects of a drain that catches up, to the end. */
    async planDrain(recordId: string): Promise<void> {
      const snapshot = snapshotOf(db, recordId);
      await heartbeating(async () => {
        for (const object of snapshot?.objects.keys() ?? []) {
          while (!(await inTurn(() => planCatchUp(db, recordId, object, now()))));
        }
      });
    },
  };
}

export type DrainActivities = ReturnType<typeof createDrainActivities>;
