import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readPair } from "./api/tls/pair.ts";
import { openInstance } from "./activities/secrets/instance.ts";
import { startControl, startOrchestrator, startWorker } from "./children.ts";
import { type Config, loadConfig } from "./config.ts";
import { lockDataDir } from "./db/lock.ts";
import { peekKey } from "./db/secrets/peek.ts";
import { StartError } from "./domain/start-error.ts";
import { showFailures } from "./lifecycle.ts";
import { createLog } from "./logs.ts";
import {
  changed,
  keep,
  type Kind,
  createSupervisor,
  type Supervisor,
} from "./supervisor.ts";
import { ensureSearchAttributes } from "./temporal/attributes.ts";
import { findBinary } from "./temporal/binary.ts";
import { isBundled } from "./temporal/bundle.ts";
import { clientConnection, watchTemporal } from "./temporal/connect.ts";
import type { AddressSource, TemporalSettings } from "./temporal/diagnosis.ts";
import { openDataFolder, openFolder } from "./temporal/folder.ts";
import { createNote } from "./temporal/note.ts";
import { choosePorts } from "./temporal/ports.ts";
import { endLeftovers, openLedger } from "./temporal/process.ts";
import { choosePlace, serverPorts, startServer } from "./temporal/server.ts";
import { risks, uselessVariables } from "./variables.ts";
import { ATTRIBUTES } from "./workflows/contract.ts";
import { elapsed } from "./domain/elapsed.ts";

/**
 * The supervisor: starts, watches and restarts the other processes, and does nothing else
 * (docs/decisions.md#processes).
 */

/**
 * By when (ms after the signal) each kind of process must have ended; all that still run at the last
 * deadline are killed.
 */
const DRAINED_BY_MS = {
  worker: 12_000,
  orchestrator: 20_000,
  control: 23_000,
  temporal: 25_000,
} as const satisfies Record<Kind, number>;

/** Variables that this process removes from its environment: only the children that need them get them. */
const SECRETS = [
  "ADMIN_PASSWORD",
  "SECRET_KEY",
  "NEW_SECRET_KEY",
  "METRICS_TOKEN",
  "WORKER_TOKEN",
  "OWN_WORKERS",
];

async function main(): Promise<void> {
  const config = loadConfig(process.env);
  const log = createLog("supervisor", config);
  for (const warning of uselessVariables(process.env, "supervisor")) log.warn(warning);
  if (process.platform !== "linux" && process.platform !== "darwin") {
    throw new StartError(`${process.platform} is not supported: use Linux or macOS`);
  }
  // Only the owner can read what this process and its children write, even in a DATA_DIR that somebody else created.
  process.umask(0o077);
  for (const name of SECRETS) delete process.env[name];
  openDataFolder(folderOf("DATA_DIR", config.dataDir));
  const lock = lockDataDir(config.dataDir);
  const stopping = new AbortController();
  const known = peekKey(join(config.dataDir, "replication.db"));
  const instance = openInstance(config.dataDir, config, known);
  for (const risk of risks(config, instance)) log.warn(risk);
  const supervisor = createSupervisor({
    config,
    log,
    instance,
    ledger: openLedger(ledgerFile(config), log),
    endpoints: createNote(join(config.dataDir, "endpoints.json"), log),
    stopping: stopping.signal,
    fail: (reason) => void stop(1, `${reason}\n`),
  });
  const stop = async (code: number, lastWords = "") => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    await drain(supervisor);
    lock.release();
    process.stderr.write(lastWords);
    process.exit(code);
  };
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"])
    process.on(name, () => void stop(0));
  try {
    await start(supervisor);
  } catch (error) {
    supervisor.fail(error instanceof Error ? error.message : String(error));
  }
}

