import { type Client, WorkflowNotFoundError } from "@temporalio/client";
import { defineSearchAttributeKey } from "@temporalio/common";
import { findCluster } from "../../db/tasks/clusters.ts";
import type { CursorKey } from "../../db/pending/cursors.ts";
import type { Db } from "../../db/open.ts";
import { findTask } from "../../db/tasks/tasks.ts";
import { cut } from "../../domain/run-names.ts";
import {
  ATTRIBUTES,
  fairness,
  FORM,
  PRIORITY,
  type Queues,
  REAL_TIME_RUN,
  type RealTimeRunInput,
  realTimeWorkflowId,
  WAKE,
} from "../../workflows/contract.ts";
import { taskAttributes } from "./schedule-shape.ts";

export type RingDeps = {
  db: Db;
  client: Client;
  queues: Queues;
  searchAttributes: () => boolean;
};

const DEADLINE_MS = 5_000;

/**
 * Wakes the workflow that sends a task's uploads to a cluster, or starts it; does nothing for a
 * deleted task. Rejects while Temporal cannot be reached.
 */
export async function ring(
  { db, client, queues, searchAttributes }: RingDeps,
  { taskKey, clusterId }: CursorKey,
): Promise<void> {
  const row = findTask(db, taskKey);
  if (!row) return;
  const shown = searchAttributes();
  const input: RealTimeRunInput = {
    taskKey,
    taskName: row.name,
    projectId: row.projectId,
    clusterId,
    queues,
    searchAttributes: shown,
    form: FORM,
  };
  const cluster = findCluster(db, clusterId)?.name ?? clusterId;
  const attributes = [
    ...taskAttributes(row),
    { key: defineSearchAttributeKey(ATTRIBUTES.cluster, "KEYWORD"), value: cluster },
  ];
  await client.withDeadline(Date.now() + DEADLINE_MS, () =>
    client.workflow.signalWithStart(REAL_TIME_RUN, {
      workflowId: realTimeWorkflowId(taskKey, clusterId),
      taskQueue: queues.orchestrate,
      args: [input],
      signal: WAKE,
      // This run goes before scheduled runs that wait for the same workers; children and activities
      // inherit the priority.
      priority: { priorityKey: PRIORITY.realTime, ...fairness(row.projectId) },
      staticSummary: cut(`${row.name} → ${cluster}`, 100),
      memo: { task: row.name, project: row.projectId, cluster },
      ...(shown ? { typedSearchAttributes: attributes } : {}),
    }),
  );
}

/**
 * Wakes the workflow that sends a task's uploads to a cluster, if it runs. Rejects while Temporal
 * cannot be reached.
 */
export async function ringRunning(
  { client }: RingDeps,
  { taskKey, clusterId }: CursorKey,
): Promise<void> {
  const handle = client.workflow.getHandle(realTimeWorkflowId(taskKey, clusterId));
  await client
    .withDeadline(Date.now() + DEADLINE_MS, () => handle.signal(WAKE))
    .catch((error: unknown) => {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    });
}
