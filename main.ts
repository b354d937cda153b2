import { fork, type ChildProcess } from "node:child_process";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Connection } from "@temporalio/client";
import { pino, type Logger } from "pino";
import { openInstance, type Instance } from "./activities/secrets/instance.ts";
import { loadConfig, type Config, type ProcessesMessage } from "./config.ts";
import { lockDataDir } from "./db/lock.ts";
import { ensureSearchAttributes } from "./temporal/attributes.ts";
import { findBinary } from "./temporal/binary.ts";
import { clientConnection, watchTemporal } from "./temporal/connect.ts";
import { keepRunning, type Kept, type Started } from "./temporal/keep.ts";
import { choosePorts, reachable } from "./temporal/ports.ts";
import { openLedger, type Ledger } from "./temporal/process.ts";
import { choosePlace, startServer } from "./temporal/server.ts";
import { ATTRIBUTES } from "./workflows/contract.ts";

/**
 * The supervisor: starts, watches and restarts the other processes, and does nothing else
 * (docs/decisions.md#processes).
 */

/** By when, after the signal, each kind has had its time to drain; all that is left at the last is killed. */
const DRAINED_BY_MS = { worker: 12_000, orchestrator: 20_000, control: 23_000, temporal: 25_000 };
type Kind = keyof typeof DRAINED_BY_MS;

const ENTRIES = { control: "api/start", orchestrator: "workflows/start", worker: "activities/start" };
/**
 * Left to itself, V8 tidies up the later the more memory the machine has: twice what a process needs. It is no slower
 * for these.
 */
const HEAP = [
  "--max-semi-space-size=4",
  "--max-old-space-size=256",
  // Without it the buffers of an upload, gone as soon as they are written, start a collection of everything each 30
  // MiB.
  "--initial-old-space-size=64",
];

/** Given only to the children that need them; no other process inherits them. */
const SECRETS = ["ADMIN_PASSWORD", "SECRET_KEY", "METRICS_TOKEN"];

type Supervisor = {
  config: Config;
  log: Logger;
  instance: Instance;
  ledger: Ledger;
  stopping: AbortSignal;
  kept: Record<Kind, Kept[]>;
  /** The port of each process' numbers, by its name. */
  metrics: Map<string, number>;
  /** What is known of Temporal, embedded or not. */
  temporal: { address: string; ui: string | null; searchAttributes: boolean; isUp: () => boolean };
  /** The control plane's address once it had one; it keeps the port. */
  apiUrl: string | undefined;
  announced: boolean;
};

async function main(): Promise<void> {
  const config = loadConfig(process.env);
  const log = pino(
    { level: config.logLevel, base: { process: "supervisor", pid: process.pid } },
    pino.destination({ dest: 1, sync: true }),
  );
  if (process.platform !== "linux" && process.platform !== "darwin") {
    throw new Error(`${process.platform} is not supported: this runs on Linux and macOS`);
  }
  // Whatever we and our children write is ours alone, also in a DATA_DIR that somebody else made.
  process.umask(0o077);
  for (const name of SECRETS) delete process.env[name];
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const lock = lockDataDir(config.dataDir);
  const ledger = openLedger(join(config.dataDir, "processes.json"));
  const stopping = new AbortController();
  const supervisor: Supervisor = {
    config,
    log,
    instance: openInstance(config.dataDir, config),
    ledger,
    stopping: stopping.signal,
    kept: { worker: [], orchestrator: [], control: [], temporal: [] },
    metrics: new Map(),
    temporal: { address: "", ui: null, searchAttributes: false, isUp: () => false },
    apiUrl: undefined,
    announced: false,
  };
  const stop = async (code: number) => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    await drain(supervisor);
    lock.release();
    process.exit(code);
  };
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(name, () => void stop(0));
  try {
    await start(supervisor);
  } catch (error) {
    if (!stopping.signal.aborted) process.stderr.write(`${messageOf(error)}\n`);
    await stop(1);
  }
}

