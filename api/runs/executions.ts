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
import { findTask } from "../../db/tasks/tasks.ts";
import { cut } from "../../domain/run-names.ts";
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
 * How long a start or a stop waits for Temporal. After that the record stands, and the reconciler starts or cancels its
 * run.
 */
const DEADLINE_MS = 5_000;
const DELETES_AT_ONCE = 8;

export function createExecutions(deps: ExecutionDeps): Executions {
  const { db, client, now } = deps;

  async function start(taskKey: string): Promise<void> {
    const opened = openRecord(db, {
      taskKey,
      localCluster: deps.localCluster,
      now: now(),
      workflowId: runWorkflowId,
    });
    if (opened.kind !== "opened")
      return opened.kind === "unknown"
        ? fail(250310, taskKey)
        : fail(opened.kind === "disabled" ? 250304 : 250303);
    await startRun(deps, taskKey, opened.recordId, opened.workflowId);
  }

  async function stop(taskKey: string, reason: string): Promise<boolean> {
    const running = runningRecordsOf(db, taskKey);
    for (const { id, workflowId } of running) {
      requestStop(db, id, reason);
      const cancel = () => client.workflow.getHandle(workflowId).cancel();
      await client
        .withDeadline(Date.now() + DEADLINE_MS, cancel)
        .catch((error: unknown) => {
          if (!(error instanceof WorkflowNotFoundError))
            deps.logger.warn(
              { err: error, workflowId },
              "the run could not be cancelled in Temporal; its workers learn of the stop from the record",
            );
        });
    }
    return running.length > 0;
  }

  /**
   * Ends a run whose code fails: it never learns that it was cancelled, and nobody would find it without its record.
   */
  async function endBroken(workflowId: string): Promise<void> {
    const limit = pLimit(DELETES_AT_ONCE);
    try {
      const { troubles, children } = await lookAtRun(client, workflowId, limit);
      if (troubles.some(({ activity }) => activity === null))
        await endRun(
          client,
          workflowId,
          children,
          "stopped: the task was deleted",
          limit,
        );
    } catch (error) {
      deps.logger.warn(
        { err: error, workflowId },
        "the run of a deleted task could not be looked at; it ends on its own or is found later",
      );
    }
  }

  return {
    start,
    stop,
    async cancelAndWait(taskKey, ms) {
      await stop(taskKey, "stopped: the task was deleted");
      for (
        const end = now() + ms;
        runningRecordsOf(db, taskKey).length > 0 && now() < end;
      )
        await sleep(50);
      await Promise.all(
        runningRecordsOf(db, taskKey).map(({ workflowId }) => endBroken(workflowId)),
      );
    },
    async taskSaved(taskKey) {
      const row = findTask(db, taskKey);
      // The task never ran; nothing comes between this look and the transaction of the start.
      const first =
        row?.replicaType === "SCHEDULED" &&
        row.enabled &&
        row.setting.executionStrategy === "IMMEDIATELY" &&
        row.executionTimes === 0;
      // Both for every type: the update of a distribution may have turned one type into the other.
      await Promise.all([
        first && start(taskKey),
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

export type StartDeps = Pick<
  ExecutionDeps,
  "db" | "client" | "queues" | "searchAttributes" | "logger"
>;

/** Starts the run of a RUNNING record; a run that exists already is left as it is. */
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
