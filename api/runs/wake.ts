import { type Client, WorkflowNotFoundError } from "@temporalio/client";
import { MORE } from "../../workflows/contract.ts";
import type { Logger } from "../deps.ts";

const DEADLINE_MS = 5_000;

/**
 * Signals a workflow that sends to a cluster that it may request batches now. A workflow that
 * misses this requests them within a minute on its own.
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
