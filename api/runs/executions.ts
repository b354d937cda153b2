import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from "@temporalio/client";
import { and, eq } from "drizzle-orm";
import pLimit from "p-limit";
import { setTimeout as sleep } from "node:timers/promises";
import { requestStop } from "../../db/runs/close.ts";
import { openRecord } from "../../db/runs/open.ts";
import { record } from "../../db/schema/records.ts";
import { task } from "../../db/schema/tasks.ts";
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
 * How long a start or a stop waits for Temporal; after that the record stands, and the reconciler starts or cancels its
 * run.
 */
const DEADLINE_MS = 5_000;
const DELETES_AT_ONCE = 8;

export function createExecutions(deps: ExecutionDeps): Executions {
  const { db, client, now } = deps;

  async function start(taskKey: string): Promise<void> {
    const opened = openRecord(db, { taskKey, localCluster: deps.localCluster, now: now(), workflowId: runWorkflowId });
    if (opened.kind !== "opened")
      return opened.kind === "unknown" ? fail(250310, taskKey) : fail(opened.kind === "disabled" ? 250304 : 250303);
    await startRun(deps, taskKey, opened.recordId, opened.workflowId);
  }

  async function stop(taskKey: string, reason: string): Promise<boolean> {
    const running = runningRecords(db, taskKey);
    for (const { id, workflowId } of running) {
      requestStop(db, id, reason);
      const cancel = () => client.workflow.getHandle(workflowId).cancel();
      await client.withDeadline(Date.now() + DEADLINE_MS, cancel).catch((error: unknown) => {
        if (!(error instanceof WorkflowNotFoundError))
          deps.logger.warn(
            { err: error, workflowId },
            "the run could not be cancelled in Temporal; its workers stop by the record",
          );
      });
    }
    return running.length > 0;
  }

  /** A run whose code fails never learns that it was cancelled, and with its record it would be forgotten. */
  async function endBroken(workflowId: string): Promise<void> {
    const limit = pLimit(DELETES_AT_ONCE);
    try {
      const { troubles, children } = await lookAtRun(client, workflowId, limit);
      if (troubles.some(({ activity }) => activity === null))
        await endRun(client, workflowId, children, "stopped: the task was deleted", limit);
    } catch (error) {
      deps.logger.warn(
        { err: error, workflowId },
        "the run of a deleted task could not be looked at; it ends by itself or is found later",
      );
    }
  }

  return {
    start,
    stop,
    async cancelAndWait(taskKey, ms) {
      await stop(taskKey, "stopped: the task was deleted");
      for (const end = now() + ms; runningRecords(db, taskKey).length > 0 && now() < end;) await sleep(50);
      await Promise.all(runningRecords(db, taskKey).map(({ workflowId }) => endBroken(workflowId)));
    },
    async taskSaved(taskKey) {
      const row = findTask(db, taskKey);
      // A task that never ran; nothing comes between this look and the start's transaction.
      const first =
        row?.replicaType === "SCHEDULED" &&
        row.enabled &&
        row.setting.executionStrategy === "IMMEDIATELY" &&
        row.executionTimes === 0;
      // Both, whatever it is: a distribution's update may have turned one kind into the other.
      await Promise.all([first && start(taskKey), deps.schedules.align(taskKey), deps.doorbell.taskSaved(taskKey)]);
    },
    async taskDeleted(taskKey) {
      await deps.doorbell.taskDeleted(taskKey);
      await deps.schedules.remove(taskKey);
    },
  };
}

export type StartDeps = Pick<ExecutionDeps, "db" | "client" | "queues" | "searchAttributes" | "logger">;

/** Starts a run for a record that is RUNNING; a run that is there already is left as it is. */
export async function startRun(deps: StartDeps, taskKey: string, recordId: string, workflowId: string): Promise<void> {
  const row = deps.db
    .select({ name: task.name, projectId: task.projectId })
    .from(task)
    .where(eq(task.key, taskKey))
    .get();
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
        ...(searchAttributes ? { typedSearchAttributes: [...taskAttributes(row), statusAttribute("RUNNING")] } : {}),
      }),
    );
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return;
    deps.logger.warn({ err: error, workflowId }, "Temporal did not take the run; it starts when Temporal is back");
  }
}

function runningRecords(db: Db, taskKey: string): { id: string; workflowId: string }[] {
  return db
    .select({ id: record.id, workflowId: record.workflowId })
    .from(record)
    .where(and(eq(record.taskKey, taskKey), eq(record.status, "RUNNING")))
    .all();
}
