import { proxyActivities } from "@temporalio/workflow";
import type { DrainActivities } from "../activities/control/drains.ts";
import type { RunActivities } from "../activities/control/runs.ts";
import type { Queues } from "./contract.ts";
import { CONTROL } from "./options.ts";

/** What the control plane does for a workflow; `summary` says in Temporal's UI what for. */
export const control = ({ queues }: { queues: Queues }, summary: string) =>
  proxyActivities<RunActivities & DrainActivities>({ ...CONTROL, taskQueue: queues.control, summary });

/** A time of day (UTC), for summaries. */
export const clock = (time: number) => new Date(time).toISOString().slice(11, 19);
