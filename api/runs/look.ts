import {
  type Client,
  type WorkflowExecutionDescription,
  WorkflowNotFoundError,
} from "@temporalio/client";
import type { LimitFunction } from "p-limit";
import { isActivityTrouble, isTaskTrouble, type Trouble } from "../../domain/trouble.ts";

/**
 * Value of PendingActivityState (temporal.api.enums.v1) for an activity that no worker has taken.
 */
const SCHEDULED = 1;
const ANSWERED_WITHIN_MS = 10_000;
/** Search attribute that the server sets after some workflow tasks in a row failed, and removes when one succeeds. */
const REPORTED = "TemporalReportedProblems";
/**
 * Number of events at the end of a history in which the reason of a failed workflow task is
 * searched.
 */
const LAST_EVENTS = 20;

/** The state of a run, including its children, as Temporal reports it. */
export type Look = {
  /** RUNNING, UNKNOWN (Temporal does not know the run), or how the run ended. */
  state: string;
  runId: string | undefined;
  /** Workflow ids of the running children. */
  children: string[];
  cancelRequested: boolean;
  troubles: Trouble[];
  /**
   * Since when (epoch ms) the oldest open workflow task has been waiting; null: none is waiting.
   */
  taskSince: number | null;
  /** Whether a worker is executing an activity of the run or of a child, without trouble. */
  atWork: boolean;
};

const NOTHING = {
  runId: undefined,
  children: [],
  cancelRequested: false,
  troubles: [],
  taskSince: null,
  atWork: false,
};

/**
 * Looks at a run and at each of its children; `limit` bounds the requests at once. Rejects if
 * Temporal fails.
 */
export async function lookAtRun(
  client: Client,
  workflowId: string,
  limit: LimitFunction,
): Promise<Look> {
  const described = await limit(describe, client, workflowId);
  if (described === null) return { state: "UNKNOWN", ...NOTHING };
  const { status, runId, raw } = described;
  const state = status.name === "CONTINUED_AS_NEW" ? "RUNNING" : status.name;
  if (state !== "RUNNING") return { state, ...NOTHING, runId };
  const children = (raw.pendingChildren ?? []).flatMap((child) => child.workflowId ?? []);
  const below = await Promise.all(
    children.map((child) => limit(describe, client, child)),
  );
  const tree = [
    described,
    ...below.flatMap((child) => (child?.status.name === "RUNNING" ? child : [])),
  ];
  const troubles = await Promise.all(tree.map((one) => limit(troublesOf, client, one)));
  const waiting = tree.flatMap((one) => taskTime(one) ?? []);
  return {
    state,
    runId,
    children,
    cancelRequested: raw.workflowExtendedInfo?.cancelRequested ?? false,
    troubles: troubles.flat(),
    taskSince: waiting.length > 0 ? Math.min(...waiting) : null,
    atWork: tree.some(({ raw: { pendingActivities } }) =>
      pendingActivities?.some(
        ({ state: pending, attempt }) =>
          pending !== SCHEDULED && !isActivityTrouble(attempt ?? 1),
      ),
    ),
  };
}

async function describe(
  client: Client,
  workflowId: string,
): Promise<WorkflowExecutionDescription | null> {
  const handle = client.workflow.getHandle(workflowId);
  return client
    .withDeadline(Date.now() + ANSWERED_WITHIN_MS, () => handle.describe())
    .catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    });
}

function taskTime({
  raw: { pendingWorkflowTask: task },
}: WorkflowExecutionDescription): number | null {
  return msOf(task?.originalScheduledTime ?? task?.scheduledTime);
}

type Timestamp = NonNullable<
  WorkflowExecutionDescription["raw"]["workflowExecutionInfo"]
>["startTime"];
const msOf = (time: Timestamp) => (time ? Number(time.seconds) * 1_000 : null);

async function troublesOf(
  client: Client,
  described: WorkflowExecutionDescription,
): Promise<Trouble[]> {
  const { workflowId, raw, searchAttributes } = described;
  const activities = (raw.pendingActivities ?? []).flatMap(
    ({ activityType, attempt, lastFailure }): Trouble[] => {
      const tried = attempt ?? 1;
      return isActivityTrouble(tried)
        ? [
            {
              workflowId,
              activity: activityType?.name ?? "an activity",
              attempt: tried,
              since: null,
              reason: lastFailure?.message ?? null,
            },
          ]
        : [];
    },
  );
  const attempt = raw.pendingWorkflowTask?.attempt ?? 1;
  const reported = searchAttributes[REPORTED]?.map(String) ?? [];
  if (!isTaskTrouble(attempt) && reported.length === 0) return activities;
  const failure = await lastTaskFailure(client, described);
  return [
    ...activities,
    {
      workflowId,
      activity: null,
      attempt,
      since: null,
      reason: reported.join(", ") || null,
      ...failure,
    },
  ];
}

/**
 * Finds why a workflow task failed: the history has the first of several failures in a row. Returns
 * null if the last events have no failure.
 */
async function lastTaskFailure(
  client: Client,
  { workflowId, runId }: WorkflowExecutionDescription,
): Promise<Pick<Trouble, "since" | "reason"> | null> {
  const { namespace } = client.options;
  const request = {
    namespace,
    execution: { workflowId, runId },
    maximumPageSize: LAST_EVENTS,
  };
  const { history } = await client.withDeadline(Date.now() + ANSWERED_WITHIN_MS, () =>
    client.workflowService.getWorkflowExecutionHistoryReverse(request),
  );
  const failed = history?.events?.find(
    ({ workflowTaskFailedEventAttributes: attributes }) => attributes?.failure?.message,
  );
  const reason = failed?.workflowTaskFailedEventAttributes?.failure?.message;
  return failed && reason ? { since: msOf(failed.eventTime), reason } : null;
}
