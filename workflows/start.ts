import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@temporalio/client";
import { Worker } from "@temporalio/worker";
import { loadConfig } from "../config.ts";
import { showFailures, superviseChild } from "../lifecycle.ts";
import { createLog } from "../logs.ts";
import { bundleWorkflows, WORKFLOW_SOURCES } from "../temporal/bundle.ts";
import { clientConnection } from "../temporal/connect.ts";
import { replayOpenRuns } from "../temporal/replay-open.ts";
import { openTracing, type Tracing } from "../temporal/tracing.ts";
import { installRuntime, workerConnection } from "../temporal/worker.ts";
import { queues } from "./contract.ts";

/** The orchestrator process: runs workflows, and nothing else. */
const EXTENSION = extname(import.meta.url);
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

showFailures();
const config = loadConfig(process.env, ["temporalAddress", "instanceId"]);
const log = createLog("orchestrator", config);

let worker: Worker | undefined;
let tracing: Tracing | null = null;
let running = Promise.resolve();
const life = superviseChild({
  async stop() {
    worker?.shutdown();
    await running;
    await tracing?.end();
  },
});

const metrics = await installRuntime(log);
tracing = await openTracing("orchestrator", config, log);
const [codePath, connection] = await Promise.all([
  bundleWorkflows({
    entry: path(`index${EXTENSION}`),
    sources: WORKFLOW_SOURCES,
    ...(tracing && { interceptors: path(`tracing${EXTENSION}`) }),
    cacheDir: config.cacheDir,
    log,
  }),
  workerConnection({
    asked: { settings: config, namespace: config.temporalNamespace, source: "setting" },
    log,
  }),
]);
const taskQueue = queues(config.instanceId).orchestrate;
/** The build id in Temporal's histories: a hash of the workflow code, whatever the release is called. */
const build = createHash("sha256")
  .update(await readFile(codePath))
  .digest("hex")
  .slice(0, 16);
const clientSide = clientConnection(config);
const client = new Client({
  connection: clientSide,
  namespace: config.temporalNamespace,
});
await replayOpenRuns({ client, taskQueue, codePath, build, log });
await clientSide.close();
worker = await Worker.create({
  connection,
  namespace: config.temporalNamespace,
  taskQueue,
  buildId: build,
  workflowBundle: { codePath },
  ...(tracing && { sinks: tracing.sinks }),
  enableNonLocalActivities: false,
  maxCachedWorkflows: 300,
  // One thread runs all workflows: a task that it cannot take soon waits at the server, where more urgent tasks go
  // first.
  maxConcurrentWorkflowTaskExecutions: 8,
  // After a kill of the orchestrator, a run waits at most this long for the dead worker that had the run
  // cached.
  stickyQueueScheduleToStartTimeout: "5s",
  shutdownGraceTime: "10s",
  shutdownForceTime: "20s",
});
running = worker.run();
life.ready({ metrics });
await running;
