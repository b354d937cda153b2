import pLimit from "p-limit";
import { closeRecord } from "../../db/runs/close.ts";
import { closeAsAnswered } from "../../db/runs/restore.ts";
import { type RunningRecord, runningRecords } from "../../db/runs/problems.ts";
import { type StartDeps, startRun } from "./executions.ts";
import { ring } from "./ring.ts";
import { answerOf } from "./answer.ts";
import { lookAtRun } from "./look.ts";
import type { Pace } from "./pace.ts";
import { createTroubleNotes } from "./trouble-notes.ts";
import { createUnbegun } from "./unbegun.ts";

type ReconcilerDeps = StartDeps & {
  now: () => number;
  /** IANA name of the configured time zone. */
  zone: string;
  pace: Pace;
  /** Called after the reconciler has closed the record of a run of the task. */
  closed: (taskKey: string) => void;
};

type Reconciler = {
  /**
   * Looks once at the run of each RUNNING record that is old enough, and at runs whose code fails.
   */
  look: () => Promise<void>;
  /**
   * Returns the keys of the tasks with a firing that cannot begin, because its code fails before it
   * has made its record.
   */
  unbegun: () => readonly string[];
};

const AT_ONCE = 8;

/**
 * Brings RUNNING records in line with Temporal: starts a run again if Temporal does not know it,
 * closes the record of a run that has ended, and stores in the record the problem that blocks a
 * run. A run that cannot be looked at does not hinder the others.
 */
export function createReconciler(deps: ReconcilerDeps): Reconciler {
  const { db, now, logger } = deps;
  const limit = pLimit(AT_ONCE);
  const troubles = createTroubleNotes(deps);
  const unbegun = createUnbegun(deps, limit);

  async function bringInLine(row: RunningRecord): Promise<void> {
    const look = await lookAtRun(deps.client, row.workflowId, limit);
    if (look.state === "RUNNING") return troubles.note(row, look);
    if (look.state === "UNKNOWN" && row.stopReason === null) return startAgain(row);
    // A workflow that follows uploads ends after ten minutes without any. A ring starts it again,
    // and it continues the drain whose record was restored as RUNNING with an older database.
    if (look.state === "COMPLETED" && row.clusterId !== "") return ring(deps, row);
    const answer =
      look.state === "UNKNOWN" ? null : await answerOf(deps.client, row.workflowId);
    if (answer === "running") return;
    if (answer === null)
      await closeRecord(
        db,
        row.id,
        row.stopReason ?? `the run was ended from outside: ${look.state} in Temporal`,
        now,
      );
    else await closeAsAnswered(db, row.id, answer);
    deps.closed(row.taskKey);
  }

  async function startAgain({
    id,
    taskKey,
    clusterId,
    workflowId,
  }: RunningRecord): Promise<void> {
    logger.warn(
      { recordId: id, workflowId },
      "Temporal does not know the run of a RUNNING record; starting it again",
    );
    await (clusterId === ""
      ? startRun(deps, taskKey, id, workflowId)
      : ring(deps, { taskKey, clusterId }));
  }

  return {
    async look() {
      const running = runningRecords(db);
      const rows = running.filter(
        ({ startTime }) => startTime < now() - deps.pace.settled,
      );
      troubles.keepOnly(new Set(rows.map(({ id }) => id)));
      const looks = rows.map((row) =>
        bringInLine(row).catch((error: unknown) =>
          logger.warn(
            { err: error, recordId: row.id },
            "a run could not be brought in line with Temporal; it is tried again",
          ),
        ),
      );
      await Promise.all(looks);
      await unbegun.look(new Set(running.map(({ workflowId }) => workflowId)));
    },
    unbegun: unbegun.taskKeys,
  };
}