async function start(supervisor: Supervisor): Promise<void> {
  const { config, log, ledger, kept, stopping } = supervisor;
  rmSync(endpointsFile(config), { force: true });
  const ended = await ledger.endLeftovers(10_000);
  if (ended.length > 0) log.info({ ended }, "Ended what an earlier start had left running");

  await choosePorts(config.host, [{ port: config.port, variable: "PORT" }]);
  await attachTemporal(supervisor);
  stopping.throwIfAborted();
  const control = keep(supervisor, "control", () => startControl(supervisor));
  await Promise.all([control.firstUp, ...kept.temporal.map((one) => one.firstUp)]);
  stopping.throwIfAborted();
  keep(supervisor, "orchestrator", () => forkChild("orchestrator", childEnvironment(supervisor)));
  for (let number = 1; number <= config.transferWorkers; number += 1) {
    keep(supervisor, "worker", () => startWorker(supervisor), `worker ${number}`);
  }
  changed(supervisor);
}

/** The server of TEMPORAL_ADDRESS, or one of our own; up is one that answers. */
async function attachTemporal(supervisor: Supervisor): Promise<void> {
  const { config, log, temporal, stopping } = supervisor;
  const namespace = config.temporalNamespace;
  const watch = (connection: Connection) => {
    const onUp = async () => {
      temporal.searchAttributes = await ensureSearchAttributes(connection, namespace, Object.values(ATTRIBUTES), log);
    };
    const watched = watchTemporal(connection, { namespace, log, onUp, onChange: () => changed(supervisor) });
    stopping.addEventListener("abort", watched.stop, { once: true });
    return watched;
  };
  if (config.temporalAddress !== undefined) {
    const { isUp } = watch(clientConnection({ ...config, temporalAddress: config.temporalAddress }));
    Object.assign(temporal, { address: config.temporalAddress, isUp });
    return;
  }
  const binary = await findBinary({
    cliPath: config.temporalCliPath,
    cacheDir: config.cacheDir,
    proxy: config,
    log,
    signal: stopping,
  });
  const place = await choosePlace(config, log);
  stopping.throwIfAborted();
  const start = () =>
    startServer({
      binary,
      place,
      dataDir: config.dataDir,
      namespace,
      retention: config.temporalRetention,
      log,
      stopping,
    });
  const server = keep(supervisor, "temporal", start);
  // A server that has come up may hang later.
  let answers: (() => boolean) | undefined;
  void server.firstUp.then(
    () => (answers = watch(clientConnection({ temporalAddress: place.address })).isUp),
    () => undefined,
  );
  Object.assign(temporal, { address: place.address, ui: place.ui, isUp: () => server.isUp() && answers?.() === true });
}

/** Keeps a process running and on the ledger, so that a later start finds it. */
function keep(supervisor: Supervisor, kind: Kind, begin: () => Started, name: string = kind): Kept {
  const one = keepRunning({
    name,
    log: supervisor.log,
    until: supervisor.stopping,
    onChange: () => changed(supervisor),
    start: () => {
      const started = begin();
      if (started.child.pid !== undefined) supervisor.ledger.note(name, started.child.pid);
      started.child.on(
        "message",
        ({ metrics }: ReadyMessage) => void (metrics === undefined || supervisor.metrics.set(name, metrics)),
      );
      return started;
    },
  });
  supervisor.kept[kind].push(one);
  return one;
}

