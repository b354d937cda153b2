import { proxyActivities } from "@temporalio/workflow";
import type { DrainActivities } from "../activities/control/drains.ts";
import type { RunActivities } from "../activities/control/runs.ts";
import type { Queues } from "./contract.ts";
import { fitSummary } from "../domain/summary.ts";
import { CONTROL } from "./options.ts";

/**
 * The activities of the control plane for a workflow; `summary`: the purpose of the call, shown in
 * Temporal's UI.
 */
export const control = ({ queues }: { queues: Queues }, summary: string) =>
  proxyActivities<RunActivities & DrainActivities>({
    ...CONTROL,
    taskQueue: queues.control,
    summary,
  });

/** Builds a summary from a subject, what is done with it, and why: `list object 1 again at 12:00:05: no connection`. */
export function summaryOf(subject: string, how?: string, reason?: string): string {
  const head = how ? `${subject} ${how}` : subject;
  return fitSummary(reason ? `${head}: ${reason}` : head);
}

/** Formats a time (epoch ms) as the time of day in UTC, `12:34:56`, for summaries. */
export const clock = (time: number) => new Date(time).toISOString().slice(11, 19);
