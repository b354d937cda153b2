import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  proxyActivities,
} from "@temporalio/workflow";
import { rootCause } from "@temporalio/common";
import type { RunActivities } from "../activities/control/runs.ts";
import type {
  BatchResult,
  TransferActivities,
} from "../activities/transfer/activities.ts";
import { type Lane, MOST_DEATHS, REFUSED, STOPPING } from "../domain/lanes.ts";
import { fitSummary } from "../domain/summary.ts";
import { laneQueue, type Queues } from "./contract.ts";
import { isSince } from "./form.ts";
import { CONTROL, ONE_TRY, TRANSFER } from "./options.ts";

export type Batch = { number: number; summary: string; lane?: Lane };
type Place = { queues: Queues; recordId: string; form?: number | undefined };

/**
 * Sends a batch. If workers die repeatedly while they send it, the batch gets a process of its own, and is
 * halved until the artifact that kills them is found.
 */
export async function transfer(input: Place, batch: Batch): Promise<BatchResult> {
  if (!isSince(input, "isolate-batches")) return transferOrFail(input, batch);
  for (let deaths = 0; deaths < MOST_DEATHS;) {
    const sent = await tryOnce(input, batch);
    if (sent.result) return sent.result;
    if (!sent.untried) deaths += 1;
  }
  const control = proxyActivities<RunActivities>({
    ...CONTROL,
    taskQueue: input.queues.control,
  });
  await control.isolateBatch.executeWithOptions(
    { summary: fitSummary(`alone: ${batch.summary}`) },
    [input.recordId, batch.number, MOST_DEATHS],
  );
  return transferAlone(input, { ...batch, lane: "ALONE" });
}

/**
 * Sends a batch in a process of its own. If that process fails or dies, sends the halves one after the
 * other: each needs a process, and a worker has room for one. When a single artifact is left, the batch is
 * not halved, and that artifact fails.
 */
async function transferAlone(input: Place, batch: Batch): Promise<BatchResult> {
  const control = proxyActivities<RunActivities>({
    ...CONTROL,
    taskQueue: input.queues.control,
  });
  const sent = await tryOnce(input, batch);
  if (sent.result) return sent.result;
  if (sent.untried) return transferAlone(input, batch);
  const split = await control.splitBatch.executeWithOptions(
    { summary: `halve batch ${batch.number}` },
    [input.recordId, batch.number, sent.reason],
  );
  // What an attempt postponed before its worker died is in no count: `rest: 1` makes the run look for it
  // again.
  if (split.kind === "failed") return { ...split.counts, rest: 1 };
  const sum: BatchResult = { total: 0, again: 0, failed: 0 };
  for (const number of split.numbers) {
    const half = await transferAlone(input, {
      ...batch,
      number,
      summary: fitSummary(`half of ${batch.summary}`),
    });
    sum.total += half.total;
    sum.again += half.again;
    sum.failed += half.failed;
    sum.rest = (sum.rest ?? 0) + (half.rest ?? 0);
  }
  return sum;
}

type Tried = { result: BatchResult } | { result: null; untried: boolean; reason: string };

/**
 * Sends a batch once; throws only when the run is cancelled. `untried` in the result: the worker was
 * stopping or refused and gave the batch back, which does not count as a death.
 */
async function tryOnce(
  { queues, recordId }: Place,
  { number, summary, lane = "SHARED" }: Batch,
): Promise<Tried> {
  const { transferBatch } = proxyActivities<TransferActivities>({
    ...ONE_TRY,
    taskQueue: laneQueue(queues.transfer, lane),
  });
  try {
    return {
      result: await transferBatch.executeWithOptions({ summary }, [recordId, number]),
    };
  } catch (error) {
    if (isCancellation(error)) throw error;
    const cause = error instanceof ActivityFailure ? error.cause : undefined;
    const untried =
      cause instanceof ApplicationFailure &&
      (cause.type === STOPPING || cause.type === REFUSED);
    return { result: null, untried, reason: rootCause(error) ?? String(error) };
  }
}

/**
 * Sends a batch of a run that began before batches were halved: the batch fails as a whole if workers die
 * repeatedly while they send it.
 */
async function transferOrFail(input: Place, batch: Batch): Promise<BatchResult> {
  const { transferBatch } = proxyActivities<TransferActivities>({
    ...TRANSFER,
    taskQueue: laneQueue(input.queues.transfer, batch.lane ?? "SHARED"),
  });
  try {
    return await transferBatch.executeWithOptions({ summary: batch.summary }, [
      input.recordId,
      batch.number,
    ]);
  } catch (error) {
    if (isCancellation(error)) throw error;
    const control = proxyActivities<RunActivities>({
      ...CONTROL,
      taskQueue: input.queues.control,
    });
    return control.failBatch(input.recordId, batch.number);
  }
}