function startControl(supervisor: Supervisor): Started {
  const { config, instance, apiUrl } = supervisor;
  const { child, ready } = forkChild("control", {
    ...childEnvironment(supervisor),
    ADMIN_PASSWORD: instance.adminPassword,
    SECRET_KEY: instance.secretKey,
    METRICS_TOKEN: config.metricsToken,
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

function startWorker(supervisor: Supervisor): Started {
  return forkChild("worker", {
    ...childEnvironment(supervisor),
    SECRET_KEY: supervisor.instance.secretKey,
    API_URL: supervisor.apiUrl,
  });
}

/** What every child is told. */
function childEnvironment({ config, instance, temporal }: Supervisor): NodeJS.ProcessEnv {
  return {
    ...process.env,
    DATA_DIR: config.dataDir,
    CACHE_DIR: config.cacheDir,
    INSTANCE_ID: instance.id,
    TEMPORAL_ADDRESS: temporal.address,
    HEARTBEAT_INTERVAL: `${(config.heartbeatInterval ?? heartbeatOf(config)) / 1_000}s`,
    // The embedded server has neither, whatever is set for another one.
    ...(config.temporalAddress === undefined && { TEMPORAL_TLS: "false", TEMPORAL_API_KEY: "" }),
  };
}

/** They cost nothing with a server of our own, and money with one that somebody else runs. */
const heartbeatOf = ({ temporalAddress }: Config) => (temporalAddress === undefined ? 2_000 : 10_000);

function forkChild(kind: keyof typeof ENTRIES, env: NodeJS.ProcessEnv) {
  const entry = fileURLToPath(new URL(`${ENTRIES[kind]}${extname(import.meta.url)}`, import.meta.url));
  const child = fork(entry, {
    env,
    execArgv: [...HEAP, ...process.execArgv],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  return { child, ready: readyMessage(child) };
}

type ReadyMessage = { type: string; url?: string; metrics?: number };

const readyMessage = (child: ChildProcess) =>
  new Promise<ReadyMessage>((resolve) => {
    child.on("message", (message: ReadyMessage) => {
      if (message.type === "ready") resolve(message);
    });
  });

/**
 * After every change: the control plane learns of it, and the addresses and pids are written anew once all had been up.
 */
function changed(supervisor: Supervisor): void {
  const { kept, temporal, stopping } = supervisor;
  const [control] = kept.control;
  const [orchestrator] = kept.orchestrator;
  if (stopping.aborted || !control || !orchestrator) return;
  const message: ProcessesMessage = {
    type: "processes",
    temporal: temporal.isUp(),
    searchAttributes: temporal.searchAttributes,
    orchestrator: orchestrator.isUp(),
    workers: kept.worker.filter((one) => one.isUp()).length,
    metrics: [...kept.orchestrator, ...kept.worker].flatMap((one) => {
      const port = one.isUp() ? supervisor.metrics.get(one.name) : undefined;
      return port === undefined ? [] : [{ process: one.name, port }];
    }),
  };
  control.send(message);
  const allUp =
    temporal.isUp() &&
    Object.values(kept)
      .flat()
      .every((one) => one.isUp());
  if (!supervisor.announced && !allUp) return;
  writeEndpoints(supervisor);
  if (!supervisor.announced) announce(supervisor);
  supervisor.announced = true;
}

const endpointsFile = (config: Config) => join(config.dataDir, "endpoints.json");

function writeEndpoints({ config, kept, temporal, apiUrl }: Supervisor): void {
  const endpoints = {
    api: apiUrl,
    docs: `${apiUrl}/docs`,
    temporal: temporal.address,
    temporalUi: temporal.ui,
    pids: {
      supervisor: process.pid,
      control: kept.control[0]?.pid() ?? null,
      orchestrator: kept.orchestrator[0]?.pid() ?? null,
      workers: kept.worker.map((one) => one.pid() ?? null),
      temporal: kept.temporal[0]?.pid() ?? null,
    },
  };
  const file = endpointsFile(config);
  writeFileSync(`${file}.new`, `${JSON.stringify(endpoints, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}

function announce({ config, instance, temporal, apiUrl }: Supervisor): void {
  const password = instance.adminPasswordFile ? `password in ${instance.adminPasswordFile}` : "password as given";
  const lines = [
    "Artifact replication is ready.",
    `  API          ${apiUrl}`,
    `  API docs     ${apiUrl}/docs`,
    `  Temporal     ${temporal.ui ?? temporal.address}`,
    `  Login        ${config.adminUsername}, ${password}`,
    "Ctrl-C ends it.",
  ];
  process.stdout.write(`\n${lines.join("\n")}\n\n`);
}

/** Ends the children, those that hand in work before those that take it. */
async function drain({ kept, config, ledger, log }: Supervisor): Promise<void> {
  const begun = Date.now();
  log.info("Stopping; work in hand is finished or handed back");
  for (const [kind, byMs] of Object.entries(DRAINED_BY_MS)) {
    const gone = Promise.all(kept[kind as Kind].map((one) => one.end("SIGTERM")));
    await Promise.race([gone, sleep(Math.max(0, begun + byMs - Date.now()))]);
  }
  await Promise.all(
    Object.values(kept)
      .flat()
      .map((one) => one.end("SIGKILL")),
  );
  rmSync(endpointsFile(config), { force: true });
  ledger.clear();
  log.info({ ms: Date.now() - begun }, "Stopped");
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(1);
});
