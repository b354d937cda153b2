import type { Client, WorkflowExecutionInfo } from "@temporalio/client";
import { defaultPayloadConverter } from "@temporalio/common";
import type { LimitFunction } from "p-limit";
import type { RealTimeRunInput, TaskRunInput } from "../../workflows/contract.ts";

const ANSWERED_WITHIN_MS = 30_000;
/** More are not looked at in one turn. */
const MOST = 200;

/** A run whose code fails, by the parent's id where it is a child. */
export type BrokenRun = { workflowId: string; input: BrokenInput };
/** Of a run that a schedule or the doorbell has started there is no `recordId`. */
export type BrokenInput = Pick<TaskRunInput, "taskKey"> &
  Partial<Pick<TaskRunInput, "recordId">> &
  Partial<Pick<RealTimeRunInput, "clusterId">>;

/**
 * The runs of this instance whose code fails, as the server lists them (some time after the first failures); none where
 * the server does not keep such a list. `known`: ids of those that need not be told.
 */
export async function brokenRuns(
  client: Client,
  taskQueue: string,
  known: ReadonlySet<string>,
  limit: LimitFunction,
): Promise<BrokenRun[]> {
  const ids = new Set<string>();
  try {
    await client.withDeadline(Date.now() + ANSWERED_WITHIN_MS, async () => {
      const query = `ExecutionStatus = 'Running' AND TaskQueue = '${taskQueue}' AND TemporalReportedProblems IS NOT NULL`;
      for await (const info of client.workflow.list({ query, pageSize: MOST })) {
        if (ids.size < MOST) ids.add(rootOf(info));
        else break;
      }
    });
  } catch (error) {
    if (isUnknownAttribute(error)) return [];
    throw error;
  }
  const unknown = [...ids].filter((id) => !known.has(id));
  return Promise.all(
    unknown.map((workflowId) => limit(async () => ({ workflowId, input: await inputOf(client, workflowId) }))),
  );
}

const rootOf = ({ workflowId, rootExecution }: WorkflowExecutionInfo) => rootExecution?.workflowId ?? workflowId;

/** InvalidArgument (gRPC code 3): older servers have no such attribute. */
const isUnknownAttribute = (error: unknown) =>
  error instanceof Error && (error.cause as { code?: number } | undefined)?.code === 3;

async function inputOf(client: Client, workflowId: string): Promise<BrokenInput> {
  const { namespace } = client.options;
  const request = { namespace, execution: { workflowId }, maximumPageSize: 1 };
  const { history } = await client.withDeadline(Date.now() + ANSWERED_WITHIN_MS, () =>
    client.workflowService.getWorkflowExecutionHistory(request),
  );
  const [payload] = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  if (!payload) throw new Error(`${workflowId} has no input`);
  return defaultPayloadConverter.fromPayload<BrokenInput>(payload);
}
