import pLimit from "p-limit";
import { closeRecord } from "../../db/runs/close.ts";
import { closeAsAnswered } from "../../db/runs/restore.ts";
import { type RunningRecord, runningRecords, setProblem } from "../../db/runs/problems.ts";
import { findTask } from "../../db/tasks/tasks.ts";
import { troubleText } from "../../domain/trouble.ts";
import { type StartDeps, startRun } from "./executions.ts";
import { ring } from "./ring.ts";
import { answerOf } from "./answer.ts";
import { endRun } from "./end-run.ts";
import { type Look, lookAtRun } from "./look.ts";
import type { Pace } from "./pace.ts";
import { type BrokenInput, type BrokenRun, brokenRuns } from "./unrecorded.ts";

export type ReconcilerDeps = StartDeps & {
  now: () => number;
  /** IANA name of the configured zone. */
  zone: string;
  pace: Pace;
  /** Told after a run of the task was closed. */
  closed: (taskKey: string) => void;
};

export type Reconciler = {
  /** Looks at every run once. */
  look: () => Promise<void>;
  /** Keys of the tasks of which a firing cannot begin: its code fails before it has made its record. */
  unbegun: () => readonly string[];
};

const AT_ONCE = 8;

/**
 * Brings RUNNING records in line with Temporal: a run that it does not know is started again, the record of one that
 * has ended is closed, and what keeps one from going on is written into its record. Each by itself: one that cannot be
 * looked at does not keep the others from it.
 */
export function createReconciler(deps: ReconcilerDeps): Reconciler {
  const { db, now, logger } = deps;
  const limit = pLimit(AT_ONCE);
  /** When the trouble of a run was seen first. */
  const seen = new Map<string, number>();
  /** Firings that cannot come to make their records: the task of each, by workflow id. */
  let unbegun = new Map<string, string>();

  function tell(row: RunningRecord, { troubles }: Look): void {
    if (troubles.length === 0) seen.delete(row.id);
    else seen.set(row.id, seen.get(row.id) ?? now());
    const problem = troubleText(troubles, seen.get(row.id) ?? now(), deps.zone);
    if (problem === row.problem) return;
    setProblem(db, row.id, problem);
    const facts = { recordId: row.id, taskKey: row.taskKey, workflowId: row.workflowId };
    if (row.problem === null) logger.error({ ...facts, problem }, "a run does not go on");
    else if (problem === null) logger.info(facts, "a run that did not go on does again");
  }

  async function bringInLine(row: RunningRecord): Promise<void> {
    const look = await lookAtRun(deps.client, row.workflowId, limit);
    if (look.state === "RUNNING") return tell(row, look);
    if (look.state === "UNKNOWN" && row.stopReason === null) return startAgain(row);
    // One that follows uploads ends when it has long been silent; a drain that was put back is taken up again.
    if (look.state === "COMPLETED" && row.clusterId !== "") return ring(deps, row);
    const answer = look.state === "UNKNOWN" ? null : await answerOf(deps.client, row.workflowId);
    if (answer === "running") return;
    if (answer === null)
      await closeRecord(db, row.id, row.stopReason ?? `the run was ended from outside: ${look.state} in Temporal`, now);
    else await closeAsAnswered(db, row.id, answer);
    deps.closed(row.taskKey);
  }

  async function startAgain({ id, taskKey, clusterId, workflowId }: RunningRecord): Promise<void> {
    logger.warn({ recordId: id, workflowId }, "Temporal does not know the run of a RUNNING record; starting it again");
    await (clusterId === "" ? startRun(deps, taskKey, id, workflowId) : ring(deps, { taskKey, clusterId }));
  }

  /** Whether something is left that only this run can do: a firing that waits for a release in which it can begin. */
  const isNeeded = ({ recordId, clusterId, taskKey }: BrokenInput) =>
    clusterId === undefined && recordId === null && findTask(db, taskKey) !== null;

  async function endUnneeded({ workflowId, input }: BrokenRun): Promise<void> {
    if (isNeeded(input)) return;
    const { children } = await lookAtRun(deps.client, workflowId, limit);
    logger.warn({ workflowId }, "a run whose code fails, and that no running record belongs to, is terminated");
    await endRun(deps.client, workflowId, children, "its code fails, and no running record belongs to it", limit);
  }

  async function lookAtUnrecorded(known: ReadonlySet<string>): Promise<void> {
    const broken = await brokenRuns(deps.client, deps.queues.orchestrate, known, limit);
    const waiting = broken.filter(({ input }) => isNeeded(input));
    for (const { workflowId, input } of waiting) {
      if (!unbegun.has(workflowId))
        logger.error(
          { workflowId, taskKey: input.taskKey },
          "a firing cannot begin: its code fails; a release in which it does not lets it go on",
        );
    }
    unbegun = new Map(waiting.map(({ workflowId, input }) => [workflowId, input.taskKey]));
    await Promise.all(broken.map(endUnneeded));
  }

  return {
    async look() {
      const running = runningRecords(db);
      const rows = running.filter(({ startTime }) => startTime < now() - deps.pace.settled);
      const ids = new Set(rows.map(({ id }) => id));
      for (const id of seen.keys()) {
        if (ids.has(id)) continue;
        seen.delete(id);
        logger.info({ recordId: id }, "a run that did not go on is over");
      }
      const looks = rows.map((row) =>
        bringInLine(row).catch((error: unknown) =>
          logger.warn(
            { err: error, recordId: row.id },
            "a run could not be brought in line with Temporal; it is tried again",
          ),
        ),
      );
      await Promise.all(looks);
      await lookAtUnrecorded(new Set(running.map(({ workflowId }) => workflowId)));
    },
    unbegun: () => [...unbegun.values()],
  };
}
