/** How the supervisor forks the other processes, and which settings each one gets. */

import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { type WorkerIdentity, workerToken } from "./activities/secrets/worker-token.ts";
import type { Config } from "./config.ts";
import type { ChildMessage } from "./lifecycle.ts";
import { logFormatOf } from "./logs.ts";
import type { Supervisor } from "./supervisor.ts";
import type { Started } from "./temporal/keep.ts";
import { reachable } from "./temporal/ports.ts";

/** The file that each kind of child process runs, without its extension. */
const ENTRIES = {
  control: "api/start",
  orchestrator: "workflows/start",
  worker: "activities/start",
};
/**
 * Limits of V8's heap. Without them V8 collects garbage later the more memory the machine has, and takes
 * twice what a process needs. The limits cost no speed.
 */
const HEAP = [
  "--max-semi-space-size=4",
  "--max-old-space-size=256",
  // Without this option the short-lived buffers of an upload start a full collection every 30 MiB.
  "--initial-old-space-size=64",
];

export function startControl(supervisor: Supervisor): Started {
  const { config, instance, apiUrl } = supervisor;
  const { child, ready } = forkChild("control", {
    ...childEnvironment(supervisor),
    ADMIN_PASSWORD: instance.adminPassword,
    SECRET_KEY: instance.secretKey,
    METRICS_TOKEN: config.metricsToken,
    OWN_WORKERS: supervisor.ownWorkers.map(workerToken).join(","),
    PORT: apiUrl === undefined ? String(config.port) : new URL(apiUrl).port,
  });
  return {
    child,
    ready: ready.then(({ url = "" }) => {
      const { protocol, hostname, port } = new URL(url);
      supervisor.apiUrl = `${protocol}//${reachable(hostname)}:${port}`;
    }),
  };
}

export const startOrchestrator = (supervisor: Supervisor): Started =>
  forkChild("orchestrator", childEnvironment(supervisor));

export function startWorker(supervisor: Supervisor, identity: WorkerIdentity): Started {
  return forkChild("worker", {
    ...childEnvironment(supervisor),
    WORKER_TOKEN: workerToken(identity),
    API_URL: supervisor.apiUrl,
    API_BESIDE: "true",
  });
}

/** Returns the environment variables that every child gets. */
function childEnvironment({ config, instance, temporal }: Supervisor): NodeJS.ProcessEnv {
  return {
    ...process.env,
    DATA_DIR: config.dataDir,
    CACHE_DIR: config.cacheDir,
    INSTANCE_ID: instance.id,
    LOG_FORMAT: logFormatOf(config),
    TEMPORAL_ADDRESS: temporal.address,
    HEARTBEAT_INTERVAL: `${(config.heartbeatInterval ?? heartbeatOf(config)) / 1_000}s`,
    // The embedded server has neither TLS nor an API key, even if the settings have them for another
    // server.
    ...(config.temporalAddress === undefined && {
      TEMPORAL_TLS: "false",
      TEMPORAL_API_KEY: "",
    }),
  };
}

/**
 * Returns the default interval (ms) of heartbeats, which are free with an embedded server; a hosted server
 * may charge for them.
 */
const heartbeatOf = ({ temporalAddress }: Config) =>
  temporalAddress === undefined ? 2_000 : 10_000;

function forkChild(kind: keyof typeof ENTRIES, env: NodeJS.ProcessEnv) {
  const entry = fileURLToPath(
    new URL(`${ENTRIES[kind]}${extname(import.meta.url)}`, import.meta.url),
  );
  const child = fork(entry, {
    env,
    execArgv: [...HEAP, ...process.execArgv],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  return { child, ready: readyMessage(child) };
}

type Ready = Extract<ChildMessage, { type: "ready" }>;

const readyMessage = (child: ChildProcess) =>
  new Promise<Ready>((resolve) => {
    child.on("message", (message: ChildMessage) => {
      if (message.type === "ready") resolve(message);
    });
  });
