import type { Client } from "@temporalio/client";

/** TaskQueueType.ACTIVITY (temporal.api.enums.v1). */
const ACTIVITY = 2;
/**
 * A worker that waits for work asks again at least once a minute; the server remembers those that are gone for some
 * more.
 */
const FRESH_MS = 90_000;

/**
 * Whether an activity worker, wherever it runs, has lately asked the queue for work; false also when the server does
 * not say.
 */
export async function hasWorker(
  { workflowService, options: { namespace } }: Client,
  taskQueue: string,
  now: number,
): Promise<boolean> {
  const request = { namespace, taskQueue: { name: taskQueue }, taskQueueType: ACTIVITY };
  const { pollers } = await workflowService.describeTaskQueue(request).catch(() => ({ pollers: [] }));
  return (pollers ?? []).some(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 > now - FRESH_MS);
}
