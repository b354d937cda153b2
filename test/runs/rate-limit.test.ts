import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { closed, epoch } from "../rigs/runs/run-fixture.ts";
import { handedOut } from "../rigs/runs/run-histories.ts";
import { startFileRig } from "../rigs/runs/run-rig.ts";

const FILES = 200;
const BYTES = 16 * 1024;
const RATE = 1024 * 1024;
/**
 * Maximum number of runs until both workers had a batch: Temporal decides, and may give all eight
 * batches of a run to one worker.
 */
const MOST_RUNS = 5;

test("a task's rateLimit holds over all workers that share its run", async () => {
  const { center, product, projectId, cluster, end } = await startFileRig({
    env: { TRANSFER_WORKERS: "2" },
  });
  try {
    await product.hosted(projectId, "files");
    let workers = 0;
    for (let run = 0; workers < 2 && run < MOST_RUNS; run += 1) {
      for (let i = 0; i < FILES; i += 1)
        await product.upload(projectId, "files", `/f${i}`, randomBytes(BYTES), {
          "x-bkrepo-overwrite": "true",
        });
      const objects = [
        {
          localRepoName: "files",
          repoType: "GENERIC" as const,
          remoteRepoName: `copy${run}`,
        },
      ];
      const key = await product.run({
        projectId,
        objects,
        clusters: [cluster],
        setting: { rateLimit: RATE },
      });
      const record = await closed(product, key);

      expect(record).toMatchObject({
        status: "SUCCESS",
        counts: { planned: FILES, success: FILES, fileSuccess: FILES },
      });
      const seconds = (epoch(record.endTime) - epoch(record.startTime)) / 1000;
      expect((FILES * BYTES) / seconds).toBeLessThan(RATE * 1.1);
      const batches = await handedOut(center.endpoints().temporal, record.workflowId);
      workers = new Set(batches.map(({ identity }) => identity)).size;
    }
    expect(workers).toBe(2);
  } finally {
    await end();
  }
});
