import {
  ApplicationFailure,
  CancellationScope,
  continueAsNew,
  isCancellation,
  setCurrentDetails,
  upsertSearchAttributes,
  workflowInfo,
} from "@temporalio/workflow";
import { defineSearchAttributeKey, rootCause } from "@temporalio/common";
import type { Begun } from "../activities/control/runs.ts";
import { ATTRIBUTES, FORM, type TaskRunInput } from "./contract.ts";
import { control } from "./control.ts";
import { sendToTargets } from "./fan-out.ts";
import { isSince } from "./form.ts";
import { planEach, planRun } from "./planning.ts";

const status = defineSearchAttributeKey(ATTRIBUTES.status, "KEYWORD");

type TaskRunResult = {
  status: "SUCCESS" | "SKIPPED";
  planned: number;
  success: number;
};

const NOT_BEGUN = {
  busy: "skipped: an earlier run goes on",
  missed: "missed: it was due too long ago",
  stale:
    "nothing to do: since it was due, the task was deleted, disabled or changed, or this run was ended",
};

/**
 * Executes a task once: plans its objects, sends them to its clusters, and in the end closes the record,
 * also after an error or a cancellation. Does nothing when the run may not begin (NOT_BEGUN). Fails unless
 * the record ends with SUCCESS.
 */
export async function taskRun(input: TaskRunInput): Promise<TaskRunResult> {
  // A run that is stopped at once must still learn the record's id, to close the record.
  const begun = await CancellationScope.nonCancellable(() =>
    control(
      input,
      input.recordId === null ? "open a record" : "find the record",
    ).beginRun(input.taskKey, input.recordId, workflowInfo().workflowId, input.schedule),
  );
  if (begun.kind !== "go") {
    setCurrentDetails(NOT_BEGUN[begun.kind]);
    return { status: "SKIPPED", planned: 0, success: 0 };
  }
  const { recordId } = begun;
  let interruption: unknown;
  let next: TaskRunInput | null = null;
  try {
    next = await planAndSend({ ...input, recordId }, begun);
  } catch (error) {
    interruption = error;
  }
  if (next) return continueAsNew<typeof taskRun>({ ...next, form: FORM });
  const reason = interruption === undefined ? null : describe(interruption);
  const closed = await CancellationScope.nonCancellable(() =>
    control(input, "close the record").closeRun(recordId, reason),
  );
  tell(input, closed?.status ?? "FAILED");
  setCurrentDetails(
    closed
      ? `${closed.status}: ${closed.success} of ${closed.planned} done, ${closed.failed} failed`
      : "the record was deleted",
  );
  if (isCancellation(interruption)) throw interruption;
  if (closed?.status !== "SUCCESS")
    throw ApplicationFailure.nonRetryable(
      closed?.errorReason ?? "the record was deleted",
      "ReplicationFailed",
    );
  return { status: "SUCCESS", planned: closed.planned, success: closed.success };
}

/** Plans and sends. Returns the input with which the run continues as new, null when everything is sent. */
async function planAndSend(
  input: TaskRunInput,
  run: Extract<Begun, { kind: "go" }>,
): Promise<TaskRunInput | null> {
  if (!isSince(input, "plan-at-once")) {
    await planEach(input, run.recordId, run.objects);
    return sendToTargets(input, run, { bounded: false });
  }
  const { complete, targets } = await planRun(input, run.recordId);
  return complete ? sendToTargets(input, run, { bounded: true, first: targets }) : input;
}

function tell(input: TaskRunInput, value: string): void {
  if (input.searchAttributes) upsertSearchAttributes([{ key: status, value }]);
}

function describe(error: unknown): string {
  if (isCancellation(error)) return "stopped: the run was cancelled in Temporal";
  return `the run broke off: ${rootCause(error) ?? String(error)}`;
}
