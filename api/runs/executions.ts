import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from "@temporalio/client";
import pLimit from "p-limit";
import { setTimeout as sleep } from "node:timers/promises";
import { requestStop } from "../../db/runs/close.ts";
import { openRecord } from "../../db/runs/open.ts";
import { runningRecordsOf } from "../../db/runs/problems.ts";
import type { Db } from "../../db/open.ts";
import { findTask, type TaskRow } from "../../db/tasks/tasks.ts";
import { cut } from "../../domain/run-names.ts";
import { text } from "../../domain/text.ts";
import {
  FORM,
  type Queues,
  runPriority,
  runWorkflowId,
  TASK_RUN,
  type TaskRunInput,
} from "../../workflows/contract.ts";
import type { Executions, Logger } from "../deps.ts";
import type { Doorbell } from "./doorbell.ts";
import { fail } from "../http/errors.ts";
import { endRun } from "./end-run.ts";
import { lookAtRun } from "./look.ts";
import { statusAttribute, taskAttributes } from "./schedule-shape.ts";
import type { Schedules } from "./schedules.ts";
import { elapsed } from "../../domain/elapsed.ts";

export type ExecutionDeps = {
  db: Db;
  client: Client;
  queues: Queues;
  searchAttributes: () => boolean;
  schedules: Pick<Schedules, "align" | "remove">;
  doorbell: Pick<Doorbell, "taskSaved" | "taskDeleted">;
  localCluster: string;
  now: () => number;
  logger: Logger;
};

/**
 * How long (ms) a start or a stop waits for Temporal. If it fails, the record stays RUNNING, and
 * its run is started or cancelled later.
 */
const DEADLINE_MS = 5_000;
const DELETES_AT_ONCE = 8;
/**
 * The reason that the record and Temporal show for a run that was ended because its task was
 * deleted.
 */
const TASK_DELETED = "stopped: the task was deleted";

export function createExecutions(deps: ExecutionDeps): Executions {
  const { db } = deps;
  const start = (taskKey: string) => openAndStart(deps, taskKey);
  return {
    start,
    stop: (taskKey, reason) => stopRuns(deps, taskKey, reason),
    async cancelAndWait(taskKey, ms) {
      await stopRuns(deps, taskKey, TASK_DELETED);
      for (
        const end = elapsed() + ms;
        runningRecordsOf(db, taskKey).length > 0 && elapsed() < end;
      )
        await sleep(50);
      await Promise.all(
        runningRecordsOf(db, taskKey).map(({ workflowId }) =>
          endBroken(deps, workflowId),
        ),
      );
    },
    async taskSaved(taskKey) {
      const row = findTask(db, taskKey);
      // Schedule and doorbell are both updated for every type of task, because an update of a
      // distribution may have changed the type.
      await Promise.all([
        row && startsNow(row) && start(taskKey),
        deps.schedules.align(taskKey),
        deps.doorbell.taskSaved(taskKey),
      ]);
    },
    async taskDeleted(taskKey) {
      await deps.doorbell.taskDeleted(taskKey);
      await deps.schedules.remove(taskKey);
    },
  };
}

const ALREADY_RUNNING = text(
  "the task is already running: wait for the end of its run, or stop it",
  "任务已在运行：请等待运行结束，或停止它",
);

/**
 * Opens the RUNNING record of a task and starts its run. Throws ApiError 250303 while a run goes
 * on, 250304 for a disabled task, 250310 for an unknown one.
 */
async function openAndStart(deps: ExecutionDeps, taskKey: string): Promise<void> {
  const opened = openRecord(deps.db, {
    taskKey,
    localCluster: deps.localCluster,
    now: deps.now(),
    workflowId: runWorkflowId,
  });
  if (opened.kind !== "opened")
    return opened.kind === "unknown"
      ? fail(250310, taskKey)
      : opened.kind === "disabled"
        ? fail(250304)
        : fail(250303, ALREADY_RUNNING);
  await startRun(deps, taskKey, opened.recordId, opened.workflowId);
}

/**
 * Whether saving a task starts it: it is SCHEDULED and enabled, its strategy is IMMEDIATELY, and it
 * has never run. Do not await between this check and the start.
 */
const startsNow = ({ replicaType, enabled, setting, executionTimes }: TaskRow): boolean =>
  replicaType === "SCHEDULED" &&
  enabled &&
  setting.executionStrategy === "IMMEDIATELY" &&
  executionTimes === 0;

/** Requests the stop of every run of a task; returns false if none is running. */
async function stopRuns(
  { db, client, logger }: ExecutionDeps,
  taskKey: string,
  reason: string,
): Promise<boolean> {
  const running = runningRecordsOf(db, taskKey);
  for (const { id, workflowId } of running) {
    requestStop(db, id, reason);
    const cancel = () => client.workflow.getHandle(workflowId).cancel();
    await client
      .withDeadline(Date.now() + DEADLINE_MS, cancel)
      .catch((error: unknown) => {
        if (!(error instanceof WorkflowNotFoundError))
          logger.warn(
            { err: error, workflowId },
            "the run could not be cancelled in Temporal; its workers learn of the stop from the record",
          );
      });
  }
  return running.length > 0;
}

/**
 * Terminates a run of a deleted task if its workflow code fails: such a run does not react to
 * cancellation, and once its record is deleted with the task, the reconciler would not find it. A failure
 * is only logged.
 */
async function endBroken(
  { client, logger }: ExecutionDeps,
  workflowId: string,
): Promise<void> {
  const limit = pLimit(DELETES_AT_ONCE);
  try {
    const { troubles, children } = await lookAtRun(client, workflowId, limit);
    if (troubles.some(({ activity }) => activity === null))
      await endRun(client, workflowId, children, TASK_DELETED, limit);
  } catch (error) {
    logger.warn(
      { err: error, workflowId },
      "the run of a deleted task could not be looked at; it ends on its own or is found later",
    );
  }
}

export type StartDeps = Pick<
  ExecutionDeps,
  "db" | "client" | "queues" | "searchAttributes" | "logger"
>;

/**
 * Starts the run of a RUNNING record, unless its task is deleted; a run that already exists is left
 * as it is. Only logs if Temporal does not accept the run: the reconciler starts it later.
 */
export async function startRun(
  deps: StartDeps,
  taskKey: string,
  recordId: string,
  workflowId: string,
): Promise<void> {
  const row = findTask(deps.db, taskKey);
  if (!row) return;
  const searchAttributes = deps.searchAttributes();
  const input: TaskRunInput = {
    taskKey,
    taskName: row.name,
    projectId: row.projectId,
    recordId,
    schedule: null,
    queues: deps.queues,
    searchAttributes,
    form: FORM,
  };
  try {
    await deps.client.withDeadline(Date.now() + DEADLINE_MS, () =>
      deps.client.workflow.start(TASK_RUN, {
        workflowId,
        taskQueue: deps.queues.orchestrate,
        args: [input],
        staticSummary: cut(row.name, 100),
        priority: runPriority(row.projectId),
        ...(searchAttributes
          ? {
              typedSearchAttributes: [...taskAttributes(row), statusAttribute("RUNNING")],
            }
          : {}),
      }),
    );
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return;
    deps.logger.warn(
      { err: error, workflowId },
      "Temporal did not accept the run; it starts when Temporal is back",
    );
  }
}
