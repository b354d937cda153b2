import {
  continueAsNew,
  defineSignal,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from "@temporalio/workflow";
import type { RunActivities } from "../activities/control/runs.ts";
import type { BatchResult } from "../activities/transfer/activities.ts";
import { type Bell, createBell } from "./bell.ts";
import { FORM, MORE, type TargetRunInput } from "./contract.ts";
import { isSince } from "./form.ts";
import { CONTROL, FILES_WINDOW, WINDOW } from "./options.ts";
import { transfer } from "./transfer.ts";
import { createWindow } from "./window.ts";

type Counts = TargetRunInput["counts"];

/**
 * Signal that there is more to cut: a drain has taken in more changes, or the targetRun's turn to cut has
 * come.
 */
export const moreSignal = defineSignal(MORE);

/**
 * Sends one object, or all of them, to one cluster. Ends when nothing is left to be tried. `cut` in the
 * result: the number of the next cut, which was not requested.
 */
export async function targetRun(
  input: TargetRunInput,
): Promise<Counts & { cut: number }> {
  const position = { object: input.object, cut: input.cut, counts: { ...input.counts } };
  const bell = createBell();
  setHandler(moreSignal, bell.ring);
  // False for runs that were started by a release whose cuts covered a single object: they go on one object
  // at a time.
  const atOnce = isSince(input, "cut-across-objects");
  while (position.object < input.objectsEnd) {
    const objectsEnd = atOnce ? input.objectsEnd : position.object + 1;
    const sent = await sendObjects(input, position, objectsEnd, bell);
    if (!sent)
      return continueAsNew<typeof targetRun>({ ...input, ...position, form: FORM });
    position.object = objectsEnd;
  }
  return { ...position.counts, cut: position.cut };
}

type Position = { object: number; cut: number; counts: Counts };

/**
 * Cuts, sends and waits for the objects from `position.object` to `objectsEnd` (excluded). Returns true
 * when nothing of them is left, false when the history is long enough to continue as new.
 */
async function sendObjects(
  input: TargetRunInput,
  position: Position,
  objectsEnd: number,
  bell: Bell,
): Promise<boolean> {
  const control = proxyActivities<RunActivities>({
    ...CONTROL,
    taskQueue: input.queues.control,
  });
  const window = createWindow({
    most: input.files ? FILES_WINDOW : WINDOW,
    bell,
    onResult(result) {
      count(position.counts, result);
      show(input.label, position.counts);
    },
    onWait: (reason) => show(input.label, position.counts, reason),
  });

  async function cutNext(room: number): Promise<boolean> {
    const { recordId, clusterId } = input;
    const number = position.cut++;
    const request = {
      recordId,
      object: position.object,
      objectsEnd,
      clusterId,
      cut: number,
      most: room,
    };
    window.expectCut();
    const cut = await control.cutBatches.executeWithOptions(
      { summary: `cut ${number}` },
      [request],
    );
    window.fill(cut, (batch) => transfer(input, batch));
    return cut.batches.length > 0;
  }

  async function slide(): Promise<void> {
    while (window.goesOn()) {
      const room = window.room();
      if (room > 0) {
        if (workflowInfo().continueAsNewSuggested) return;
        if (await cutNext(room)) continue;
      }
      await window.change(room);
    }
  }

  await slide().catch(window.breakOff);
  return window.close();
}

function count(counts: Counts, result: BatchResult): void {
  counts.batches += 1;
  counts.done += result.total - result.again - result.failed;
  counts.failed += result.failed;
}

function show(
  label: string,
  { done, failed, batches }: Counts,
  waits: string | null = null,
): void {
  const counted = `**${label}**: ${done} done, ${failed} failed, in ${batches} batches`;
  setCurrentDetails(waits === null ? counted : `${counted}\n\n${waits}`);
}
