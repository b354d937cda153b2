import {
  ApplicationFailure,
  CancellationScope,
  executeChild,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from "@temporalio/workflow";
import { defineSearchAttributeKey, rootCause } from "@temporalio/common";
import type { TargetPage } from "../activities/control/runs.ts";
import type { TransferActivities } from "../activities/transfer/activities.ts";
import { ATTRIBUTES, type TaskRunInput } from "./contract.ts";
import { clock, control } from "./control.ts";
import { LONGEST_RETRY_AFTER_MS, PLANS, SHORTEST_WAIT_MS, TRANSFER } from "./options.ts";
import { targetRun } from "./target-run.ts";
import { targetOptions } from "./targets.ts";

const status = defineSearchAttributeKey(ATTRIBUTES.status, "KEYWORD");

export type TaskRunResult = { status: "SUCCESS" | "SKIPPED"; planned: number; success: number };

const NOT_BEGUN = {
  busy: "skipped: an earlier run goes on",
  missed: "missed: it was due too long ago",
  stale: "nothing to do: since it was due, the task was deleted, disabled or changed, or this run was ended",
};

/** One execution of a task: plan every object, send each to each cluster, close the record whatever happened. */
export async function taskRun(input: TaskRunInput): Promise<TaskRunResult> {
  // Stopped in its first moment it must still learn of its record, to close it.
  const begun = await CancellationScope.nonCancellable(() => control(input, input.recordId === null ? "open a record" : "find the record").beginRun(input.taskKey, input.recordId, workflowInfo().workflowId, input.schedule));
  if (begun.kind !== "go") {
    setCurrentDetails(NOT_BEGUN[begun.kind]);
    return { status: "SKIPPED", planned: 0, success: 0 };
  }
  const { recordId } = begun;
  let interruption: unknown;
  try {
    await planObjects(input, recordId, begun.objects);
    await sendToTargets(input, recordId, begun.objects);
  } catch (error) {
    interruption = error;
  }
  const reason = interruption === undefined ? null : describe(interruption);
  const closed = await CancellationScope.nonCancellable(() => control(input, "close the record").closeRun(recordId, reason));
  tell(input, closed?.status ?? "FAILED");
  setCurrentDetails(closed ? `${closed.status}: ${closed.success} of ${closed.planned} done, ${closed.failed} failed` : "the record was deleted");
  if (isCancellation(interruption)) throw interruption;
  if (closed?.status !== "SUCCESS") throw ApplicationFailure.nonRetryable(closed?.errorReason ?? "the record was deleted", "ReplicationFailed");
  return { status: "SUCCESS", planned: closed.planned, success: closed.success };
}

async function planObjects(input: TaskRunInput, recordId: string, objects: number): Promise<void> {
  const waiting = Array.from({ length: objects }, (_, object) => object);
  const plan = async () => {
    for (let object = waiting.shift(); object !== undefined; object = waiting.shift()) {
      await planObject(input, recordId, object);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PLANS, objects) }, plan));
}

async function planObject(input: TaskRunInput, recordId: string, object: number): Promise<void> {
  const { listPages } = proxyActivities<TransferActivities>({ ...TRANSFER, taskQueue: input.queues.transfer });
  if (await control(input, `plan object ${object + 1}`).planHosted(recordId, object)) return;
  for (;;) {
    const { complete, retryAt } = await listPages.executeWithOptions({ summary: `list object ${object + 1}` }, [recordId, object]);
    if (complete) return;
    if (retryAt !== null) {
      const summary = `list object ${object + 1} again at ${clock(retryAt)}`;
      await sleep(Math.min(Math.max(retryAt - Date.now(), SHORTEST_WAIT_MS), LONGEST_RETRY_AFTER_MS), { summary });
    }
  }
}

/** Children end on their own; one that breaks does not stop the others. */
async function sendToTargets(input: TaskRunInput, recordId: string, objects: number): Promise<void> {
  const children: Promise<unknown>[] = [];
  let broken: unknown;
  for (let from: number | null = 0; from !== null; ) {
    const page: TargetPage = await control(input, `targets from ${from + 1}`).readTargets(recordId, from);
    for (const target of page.targets) {
      const run = { runId: workflowInfo().workflowId, recordId, objects, cut: 1 };
      const child = executeChild(targetRun, targetOptions(input, run, target)).catch((error: unknown) => {
        broken ??= error;
      });
      children.push(child);
    }
    from = page.next;
  }
  setCurrentDetails(`sending to ${children.length} targets`);
  await Promise.all(children);
  if (broken !== undefined) throw broken;
}

function tell(input: TaskRunInput, value: string): void {
  if (input.searchAttributes) upsertSearchAttributes([{ key: status, value }]);
}

function describe(error: unknown): string {
  if (isCancellation(error)) return "stopped: the run was cancelled in Temporal";
  return `the run broke off: ${rootCause(error) ?? String(error)}`;
}
