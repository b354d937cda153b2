import { randomUUID } from "node:crypto";
import {
  type Client,
  type WorkflowExecutionDescription,
  WorkflowNotFoundError,
} from "@temporalio/client";
import { defaultPayloadConverter } from "@temporalio/common";

/** Values of WorkflowIdConflictPolicy and WorkflowIdReusePolicy (temporal.api.enums.v1). */
const TERMINATE_EXISTING = 3;
const ALLOW_DUPLICATE = 1;
/** Key in the memo of a run that was begun again; the value is the build that required it. */
const MARK = "begunAgainFor";
const ENDED_WITHIN_MS = 10_000;

/** Whether this run was begun again for the build. */
export const wasBegunBy = (
  { memo }: Pick<WorkflowExecutionDescription, "memo">,
  build: string,
) => memo?.[MARK] === build;

/**
 * Ends a run and begins it again under the same id with the same input, in one step of the server; then
 * ends its children. Returns false, and does nothing, when the run has ended or was begun again for this
 * build already.
 */
export async function beginAgain(
  client: Client,
  workflowId: string,
  build: string,
): Promise<boolean> {
  const described = await client.workflow.getHandle(workflowId).describe();
  if (described.status.name !== "RUNNING" || wasBegunBy(described, build)) return false;
  const { namespace, identity } = client.options;
  const execution = { workflowId, runId: described.runId };
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace,
    execution,
    maximumPageSize: 1,
  });
  const first = history?.events?.[0];
  const started = first?.workflowExecutionStartedEventAttributes;
  if (!started) throw new Error(`the history of ${workflowId} has no beginning`);
  await client.workflowService.startWorkflowExecution({
    namespace,
    identity,
    workflowId,
    requestId: randomUUID(),
    workflowIdReusePolicy: ALLOW_DUPLICATE,
    workflowIdConflictPolicy: TERMINATE_EXISTING,
    workflowType: started.workflowType ?? null,
    taskQueue: { name: started.taskQueue?.name ?? "" },
    input: started.input ?? null,
    memo: {
      fields: {
        ...started.memo?.fields,
        [MARK]: defaultPayloadConverter.toPayload(build),
      },
    },
    searchAttributes: { indexedFields: ours(started.searchAttributes?.indexedFields) },
    userMetadata: first.userMetadata ?? null,
    priority: started.priority ?? null,
  });
  for (const { workflowId: child } of described.raw.pendingChildren ?? [])
    if (child) await endChild(client, child);
  return true;
}

/** Returns the search attributes without those that the server sets on its own. */
function ours<T>(attributes: Record<string, T> | null | undefined): Record<string, T> {
  return Object.fromEntries(
    Object.entries(attributes ?? {}).filter(
      ([name]) => !name.startsWith("Temporal") && name !== "BuildIds",
    ),
  );
}

/**
 * Ends a child of the run that was begun again, unless it has ended. The server ends the child, too, but
 * later, when the new run may already need the child's id.
 */
async function endChild(client: Client, workflowId: string): Promise<void> {
  const handle = client.workflow.getHandle(workflowId);
  const end = () => handle.terminate("its parent was begun again");
  await client.withDeadline(Date.now() + ENDED_WITHIN_MS, end).catch((error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  });
}
