import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { untilOver, untilTold } from "../rigs/runs/alert-rig.ts";
import { startInstance } from "../rigs/runs/instance.ts";
import { makeToken } from "../rigs/runs/remote-worker.ts";
import { readSeries, scrapeOf } from "../rigs/runs/metrics-fixture.ts";
import { programOf, ROOT } from "../rigs/runs/program.ts";
import { createCleanup, UTC } from "../rigs/runs/run-fixture.ts";

const cleanup = createCleanup();
afterAll(cleanup.all);

describe("alerts about missing processes", { timeout: 480_000 }, () => {
  test("an instance without a transfer worker raises WorkersMissing until one runs elsewhere", async () => {
    const alone = await cleanup.keep(
      startInstance({
        env: { ...UTC, TRANSFER_WORKERS: "0", LOG_LEVEL: "warn" },
        neverReady: true,
      }),
      (one) => one.remove(),
    );
    expect(
      (await untilTold(alone, "WorkersMissing", "transfer worker")).message,
    ).toContain("no transfer worker");
    const folder = mkdtempSync(join(tmpdir(), "worker-"));
    const env = {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      DATA_DIR: folder,
      API_URL: alone.url,
      WORKER_TOKEN: await makeToken(alone),
      LOG_LEVEL: "warn",
    };
    const worker = spawn(process.execPath, programOf("activities/start"), {
      cwd: ROOT,
      env,
      stdio: "inherit",
    });
    const gone = new Promise((resolve) => worker.once("exit", resolve));
    try {
      await untilOver(alone, "WorkersMissing", "transfer worker");
      const isThere = async () =>
        readSeries(await scrapeOf(alone)).some(
          ({ name, labels }) =>
            name === "temporal_worker_task_slots_available" &&
            labels["process"]?.endsWith(`/${worker.pid}`),
        );
      for (const end = Date.now() + 120_000; !(await isThere()); await sleep(500))
        expect(Date.now()).toBeLessThan(end);
    } finally {
      worker.kill("SIGKILL");
      await gone;
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("an embedded Temporal server that ends raises WorkersMissing until it is back", async () => {
    const own = await cleanup.keep(
      startInstance({
        embedded: true,
        env: { ...UTC, TRANSFER_WORKERS: "1", LOG_LEVEL: "warn" },
      }),
      (one) => one.remove(),
    );
    let killed = 0;
    const told = await untilTold(own, "WorkersMissing", "temporal", async () => {
      const pid = own.pids().temporal;
      if (pid === null || pid === killed) return;
      killed = pid;
      await own.kill("temporal").catch(() => undefined);
    });
    expect(told.message).toContain("Temporal does not answer");
    await untilOver(own, "WorkersMissing", "temporal");
  });
});
