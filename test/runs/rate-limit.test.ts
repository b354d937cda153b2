import { randomBytes } from "node:crypto";
import { Client, Connection } from "@temporalio/client";
import { expect, test } from "vitest";
import { closed, epoch } from "../rigs/runs/run-fixture.ts";
import { startFileRig } from "../rigs/runs/run-rig.ts";

const FILES = 200;
const BYTES = 16 * 1024;
const RATE = 1024 * 1024;
/** Which worker gets a batch is Temporal's choice: all eight may go to one. */
const MOST_RUNS = 5;

/** The workers that sent the batches of a run. */
async function workersOf(address: string, workflowId: string): Promise<Set<string>> {
  const connection = await Connection.connect({ address });
  try {
    const { events } = await new Client({ connection }).workflow.getHandle(workflowId).fetchHistory();
    const batches = (events ?? [])
      .filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === "transferBatch")
      .map(({ eventId }) => String(eventId));
    const started = (events ?? []).map((event) => event.activityTaskStartedEventAttributes);
    return new Set(
      started.flatMap((one) => (one && batches.includes(String(one.scheduledEventId)) ? [String(one.identity)] : [])),
    );
  } finally {
    await connection.close();
  }
}

test("rateLimit holds over all workers that share a run", { timeout: 180_000 }, async () => {
  const { center, product, projectId, cluster, end } = await startFileRig({ env: { TRANSFER_WORKERS: "2" } });
  try {
    await product.hosted(projectId, "files");
    let workers = 0;
    for (let run = 0; workers < 2 && run < MOST_RUNS; run += 1) {
      for (let i = 0; i < FILES; i += 1)
        await product.upload(projectId, "files", `/f${i}`, randomBytes(BYTES), { "x-bkrepo-overwrite": "true" });
      const objects = [{ localRepoName: "files", repoType: "GENERIC" as const, remoteRepoName: `copy${run}` }];
      const key = await product.run({ projectId, objects, clusters: [cluster], setting: { rateLimit: RATE } });
      const record = await closed(product, key);

      expect(record).toMatchObject({
        status: "SUCCESS",
        counts: { planned: FILES, success: FILES, fileSuccess: FILES },
      });
      const seconds = (epoch(record.endTime) - epoch(record.startTime)) / 1000;
      expect((FILES * BYTES) / seconds).toBeLessThan(RATE * 1.1);
      workers = (await workersOf(center.endpoints().temporal, `${record.workflowId}/edge/files`)).size;
    }
    expect(workers).toBe(2);
  } finally {
    await end();
  }
});
