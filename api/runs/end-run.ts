import { type Client, WorkflowNotFoundError } from "@temporalio/client";
import type { LimitFunction } from "p-limit";

const ANSWERED_WITHIN_MS = 10_000;

/**
 * Terminates a run and its children; one that is already gone is not a failure. Rejects if Temporal
 * fails.
 */
export async function endRun(
  client: Client,
  workflowId: string,
  children: readonly string[],
  reason: string,
  limit: LimitFunction,
): Promise<void> {
  // The parent workflow is terminated first, so that it sees none of its children end.
  await limit(terminate, client, workflowId, reason);
  await Promise.all(children.map((child) => limit(terminate, client, child, reason)));
}

async function terminate(
  client: Client,
  workflowId: string,
  reason: string,
): Promise<void> {
  const handle = client.workflow.getHandle(workflowId);
  await client
    .withDeadline(Date.now() + ANSWERED_WITHIN_MS, () => handle.terminate(reason))
    .catch((error: unknown) => {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    });
}
