import {
  ApplicationFailure,
  CancellationScope,
  condition,
  executeChild,
  isCancellation,
  setCurrentDetails,
  workflowInfo,
} from "@temporalio/workflow";
import { rootCause } from "@temporalio/common";
import type { TargetPage } from "../activities/control/runs.ts";
import { PRIORITY, type TaskRunInput } from "./contract.ts";
import { control } from "./control.ts";
import { CHILDREN } from "./options.ts";
import { targetRun } from "./target-run.ts";
import { type Target, targetOptions } from "./targets.ts";

/**
 * `bounded` false: the run began with a release that did not limit the number of children or the history. `first`: the
 * first page of targets, if it is known.
 */
type How = { bounded: boolean; first?: TargetPage | undefined };
/** `objects`: the number of objects of the run. */
type Run = { recordId: string; objects: number };
type Children = { live: number; last: Target | null; broken: unknown };

/**
 * Sends to every target through a child workflow. Returns the input with which the run continues as new,
 * null when everything is sent. One child that breaks does not stop the others: its error is thrown when
 * everything is sent.
 */
export async function sendToTargets(
  input: TaskRunInput,
  run: Run,
  how: How,
): Promise<TaskRunInput | null> {
  const children: Children = { live: 0, last: null, broken: undefined };
  // Waits for the end of all children, even if the run is cancelled: only then may the run be closed.
  const over = () =>
    CancellationScope.nonCancellable(() => condition(() => children.live === 0));
  const all = await startAll(input, run, children, how).catch(async (error: unknown) => {
    if (how.bounded) await over();
    throw error;
  });
  await over();
  const { last, broken } = children;
  if (isCancellation(broken)) throw broken;
  const reason =
    input.sent?.broken ??
    (broken === undefined ? null : (rootCause(broken) ?? String(broken)));
  if (!all && last) return { ...input, sent: { to: last.clusterId, broken: reason } };
  if (reason !== null) throw ApplicationFailure.nonRetryable(reason);
  return null;
}

/**
 * Starts a child for each target. Returns false when targets are left for the run that continues as new;
 * only a run with one child for each cluster has so many targets that this happens.
 */
async function startAll(
  input: TaskRunInput,
  run: Run,
  children: Children,
  { bounded, first }: How,
): Promise<boolean> {
  let started = 0;
  for (let from: number | null = 0; from !== null;) {
    const known = from === 0 ? first : undefined;
    const page: TargetPage =
      known ??
      (await control(input, `targets from ${from + 1}`).readTargets(
        run.recordId,
        from,
        input.sent?.to ?? null,
      ));
    for (const target of page.targets) {
      if (bounded) await condition(() => children.live < CHILDREN);
      if (
        bounded &&
        target.object === null &&
        children.last &&
        workflowInfo().continueAsNewSuggested
      )
        return false;
      startOne(input, run, children, target);
      started += 1;
    }
    from = page.next;
  }
  setCurrentDetails(`sending to ${started} targets`);
  return true;
}

function startOne(
  input: TaskRunInput,
  { recordId, objects }: Run,
  children: Children,
  target: Target,
): void {
  children.live += 1;
  children.last = target;
  const priorityKey = target.soon ? PRIORITY.soon : PRIORITY.other;
  void executeChild(
    targetRun,
    targetOptions(
      input,
      { runId: workflowInfo().workflowId, recordId, objects, cut: 1, priorityKey },
      target,
    ),
  )
    .catch((error: unknown) => {
      children.broken ??= error;
    })
    .finally(() => (children.live -= 1));
}
