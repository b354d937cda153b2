import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { loadConfig, superviseChild } from "../config.ts";
import { toTransferError } from "../domain/failure.ts";
import { keepActivityWorker } from "../temporal/activity-worker.ts";
import { installRuntime, ownMetrics } from "../temporal/worker.ts";
import { queues } from "../workflows/contract.ts";
import { createControlPlane } from "./control-plane.ts";
import { createRegistryTokens } from "./secrets/registry-token.ts";
import { createSealer } from "./secrets/seal.ts";
import { layout } from "./store/layout.ts";
import { createContentSource } from "./store/source.ts";
import { createTransferActivities } from "./transfer/activities.ts";
import { createPool } from "./transfer/pool.ts";
import type { Line } from "./transfer/line.ts";

/** A transfer worker: moves bytes, here or on any machine that reaches the control plane, Temporal and the registries. */

/** Batches at once; many, so that those of a slow cluster leave room for others. */
const SLOTS = 32;
const METRICS_MS = 15_000;

const config = loadConfig(process.env, ["apiUrl", "secretKey"]);
const log = pino({ level: config.logLevel, base: { process: "transfer", pid: process.pid } });
const controlPlane = createControlPlane({ apiUrl: config.apiUrl, secretKey: config.secretKey });

let worker: ReturnType<typeof keepActivityWorker> | undefined;
const life = superviseChild({ stop: async () => worker?.stop() });

const metrics = await installRuntime(log);
const settings = await learnSettings();
const instanceFile = join(config.dataDir, "instance-id");
const beside = existsSync(instanceFile) && readFileSync(instanceFile, "utf8").trim() === settings.instanceId;
log.info({ beside, apiUrl: config.apiUrl }, beside ? "reading content from disk" : "reading content through the control plane");

const activities = createTransferActivities({
  controlPlane,
  sealer: createSealer(config.secretKey),
  content: createContentSource({ local: beside ? layout(config.dataDir) : null, call: controlPlane.open }),
  images: { apiUrl: config.apiUrl, tokens: createRegistryTokens(config.secretKey) },
  network: {
    allowedAddresses: config.allowedAddresses,
    proxy: config.httpsProxy ? { url: config.httpsProxy, noProxy: config.noProxy ?? "" } : null,
  },
  concurrency: config.transferConcurrency,
  lines: createPool<Line>((line) => line.close()),
});

worker = keepActivityWorker(
  {
    settings: { ...config, temporalAddress: config.temporalAddress ?? seenFromHere(settings.temporal.address) },
    namespace: config.temporalAddress ? config.temporalNamespace : settings.temporal.namespace,
    taskQueue: queues(settings.instanceId).transfer,
    activities,
    slots: SLOTS,
    log,
  },
  () => life.ready({ metrics }),
);
// A worker elsewhere is not asked for its numbers; it tells them.
if (!life.supervised) setInterval(() => void tellMetrics(), METRICS_MS).unref();

async function tellMetrics(): Promise<void> {
  try {
    await controlPlane.metrics(`${hostname()}/${process.pid}`, await ownMetrics(metrics));
  } catch (error) {
    log.debug({ err: error }, "the numbers could not be told");
  }
}

/** Asks until the control plane answers; a wrong secret key is said at once and ends the worker. */
async function learnSettings() {
  for (;;) {
    try {
      return await controlPlane.settings();
    } catch (error) {
      const { message, retryable } = toTransferError(error);
      if (!retryable) throw error;
      log.warn(`${message}; trying again`);
      await sleep(2_000);
    }
  }
}

/** The embedded Temporal names itself by its own machine's loopback address; elsewhere that machine is the one of the control plane. */
function seenFromHere(address: string): string {
  const api = new URL(config.apiUrl).hostname;
  return address.replace(/^(127\.[\d.]+|localhost|\[::1\])(?=:\d+$)/, api);
}
