import { type Client, WorkflowNotFoundError } from "@temporalio/client";
import { defaultPayloadConverter } from "@temporalio/common";
import type { RunAnswer } from "../../db/runs/restore.ts";

const ANSWERED_WITHIN_MS = 10_000;
/**
 * Number of events at the end of a history to look at: a run does little after the activity that
 * closes its record.
 */
const LAST_EVENTS = 50;
const CLOSE_RUN = "closeRun";

/**
 * Reads how a run ended from the result of the activity that closes its record. "running": the run
 * has not ended; null: Temporal does not know it, it never began its record, or it was ended from
 * outside. Rejects if Temporal fails.
 */
export async function answerOf(
  client: Client,
  workflowId: string,
): Promise<RunAnswer | "running" | null> {
  return client
    .withDeadline(Date.now() + ANSWERED_WITHIN_MS, () => read(client, workflowId))
    .catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    });
}

async function read(
  client: Client,
  workflowId: string,
): Promise<RunAnswer | "running" | null> {
  const { status, runId, startTime, closeTime } = await client.workflow
    .getHandle(workflowId)
    .describe();
  if (status.name === "RUNNING" || status.name === "CONTINUED_AS_NEW") return "running";
  const { namespace } = client.options;
  const request = {
    namespace,
    execution: { workflowId, runId },
    maximumPageSize: LAST_EVENTS,
  };
  const { history } =
    await client.workflowService.getWorkflowExecutionHistoryReverse(request);
  const events = history?.events ?? [];
  const closing = events.find(
    ({ activityTaskScheduledEventAttributes: scheduled }) =>
      scheduled?.activityType?.name === CLOSE_RUN,
  );
  const completed = events.find(
    ({ activityTaskCompletedEventAttributes: done }) =>
      done && String(done.scheduledEventId) === String(closing?.eventId),
  );
  const [payload] =
    completed?.activityTaskCompletedEventAttributes?.result?.payloads ?? [];
  const closed = payload
    ? defaultPayloadConverter.fromPayload<Omit<
        RunAnswer,
        "startTime" | "endTime"
      > | null>(payload)
    : null;
  return (
    closed && {
      ...closed,
      startTime: startTime.getTime(),
      endTime: (closeTime ?? startTime).getTime(),
    }
  );
}
