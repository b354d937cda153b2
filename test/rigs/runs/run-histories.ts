import { Client } from "@temporalio/client";
import type { temporal } from "@temporalio/proto";
import { clientConnection } from "../../../temporal/connect.ts";

export type History = temporal.api.history.v1.IHistory;

/**
 * Reads the histories of a workflow, of its children, and of the runs that it continued as new. Without `runId`, starts
 * from the first run of the chain that led to the newest.
 */
export async function readHistories(
  address: string,
  workflowId: string,
  runId?: string,
): Promise<Map<string, History>> {
  const connection = clientConnection({ temporalAddress: address });
  const { workflow } = new Client({ connection });
  const found = new Map<string, History>();
  const newest =
    runId === undefined ? await workflow.getHandle(workflowId).fetchHistory() : null;
  const first =
    newest?.events?.[0]?.workflowExecutionStartedEventAttributes?.firstExecutionRunId ??
    undefined;
  const waiting = [{ id: workflowId, runId: runId ?? first }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const history = await workflow.getHandle(next.id, next.runId).fetchHistory();
    found.set(`${next.id} ${next.runId ?? ""}`, history);
    waiting.push(...begunBy(next.id, history));
  }
  await connection.close();
  return found;
}

/** Returns the child workflows that a history started, and the run that it continued as new. */
function begunBy(
  id: string,
  { events }: History,
): { id: string; runId: string | undefined }[] {
  return (events ?? []).flatMap(
    ({
      childWorkflowExecutionStartedEventAttributes: child,
      workflowExecutionContinuedAsNewEventAttributes: anew,
    }) => {
      const begun = child?.workflowExecution;
      if (begun?.workflowId)
        return [{ id: begun.workflowId, runId: begun.runId ?? undefined }];
      return anew?.newExecutionRunId ? [{ id, runId: anew.newExecutionRunId }] : [];
    },
  );
}

/**
 * A batch that a run handed out: its input as JSON, its task queue, and its worker's identity once a
 * worker took it.
 */
type HandedOut = { input: string; queue: string; identity: string | null };

/** Returns every batch that a run and its children handed out; a batch handed out twice appears twice. */
export async function handedOut(
  address: string,
  workflowId: string,
): Promise<HandedOut[]> {
  const histories = await readHistories(address, workflowId);
  return [...histories.values()].flatMap(({ events }) => {
    const takers = new Map(
      (events ?? []).flatMap(({ activityTaskStartedEventAttributes: started }) =>
        started
          ? [[String(started.scheduledEventId), started.identity ?? null] as const]
          : [],
      ),
    );
    return (events ?? []).flatMap(
      ({ eventId, activityTaskScheduledEventAttributes: scheduled }) => {
        if (scheduled?.activityType?.name !== "transferBatch") return [];
        const input = (scheduled.input?.payloads ?? [])
          .map(({ data }) => Buffer.from(data ?? []).toString())
          .join();
        return [
          {
            input,
            queue: scheduled.taskQueue?.name ?? "",
            identity: takers.get(String(eventId)) ?? null,
          },
        ];
      },
    );
  });
}

/** Returns the pid in a worker's identity. */
export const pidOf = (identity: string | null | undefined): number =>
  Number(identity?.split("@")[0]);

/** Returns every text and every decoded payload of a history. */
export function contentsOf(history: History): { texts: string[]; payloads: string[] } {
  const texts: string[] = [];
  const payloads: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value === "string") texts.push(value);
    else if (value instanceof Uint8Array)
      payloads.push(Buffer.from(value).toString("utf8"));
    else if (typeof value === "object" && value !== null)
      Object.values(value).forEach(walk);
  };
  walk(history.events);
  return { texts, payloads };
}
