import type { Client } from "@temporalio/client";

/** Value of TaskQueueType.ACTIVITY (temporal.api.enums.v1). */
const ACTIVITY = 2;
/**
 * A worker that polled within this time (ms) counts as running: a waiting worker polls at least once a
 * minute. The server remembers a worker that is gone for somewhat longer.
 */
const FRESH_MS = 90_000;

/**
 * Whether an activity worker, on any machine, has polled the queue within FRESH_MS; false also when the
 * server gives no answer.
 */
export async function hasWorker(
  { workflowService, options: { namespace } }: Client,
  taskQueue: string,
  now: number,
): Promise<boolean> {
  const request = { namespace, taskQueue: { name: taskQueue }, taskQueueType: ACTIVITY };
  const { pollers } = await workflowService
    .describeTaskQueue(request)
    .catch(() => ({ pollers: [] }));
  return (pollers ?? []).some(
    ({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 > now - FRESH_MS,
  );
}
