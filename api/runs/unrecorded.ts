import type { Client, WorkflowExecutionInfo } from "@temporalio/client";
import { defaultPayloadConverter } from "@temporalio/common";
import type { LimitFunction } from "p-limit";
import type { RealTimeRunInput, TaskRunInput } from "../../workflows/contract.ts";

const ANSWERED_WITHIN_MS = 30_000;
/** Maximum number of runs that one call of `brokenRuns` returns. */
const MOST = 200;

/**
 * A run whose workflow code fails; if the code of a child fails, `workflowId` is that of its
 * parent.
 */
export type BrokenRun = { workflowId: string; input: BrokenInput };
/**
 * Input of a run. `recordId` null: a schedule started the run; undefined: the doorbell started it.
 */
export type BrokenInput = Pick<TaskRunInput, "taskKey"> &
  Partial<Pick<TaskRunInput, "recordId">> &
  Partial<Pick<RealTimeRunInput, "clusterId">>;

/**
 * Lists the runs of this instance whose workflow code fails. Temporal's server lists them some time
 * after the first failures; older servers never do, and the list is empty. `known`: workflow ids to
 * leave out.
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
      const conditions = [
        "ExecutionStatus = 'Running'",
        `TaskQueue = '${taskQueue}'`,
        "TemporalReportedProblems IS NOT NULL",
      ];
      for await (const info of client.workflow.list({
        query: conditions.join(" AND "),
        pageSize: MOST,
      })) {
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
    unknown.map((workflowId) =>
      limit(async () => ({ workflowId, input: await inputOf(client, workflowId) })),
    ),
  );
}

const rootOf = ({ workflowId, rootExecution }: WorkflowExecutionInfo) =>
  rootExecution?.workflowId ?? workflowId;

/**
 * Whether the server is older and lacks this search attribute: it then answers InvalidArgument
 * (gRPC code 3).
 */
const isUnknownAttribute = (error: unknown) =>
  error instanceof Error && (error.cause as { code?: number } | undefined)?.code === 3;

async function inputOf(client: Client, workflowId: string): Promise<BrokenInput> {
  const { namespace } = client.options;
  const request = { namespace, execution: { workflowId }, maximumPageSize: 1 };
  const { history } = await client.withDeadline(Date.now() + ANSWERED_WITHIN_MS, () =>
    client.workflowService.getWorkflowExecutionHistory(request),
  );
  const [payload] =
    history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  if (!payload) throw new Error(`${workflowId} has no input`);
  return defaultPayloadConverter.fromPayload<BrokenInput>(payload);
}
