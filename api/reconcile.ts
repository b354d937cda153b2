import { WorkflowNotFoundError } from "@temporalio/client";
import { and, eq, lt } from "drizzle-orm";
import { closeRecord } from "../db/runs/close.ts";
import { record } from "../db/schema/replication.ts";
import { type ExecutionDeps, startRun } from "./executions.ts";
import { ring } from "./ring.ts";

/** Younger records are still being started. */
const SETTLED_MS = 30_000;

/** Brings RUNNING records in line with Temporal (design.md §5.1, Reconciler): what it does not know is started again, what it ended otherwise is closed, what was stopped is cancelled. */
export async function reconcileRuns(deps: ExecutionDeps): Promise<void> {
  const { db, client, now } = deps;
  const running = db
    .select({ id: record.id, taskKey: record.taskKey, clusterId: record.clusterId, workflowId: record.workflowId, stopReason: record.stopReason })
    .from(record)
    .where(and(eq(record.status, "RUNNING"), lt(record.startTime, now() - SETTLED_MS)))
    .all();
  for (const { id, taskKey, clusterId, workflowId, stopReason } of running) {
    const { state, runId } = await stateOf(client, workflowId);
    if (state === "UNKNOWN") {
      deps.logger.warn({ recordId: id, workflowId }, "Temporal does not know the run of a RUNNING record; starting it again");
      await (clusterId === "" ? startRun(deps, taskKey, id, workflowId) : ring(deps, { taskKey, clusterId }));
    } else if (state !== "RUNNING") {
      await closeRecord(db, id, `the run was ended from outside: ${state} in Temporal`, now);
    } else if (stopReason !== null) {
      // It was stopped before Temporal had it, or while Temporal was away.
      await client.workflow.getHandle(workflowId, runId).cancel();
    }
  }
}

async function stateOf(client: ExecutionDeps["client"], workflowId: string): Promise<{ state: string; runId?: string }> {
  try {
    const { status, runId } = await client.workflow.getHandle(workflowId).describe();
    return { state: status.name === "CONTINUED_AS_NEW" ? "RUNNING" : status.name, runId };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { state: "UNKNOWN" };
    throw error;
  }
}
