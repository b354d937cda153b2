import { type Client, WorkflowNotFoundError } from "@temporalio/client";
import { MORE } from "../../workflows/contract.ts";
import type { Logger } from "../deps.ts";

const DEADLINE_MS = 5_000;

/**
 * Returns a function that signals to a workflow which sends to a cluster that it may request
 * batches now. A workflow that misses the signal requests them on its own within about a minute.
 */
export function createWake(
  client: Client,
  logger: Pick<Logger, "debug">,
): (workflowId: string) => void {
  return (workflowId) => {
    const signal = () => client.workflow.getHandle(workflowId).signal(MORE);
    client.withDeadline(Date.now() + DEADLINE_MS, signal).catch((error: unknown) => {
      if (!(error instanceof WorkflowNotFoundError))
        logger.debug(
          { err: error, workflowId },
          "a run did not learn of its turn; it asks on its own",
        );
    });
  };
}
