import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { closed } from "../rigs/runs/run-fixture.ts";
import { ROOT } from "../rigs/runs/program.ts";
import { readSeries, scrapeOf, valueOf } from "../rigs/runs/metrics-fixture.ts";
import { startFileRig } from "../rigs/runs/run-rig.ts";

const HOUR = 3_600_000;
const BYTES = 6 * 1024 ** 2;
const RATE = 512 * 1024;

test.each([
  ["back", -HOUR],
  ["forward", HOUR],
])(
  "a run with a rate limit goes on when the clock is set %s by an hour",
  async (_way, step) => {
    const folder = mkdtempSync(join(tmpdir(), "clock-steps-"));
    const offset = join(folder, "offset");
    writeFileSync(offset, "0");
    const preload = pathToFileURL(join(ROOT, "test", "rigs", "runs", "clock.mjs")).href;
    const { center, product, projectId, cluster, end } = await startFileRig({
      env: { NODE_OPTIONS: `--import ${preload}`, CLOCK_OFFSET_FILE: offset },
    });
    try {
      await product.hosted(projectId, "files");
      await product.upload(projectId, "files", "/large", randomBytes(BYTES));
      const key = await product.run({
        projectId,
        objects: [
          { localRepoName: "files", repoType: "GENERIC", remoteRepoName: "copy" },
        ],
        clusters: [cluster],
        setting: { rateLimit: RATE },
      });
      const bytesSent = async () =>
        valueOf(readSeries(await scrapeOf(center)), "replication_sent_bytes_total") ?? 0;
      await expect.poll(bytesSent).toBeGreaterThan(0);
      writeFileSync(offset, String(step));
      expect(await closed(product, key)).toMatchObject({ status: "SUCCESS" });
    } finally {
      await end();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
