/**
 * A transfer worker: moves bytes. It runs beside the control plane, or on any machine that reaches the control plane,
 * Temporal and the registries.
 */

import { readdirSync } from "node:fs";
import { hostname, setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { loadConfig } from "../config.ts";
import { showFailures, superviseChild } from "../lifecycle.ts";
import { createLog } from "../logs.ts";
import { toTransferError, type TransferError } from "../domain/failure.ts";
import { isLoopback } from "../domain/http-url.ts";
import { StartError } from "../domain/start-error.ts";
import { SLOTS } from "../domain/lanes.ts";
import type { WorkerSettings } from "../domain/worker-messages.ts";
import { keepActivityWorkers } from "../temporal/activity-worker.ts";
import type { Asked } from "../temporal/diagnosis.ts";
import { speaksTls } from "../temporal/probe.ts";
import { createReminder } from "../temporal/reminder.ts";
import { openTracing, type Tracing } from "../temporal/tracing.ts";
import { installRuntime, ownMetrics } from "../temporal/worker.ts";
import { uselessVariables } from "../variables.ts";
import { laneQueue, queues } from "../workflows/contract.ts";
import { createAloneActivities } from "./alone/activities.ts";
import { problemOfControlPlane } from "./control-plane-problem.ts";
import { OTHER_KEY } from "./internal-answers.ts";
import { createControlPlane } from "./control-plane.ts";
import { keepSayingHello } from "./hello.ts";
import { createTransferActivities } from "./transfer/activities.ts";
import { createUse } from "./use.ts";
import { openBatchDeps } from "./worker-deps.ts";

const ASK_AGAIN_MS = 2_000;
const METRICS_MS = 15_000;
/**
 * Nice value of a worker that the supervisor started. People wait for the control plane on the same
 * machine, so the processes there get processor time before the worker.
 */
const NICE = 10;

// On Linux each thread has a nice value of its own; a new thread inherits the value of the thread that starts it.
const threads =
  process.platform === "linux"
    ? readdirSync("/proc/self/task").map(Number)
    : [process.pid];
if (process.connected) for (const thread of threads) setPriority(thread, NICE);
showFailures();
refuseSecretKey();
const config = loadConfig(process.env, ["apiUrl", "workerToken"]);
const log = createLog("transfer", config);
// A worker that the supervisor started is on the machine of the service, whatever its address is.
if (!process.connected) refuseUnprotected(config);
if (!process.connected)
  for (const warning of uselessVariables(process.env, "worker")) log.warn(warning);
const stopping = new AbortController();
let refused = new AbortController();
const name = `${hostname()}/${process.pid}`;
const controlPlane = createControlPlane({
  ...config,
  identity: config.workerToken,
  name,
  onRefused: (reason) => refused.abort(reason),
});

let working = Promise.resolve();
let tracing: Tracing | null = null;
const life = superviseChild({
  async stop() {
    stopping.abort();
    await working;
    await tracing?.end();
  },
});
const metrics = await installRuntime(log);
tracing = await openTracing("transfer", config, log);
// The control plane collects the metrics of workers that the supervisor started; a worker that was started
// on its own (`npm run worker`) sends its metrics itself.
if (!life.supervised) setInterval(() => void tellMetrics(), METRICS_MS).unref();
working = work();
await working;

async function tellMetrics(): Promise<void> {
  try {
    await controlPlane.metrics(name, await ownMetrics(metrics));
  } catch (error) {
    log.debug({ err: error }, "the metrics could not be sent");
  }
}

/**
 * Takes work until this process must stop. When the control plane refuses this worker, waits until it
 * accepts the worker again. Throws when waiting cannot help, as for an unknown token at the start.
 */
async function work(): Promise<void> {
  for (let first = true; !stopping.signal.aborted; first = false) {
    const settings = await learnSettings(first);
    if (settings === null) return;
    refused = new AbortController();
    const workers = takeWork(settings);
    await untilAborted(refused.signal, stopping.signal);
    if (refused.signal.aborted)
      log.error(
        { reason: refused.signal.reason },
        "the control plane refuses this worker, which takes no more work until it is accepted again",
      );
    await workers.stop();
  }
}

/**
 * Throws a StartError when requests would cross a network without TLS, unless that is allowed, or without a look at
 * the certificate.
 */
function refuseUnprotected({ apiUrl, allowHttpApiUrl, apiBeside }: typeof config): void {
  if (apiBeside)
    throw new StartError(
      "API_BESIDE is for workers that the service starts itself: remove it; where the certificate of API_URL " +
        "has a private CA, set NODE_EXTRA_CA_CERTS to its PEM file",
    );
  const url = new URL(apiUrl);
  if (url.protocol === "https:" || isLoopback(url) || allowHttpApiUrl) return;
  throw new StartError(
    `API_URL ${apiUrl} leads to another machine without TLS, so who is between reads what is replicated: ` +
      "turn TLS on at the service (TLS_CERT_PATH) and write https:// there, or set ALLOW_HTTP_API_URL=true " +
      "if the network between is private",
  );
}

/** Throws a StartError for a worker that was given the secret key, which is the control plane's alone. */
function refuseSecretKey(): void {
  if (!process.env["SECRET_KEY"] && !process.env["NEW_SECRET_KEY"]) return;
  throw new StartError(
    "A worker takes WORKER_TOKEN and must not have the SECRET_KEY of the instance: call " +
      "POST /replication/api/worker/create with a name there, set WORKER_TOKEN to the token that it answers, and " +
      "remove SECRET_KEY from this machine",
  );
}

function takeWork(settings: WorkerSettings): { stop: () => Promise<void> } {
  const { beside, ...deps } = openBatchDeps(
    config,
    controlPlane,
    config.workerToken,
    settings,
  );
  log.info(
    { beside, apiUrl: config.apiUrl },
    beside ? "reading content from disk" : "reading content through the control plane",
  );
  const { transfer } = queues(settings.instanceId);
  const activities = createTransferActivities(deps);
  const alone = createAloneActivities(log);
  const { used, counted } = createUse();
  const stopHello = keepSayingHello({
    apiUrl: config.apiUrl,
    hello: () => controlPlane.hello(used),
    problemOf,
    log,
  });
  const workers = keepActivityWorkers(
    {
      asked: askedOf(settings),
      alone: !life.supervised,
      heartbeatInterval: config.heartbeatInterval ?? settings.heartbeatInterval,
      queues: [
        {
          taskQueue: laneQueue(transfer, "SHARED"),
          activities: counted("SHARED", activities),
          slots: SLOTS.SHARED,
        },
        {
          taskQueue: transfer,
          activities: counted("SHARED", activities),
          slots: SLOTS.QUICK,
        },
        {
          taskQueue: laneQueue(transfer, "QUICK"),
          activities: counted("QUICK", activities),
          slots: SLOTS.QUICK,
        },
        {
          taskQueue: laneQueue(transfer, "WHOLE"),
          activities: counted("WHOLE", activities),
          slots: SLOTS.WHOLE,
        },
        {
          taskQueue: laneQueue(transfer, "ALONE"),
          activities: counted("ALONE", alone),
          slots: SLOTS.ALONE,
        },
      ],
      tracing,
      log,
    },
    () => {
      life.ready({ metrics });
      if (!life.supervised)
        log.info(`Ready: takes work from ${config.apiUrl}. Ctrl-C ends it.`);
    },
  );
  return {
    async stop() {
      stopHello();
      await workers.stop();
    },
  };
}

/**
 * Asks the control plane for the worker's settings until it answers and accepts this worker; the log says why it does
 * not, at once and then once a minute. Returns null when the worker must stop. Throws a StartError at the start
 * (`first`) for an unknown token, which does not become right by waiting.
 */
async function learnSettings(first: boolean): Promise<WorkerSettings | null> {
  for (const reminder = createReminder(); ;) {
    try {
      return await controlPlane.settings();
    } catch (error) {
      const failure = toTransferError(error);
      if (first && failure.codes?.includes(OTHER_KEY))
        throw new StartError(
          "WORKER_TOKEN is not a token of that instance (worker/create makes one, worker/delete ends it), " +
            `or the service is of an older release: ${failure.message}`,
          { cause: error },
        );
      const problem = await problemOf(failure);
      if (reminder.isDue(problem)) log.warn(`Waiting for the control plane: ${problem}`);
    }
    await sleep(ASK_AGAIN_MS, undefined, { signal: stopping.signal }).catch(
      () => undefined,
    );
    if (stopping.signal.aborted) return null;
  }
}

function problemOf(failure: TransferError): Promise<string> {
  return problemOfControlPlane(config.apiUrl, failure, speaksTls);
}

function untilAborted(...signals: AbortSignal[]): Promise<void> {
  const any = AbortSignal.any(signals);
  if (any.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    any.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Returns which Temporal this worker asks for work: its own settings come before those of the control plane. */
function askedOf({ temporal }: WorkerSettings): Asked {
  const own = config.temporalAddress;
  return own === undefined
    ? {
        settings: { ...config, temporalAddress: seenFromHere(temporal.address) },
        namespace: temporal.namespace,
        source: "controlPlane",
      }
    : {
        settings: { ...config, temporalAddress: own },
        namespace: config.temporalNamespace,
        source: "setting",
      };
}

/**
 * Replaces a loopback host in Temporal's address by the host of the control plane, because the control
 * plane states the address of an embedded Temporal as seen on its own machine. Returns any other address
 * unchanged.
 */
function seenFromHere(address: string): string {
  const api = new URL(config.apiUrl).hostname;
  return address.replace(/^(127\.[\d.]+|localhost|\[::1\])(?=:\d+$)/, api);
}
