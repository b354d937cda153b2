import {
  CancellationScope,
  continueAsNew,
  defineSignal,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from "@temporalio/workflow";
import type { RunActivities } from "../activities/control/runs.ts";
import type { BatchResult } from "../activities/transfer/activities.ts";
import { type Bell, createBell } from "./bell.ts";
import { FORM, MORE, type TargetRunInput } from "./contract.ts";
import { isSince } from "./form.ts";
import { CONTROL, FILES_WINDOW, LONGEST_WAIT_MS, PROBE, SHORTEST_WAIT_MS, WINDOW } from "./options.ts";
import { type Batch, transfer } from "./transfer.ts";

type Counts = TargetRunInput["counts"];

/** A drain has taken in more of the object that is being sent. */
export const moreSignal = defineSignal(MORE);

/**
 * Sends one object, or all of them, to one cluster. Ends when nothing is left to be tried; `cut` is then the next that
 * has not been asked for.
 */
export async function targetRun(input: TargetRunInput): Promise<Counts & { cut: number }> {
  const position = { object: input.object, cut: input.cut, counts: { ...input.counts } };
  const bell = createBell();
  setHandler(moreSignal, bell.ring);
  // Runs that began before cuts went over several objects send one after the other.
  const atOnce = isSince(input, "cut-across-objects");
  while (position.object < input.objectsEnd) {
    const objectsEnd = atOnce ? input.objectsEnd : position.object + 1;
    const sent = await sendObjects(input, position, objectsEnd, bell);
    if (!sent) return continueAsNew<typeof targetRun>({ ...input, ...position, form: FORM });
    position.object = objectsEnd;
  }
  return { ...position.counts, cut: position.cut };
}

type Position = { object: number; cut: number; counts: Counts };

/**
 * A sliding window of batches over some objects. False: the history is long enough, the window is empty, and something
 * is left.
 */
async function sendObjects(
  input: TargetRunInput,
  position: Position,
  objectsEnd: number,
  bell: Bell,
): Promise<boolean> {
  const control = proxyActivities<RunActivities>({ ...CONTROL, taskQueue: input.queues.control });
  const most = input.files ? FILES_WINDOW : WINDOW;
  const inFlight = new Set<Promise<void>>();
  const window: { probing: boolean; left: boolean; due: number | null; broken: unknown } = {
    probing: false,
    left: true,
    due: null,
    broken: undefined,
  };

  const send = async (batch: Batch) => {
    const result = await transfer(input, batch);
    window.probing = result.total > 0 && result.again === result.total;
    window.left ||= result.again > 0 || (result.rest ?? 0) > 0;
    count(position.counts, input.label, result);
  };
  const start = (batch: Batch) => {
    const sent: Promise<void> = send(batch)
      .catch((error: unknown) => {
        window.broken ??= error;
      })
      .finally(() => inFlight.delete(sent));
    inFlight.add(sent);
  };
  const cutNext = async (room: number) => {
    const { recordId, clusterId } = input;
    // A batch that ends while the cut is asked for may leave something that the answer does not know of.
    window.left = false;
    const number = position.cut++;
    const request = { recordId, object: position.object, objectsEnd, clusterId, cut: number, most: room };
    const cut = await control.cutBatches.executeWithOptions({ summary: `cut ${number}` }, [request]);
    cut.batches.forEach(start);
    window.left ||= cut.left;
    window.due = cut.due;
    return cut.batches.length;
  };

  const isLeft = () => {
    const more = bell.heard();
    window.left ||= more;
    return window.left;
  };

  const slide = async () => {
    while (window.broken === undefined && (isLeft() || inFlight.size > 0)) {
      const room = (window.probing ? PROBE : most) - inFlight.size;
      if (window.left && room > 0) {
        if (workflowInfo().continueAsNewSuggested) return;
        if ((await cutNext(room)) > 0) continue;
      }
      // What is due has to wait for room, and without room there is no use in looking.
      if (window.left || inFlight.size > 0)
        await nextChange(inFlight, window.left && room > 0 ? window.due : null, bell);
    }
  };

  await slide().catch((error: unknown) => {
    window.broken ??= error;
  });
  await Promise.all(inFlight);
  if (window.broken !== undefined) throw window.broken;
  return !window.left;
}

/** A batch that came to an end, the bell, or the time at which something is due again. */
async function nextChange(inFlight: Set<Promise<void>>, due: number | null, bell: Bell): Promise<void> {
  if (due === null && inFlight.size > 0) return Promise.race([...inFlight, bell.rings()]);
  const wait = Math.min(Math.max((due ?? 0) - Date.now(), SHORTEST_WAIT_MS), LONGEST_WAIT_MS);
  const timer = new CancellationScope();
  const slept = timer
    .run(() => sleep(wait))
    .catch((error: unknown) => {
      if (!isCancellation(error) || CancellationScope.current().consideredCancelled) throw error;
    });
  await Promise.race([...inFlight, bell.rings(), slept]);
  timer.cancel();
}

function count(counts: Counts, label: string, result: BatchResult): void {
  counts.batches += 1;
  counts.done += result.total - result.again - result.failed;
  counts.failed += result.failed;
  setCurrentDetails(`**${label}**: ${counts.done} done, ${counts.failed} failed, in ${counts.batches} batches`);
}
