import { fileURLToPath } from "node:url";
import { Worker } from "@temporalio/worker";
import { pino } from "pino";
import { loadConfig, superviseChild } from "../config.ts";
import { bundleWorkflows } from "../temporal/bundle.ts";
import { installRuntime, workerConnection } from "../temporal/worker.ts";
import { queues } from "./contract.ts";

/** The orchestrator: runs workflows, and nothing else. */
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

const config = loadConfig(process.env, ["temporalAddress", "instanceId"]);
const log = pino({ level: config.logLevel, base: { process: "orchestrator", pid: process.pid } });

let worker: Worker | undefined;
let running = Promise.resolve();
const life = superviseChild({
  async stop() {
    worker?.shutdown();
    await running;
  },
});

const metrics = await installRuntime(log);
const [codePath, connection] = await Promise.all([
  bundleWorkflows({ entry: path("index.ts"), sources: [path("."), path("../domain")], cacheDir: config.cacheDir, log }),
  workerConnection(config, log),
]);
worker = await Worker.create({
  connection,
  namespace: config.temporalNamespace,
  taskQueue: queues(config.instanceId).orchestrate,
  workflowBundle: { codePath },
  enableNonLocalActivities: false,
  maxCachedWorkflows: 300,
  // After a kill, a run waits this long for the dead worker that had it in its cache.
  stickyQueueScheduleToStartTimeout: "5s",
  shutdownGraceTime: "10s",
  shutdownForceTime: "20s",
});
running = worker.run();
life.ready({ metrics });
await running;
