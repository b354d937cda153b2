import {
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  sleep,
  workflowInfo,
} from "@temporalio/workflow";
import { rootCause } from "@temporalio/common";
import type { PlanActivities, Unlisted } from "../activities/control/plans.ts";
import type { TargetPage } from "../activities/control/runs.ts";
import type { TransferActivities } from "../activities/transfer/activities.ts";
import type { Listed } from "../activities/transfer/listing.ts";
import type { Lane } from "../domain/lanes.ts";
import { fairness, laneQueue, type TaskRunInput } from "./contract.ts";
import { clock, control, summaryOf } from "./control.ts";
import {
  LONGEST_PLAN,
  LONGEST_RETRY_AFTER_MS,
  PLANNING,
  PLANS,
  SHORTEST_WAIT_MS,
  TRANSFER,
} from "./options.ts";

/**
 * `complete` false: the history is long enough, and the run must continue as new. `targets`: the first page
 * of targets, if the plan returned it.
 */
type RunPlan = { complete: boolean; targets?: TargetPage | undefined };

/** Plans what a run sends: all hosted objects in one step, linked objects by listing them. */
export async function planRun(input: TaskRunInput, recordId: string): Promise<RunPlan> {
  const planning = (summary: string) =>
    proxyActivities<PlanActivities>({
      ...PLANNING,
      taskQueue: input.queues.control,
      summary,
    });
  setCurrentDetails("planning");
  const { linked, unlisted, targets } = await planning(
    "plan all hosted objects",
  ).planAllHosted(recordId, input.sent?.to ?? null);
  if (linked === 0) return { complete: true, targets };
  const [waiting, progress] = [
    createWaiting(planning("which objects to list").readUnlisted, recordId, unlisted),
    { listed: 0 },
  ];
  const isLong = () => progress.listed > 0 && workflowInfo().continueAsNewSuggested;
  const list = async () => {
    while (!isLong()) {
      const objectIndex = await waiting.take();
      if (objectIndex === undefined) return;
      await listObject(input, recordId, objectIndex, isLong);
      setCurrentDetails(`listed ${(progress.listed += 1)} of ${linked} linked objects`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PLANS, linked) }, list));
  return { complete: !isLong() && workflowInfo().historyLength < LONGEST_PLAN };
}

/** The objects to list: first those that the plan returned, then further pages, read when they are needed. */
function createWaiting(
  read: PlanActivities["readUnlisted"],
  recordId: string,
  told: Unlisted = { objects: [], next: 0 },
) {
  const objects = [...told.objects];
  const pages: { from: number | null; reading: Promise<void> | null } = {
    from: told.next,
    reading: null,
  };
  const readPage = async (from: number) => {
    const page = await read(recordId, from);
    objects.push(...page.objects);
    pages.from = page.next;
    pages.reading = null;
  };
  return {
    async take(): Promise<number | undefined> {
      while (objects.length === 0 && pages.from !== null)
        await (pages.reading ??= readPage(pages.from));
      return objects.shift();
    },
  };
}

/**
 * Lists one object until it is complete or the history is long enough to continue as new. A listing that
 * fails for good becomes the problem of this object; the other objects go on.
 */
async function listObject(
  input: TaskRunInput,
  recordId: string,
  objectIndex: number,
  isLong: () => boolean,
): Promise<void> {
  try {
    // The QUICK lane comes first, so that a short listing does not wait behind long ones.
    let lane: Lane = "QUICK";
    let reason: string | undefined;
    do {
      const listed = await listOnce(input, recordId, objectIndex, { lane, reason });
      if (listed.complete) return;
      [lane, reason] = ["SHARED", listed.reason];
    } while (!isLong());
  } catch (error) {
    if (isCancellation(error)) throw error;
    await control(input, `object ${objectIndex + 1} cannot be listed`).failListing(
      recordId,
      objectIndex,
      rootCause(error) ?? String(error),
    );
  }
}

/** `reason`: why the try before this one failed. */
type Try = { lane?: Lane; reason?: string | undefined };

/**
 * Lists one object for a limited time; the result is `complete` at the end of the object. When a retry is due
 * later, waits before returning.
 */
async function listOnce(
  { queues, projectId }: TaskRunInput,
  recordId: string,
  objectIndex: number,
  { lane = "SHARED", reason }: Try = {},
): Promise<Listed> {
  const { listPages } = proxyActivities<TransferActivities>({
    ...TRANSFER,
    taskQueue: laneQueue(queues.transfer, lane),
    priority: fairness(projectId),
  });
  const subject = `list object ${objectIndex + 1}`;
  const listed = await listPages.executeWithOptions(
    { summary: summaryOf(subject, reason && "again", reason) },
    [recordId, objectIndex, lane],
  );
  const { complete, retryAt } = listed;
  if (!complete && retryAt !== null) {
    const summary = summaryOf(subject, `again at ${clock(retryAt)}`, listed.reason);
    setCurrentDetails(summary);
    await sleep(
      Math.min(Math.max(retryAt - Date.now(), SHORTEST_WAIT_MS), LONGEST_RETRY_AFTER_MS),
      { summary },
    );
    setCurrentDetails("planning");
  }
  return listed;
}

/** Plans runs that began before `planRun` existed: object by object, and an error of one object breaks the run. */
export async function planEach(
  input: TaskRunInput,
  recordId: string,
  objects: number,
): Promise<void> {
  const waiting = Array.from({ length: objects }, (_, objectIndex) => objectIndex);
  const plan = async () => {
    for (
      let objectIndex = waiting.shift();
      objectIndex !== undefined;
      objectIndex = waiting.shift()
    ) {
      if (
        await control(input, `plan object ${objectIndex + 1}`).planHosted(
          recordId,
          objectIndex,
        )
      )
        continue;
      while (!(await listOnce(input, recordId, objectIndex)).complete);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PLANS, objects) }, plan));
}