async function start(supervisor: Supervisor): Promise<void> {
  const { config, log, endpoints, kept, stopping } = supervisor;
  endpoints.remove();
  const ended = await endLeftovers(ledgerFile(config), 10_000);
  if (ended.length > 0)
    log.info({ ended }, "Ended processes that an earlier start had left running");

  if (config.tls) await readPair(config.tls);
  const cacheProblem = await problemOfCache(config);
  const isEmbedded = config.temporalAddress === undefined;
  const api = { ip: config.host, ipVariable: "HOST" };
  await choosePorts([
    { ...api, port: config.port, variable: "PORT" },
    ...(isEmbedded ? serverPorts(config) : []),
  ]);
  await attachTemporal(supervisor, cacheProblem);
  stopping.throwIfAborted();
  const control = keep(supervisor, "control", () => startControl(supervisor));
  await Promise.all([control.firstUp, ...kept.temporal.map((one) => one.firstUp)]);
  stopping.throwIfAborted();
  keep(supervisor, "orchestrator", () => startOrchestrator(supervisor));
  supervisor.ownWorkers.forEach((identity, at) =>
    keep(
      supervisor,
      "worker",
      () => startWorker(supervisor, identity),
      `worker ${at + 1}`,
    ),
  );
  changed(supervisor);
}

const ledgerFile = ({ dataDir }: Config) => join(dataDir, "processes.json");

const folderOf = (variable: string, path: string) => ({
  variable,
  path,
  isDefault: !process.env[variable],
});

/**
 * Returns why nothing can be kept in CACHE_DIR; null: it can. Throws that reason when the bundle of the workflows
 * is not there yet: a complete cache may be read-only.
 */
async function problemOfCache(config: Config): Promise<StartError | null> {
  try {
    openFolder(folderOf("CACHE_DIR", config.cacheDir));
    return null;
  } catch (error) {
    const isTraced = config.otelExporterOtlpEndpoint !== undefined;
    if (!(error instanceof StartError) || !(await isBundled(config.cacheDir, isTraced)))
      throw error;
    return error;
  }
}

/**
 * Uses the server of TEMPORAL_ADDRESS, or starts an embedded one. Temporal counts as up while it answers.
 */
async function attachTemporal(
  supervisor: Supervisor,
  cacheProblem: StartError | null,
): Promise<void> {
  const { config, log, temporal, stopping } = supervisor;
  const namespace = config.temporalNamespace;
  const watch = (settings: TemporalSettings, source: AddressSource) => {
    const connection = clientConnection(settings);
    const onUp = async () => {
      temporal.searchAttributes = await ensureSearchAttributes(
        connection,
        namespace,
        Object.values(ATTRIBUTES),
        log,
      );
    };
    const watched = watchTemporal(connection, {
      asked: { settings, namespace, source },
      log,
      onUp,
      onChange: () => changed(supervisor),
    });
    stopping.addEventListener("abort", watched.stop, { once: true });
    return watched;
  };
  if (config.temporalAddress !== undefined) {
    const address = config.temporalAddress;
    const { isUp, problem } = watch({ ...config, temporalAddress: address }, "setting");
    Object.assign(temporal, { address, isUp, problem });
    return;
  }
  const binary = await findBinary({
    cliPath: config.temporalCliPath,
    cacheDir: config.cacheDir,
    cacheProblem,
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
  // Whether the embedded server answers now: a server that was up may hang later.
  let watched: ReturnType<typeof watch> | undefined;
  void server.firstUp.then(
    () => (watched = watch({ temporalAddress: place.address }, "embedded")),
    () => undefined,
  );
  Object.assign(temporal, {
    address: place.address,
    ui: place.ui,
    isUp: () => server.isUp() && watched?.isUp() === true,
    problem: () => watched?.problem() ?? null,
  });
}

/** Ends the children: those that produce work before those that receive it. */
async function drain({ kept, endpoints, ledger, log }: Supervisor): Promise<void> {
  const begun = elapsed();
  log.info("Stopping, for up to 30 s; current work is finished or returned");
  for (const [kind, byMs] of Object.entries(DRAINED_BY_MS)) {
    const gone = Promise.all(kept[kind as Kind].map((one) => one.end("SIGTERM")));
    await Promise.race([gone, sleep(Math.max(0, begun + byMs - elapsed()))]);
  }
  await Promise.all(
    Object.values(kept)
      .flat()
      .map((one) => one.end("SIGKILL")),
  );
  endpoints.remove();
  ledger.clear();
  log.info({ ms: elapsed() - begun }, "Stopped");
}

showFailures();
await main();
