import {
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  isCancellation,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from "@temporalio/workflow";
import { rootCause } from "@temporalio/common";
import type { Drained, Ended, FirstTarget, Step } from "../activities/control/drains.ts";
import type { TargetPage } from "../activities/control/runs.ts";
import { type Bell, createBell } from "./bell.ts";
import { FORM, type RealTimeRunInput, WAKE } from "./contract.ts";
import { clock, control } from "./control.ts";
import { LONGEST_HISTORY, QUIET_MS, WINDOW } from "./options.ts";
import { createSending } from "./sending.ts";

const wakeSignal = defineSignal(WAKE);

/**
 * Sends uploads to one cluster: runs one drain after the other while there is something to send, then waits
 * for the signal WAKE. Ends after a long time without one, or when the task no longer sends uploads to the
 * cluster.
 */
export async function realTimeRun(input: RealTimeRunInput): Promise<void> {
  const { workflowId } = workflowInfo();
  const bell = createBell();
  setHandler(wakeSignal, bell.ring);
  let ended: Ended | null = null;
  for (let silent = false; ;) {
    bell.heard();
    // A run that is cancelled while it opens a record must still learn the record's id, to close the
    // record.
    const step: Step = await CancellationScope.nonCancellable(() =>
      control(
        input,
        ended ? "close the drain, look for the next" : "look for a drain",
      ).beginDrain(input.taskKey, input.clusterId, workflowId, ended, WINDOW),
    );
    setCurrentDetails(tell(step));
    ended = null;
    if (step.kind === "gone") return;
    // If `beginDrain` has opened a drain, the next run finds it again, because its record exists.
    if (workflowInfo().continueAsNewSuggested)
      return continueAsNew<typeof realTimeRun>({ ...input, form: FORM });
    if (step.kind === "drain") {
      ended = await drain(input, step, bell);
      silent = false;
      continue;
    }
    if (silent && step.wait === null && !bell.isRung()) return;
    const wait = Math.max(step.wait ?? QUIET_MS, 1);
    const summary =
      step.wait === null
        ? "end when nothing is uploaded"
        : `look again at ${clock(Date.now() + wait)}`;
    silent = !(await condition(bell.isRung, wait, { summary }));
  }
}

/**
 * Sends the changes of a drain, and those that happen meanwhile. Returns what the caller needs to close the
 * drain's record; if the run is cancelled, closes the record and throws.
 */
async function drain(
  input: RealTimeRunInput,
  begun: Drained,
  bell: Bell,
): Promise<Ended> {
  const { recordId } = begun;
  try {
    if (begun.plan) await control(input, "plan everything").planDrain(recordId);
    await sendAll(input, begun, bell);
    return { recordId, reason: null };
  } catch (error) {
    if (!isCancellation(error))
      return {
        recordId,
        reason: `the run broke off: ${rootCause(error) ?? String(error)}`,
      };
    await CancellationScope.nonCancellable(() =>
      control(input, "close the drain").closeRun(
        recordId,
        "stopped: the run was cancelled in Temporal",
      ),
    );
    throw error;
  }
}

function tell({ kind, closed }: Step): string {
  const last = closed
    ? `; the last drain: ${closed.status}, ${closed.success} of ${closed.planned} done, ${closed.failed} failed`
    : "";
  return (kind === "drain" ? "sending" : "waiting for uploads") + last;
}

async function sendAll(
  input: RealTimeRunInput,
  { recordId, targets, more, objects }: Drained,
  bell: Bell,
): Promise<void> {
  const sending = createSending(input, { recordId, objects });
  try {
    (targets ?? (await readTargets(input, recordId))).forEach(sending.send);
    for (let left = more, full = false; ;) {
      if (!left)
        await condition(() => sending.isOver() || (bell.isRung() && !full && mayGrow()));
      if (!left && sending.isOver()) return sending.end();
      bell.heard();
      const grown = await control(input, "record new changes").growDrain(
        input.taskKey,
        input.clusterId,
        recordId,
      );
      (grown.targets ?? (await readTargets(input, recordId))).forEach(sending.send);
      left = grown.more && mayGrow();
      // Histories of earlier releases have no `full`.
      full = grown.full === true;
    }
  } finally {
    // Even a cancelled drain is closed only after all its batches and children have ended.
    await CancellationScope.nonCancellable(() => condition(sending.isOver));
  }
}

const mayGrow = () => workflowInfo().historyLength < LONGEST_HISTORY;

async function readTargets(
  input: RealTimeRunInput,
  recordId: string,
): Promise<FirstTarget[]> {
  const targets: FirstTarget[] = [];
  for (let from: number | null = 0; from !== null;) {
    const page: TargetPage = await control(input, `targets from ${from + 1}`).readTargets(
      recordId,
      from,
    );
    targets.push(...page.targets);
    from = page.next;
  }
  return targets;
}
