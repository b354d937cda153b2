import { type Client, WorkflowNotFoundError } from "@temporalio/client";
import { MORE } from "../../workflows/contract.ts";
import type { Logger } from "../deps.ts";

const DEADLINE_MS = 5_000;

/**
 * Tells a workflow that sends to a cluster that it may cut now. One that was not told asks by itself within a minute.
 */
export function createWake(client: Client, logger: Pick<Logger, "debug">): (workflowId: string) => void {
  return (workflowId) => {
    const signal = () => client.workflow.getHandle(workflowId).signal(MORE);
    client.withDeadline(Date.now() + DEADLINE_MS, signal).catch((error: unknown) => {
      if (!(error instanceof WorkflowNotFoundError))
        logger.debug({ err: error, workflowId }, "a run was not told of its turn; it asks by itself");
    });
  };
}
