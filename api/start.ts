import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { Client } from "@temporalio/client";
import { createDrainActivities } from "../activities/control/drains.ts";
import { createListings } from "../activities/control/listings.ts";
import { createPaces } from "../activities/control/paces.ts";
import { createRunActivities } from "../activities/control/runs.ts";
import { createTurns } from "../activities/control/turns.ts";
import { createAddressGuard } from "../activities/registries/addresses.ts";
import { createRegistryTokens } from "../activities/secrets/registry-token.ts";
import { createSealer } from "../activities/secrets/seal.ts";
import { layout } from "../activities/store/layout.ts";
import { createStore } from "../activities/store/store.ts";
import { loadConfig } from "../config.ts";
import { showFailures, superviseChild } from "../lifecycle.ts";
import { createLog } from "../logs.ts";
import { startCheckpoints } from "../db/checkpoints.ts";
import { countUnfinished, forgetUnderWay } from "../db/tasks/cluster-checks.ts";
import { openInlineBlobs } from "../db/content/inline-blobs.ts";
import { openDb } from "../db/open.ts";
import { reserveOf } from "../domain/disk.ts";
import { weaknessOf } from "../domain/password.ts";
import { TRACED_AS } from "../domain/trace.ts";
import { partsAway } from "../domain/waiting.ts";
import { keepActivityWorkers } from "../temporal/activity-worker.ts";
import { clientConnection } from "../temporal/connect.ts";
import { hasWorker } from "../temporal/pollers.ts";
import { openTracing } from "../temporal/tracing.ts";
import { installRuntime } from "../temporal/worker.ts";
import { laneQueue, queues } from "../workflows/contract.ts";
import { createApp } from "./app.ts";
import { createLinkedCheck } from "./repositories/check-linked.ts";
import { createClusterCheck } from "./clusters/check-cluster.ts";
import { checkClusters } from "./clusters/health.ts";
import type { Processes } from "./deps.ts";
import { createDoorbell } from "./runs/doorbell.ts";
import { createExecutions, type ExecutionDeps } from "./runs/executions.ts";
import { createHeard } from "./internal/heard.ts";
import { createIdentities } from "./internal/identities.ts";
import { openKey } from "./keys/open-key.ts";
import { createHousekeeping } from "./upkeep/housekeeping.ts";
import { internalRoutes } from "./internal/routes.ts";
import { createWorkers } from "./internal/workers.ts";
import { createOthers, type MetricsPort } from "./metrics/others.ts";
import { createSignals } from "./metrics/signals.ts";
import { createWatch } from "./metrics/watch.ts";
import { createReconciler } from "./runs/reconcile.ts";
import { createTrust } from "./http/client.ts";
import { listen } from "./http/listen.ts";
import { spareWrite } from "./http/spare-write.ts";
import { repeat } from "./runs/repeat.ts";
import { paceOf } from "./runs/pace.ts";
import { createStopWatch } from "./runs/stop-watch.ts";
import { createWaitNotes } from "./runs/wait-notes.ts";
import { createSchedules, type ScheduleDeps } from "./runs/schedules.ts";
import { openTls } from "./tls/open.ts";
import { createScrub } from "./upkeep/scrub.ts";
import { startUpkeep } from "./upkeep/upkeep.ts";
import { createWake } from "./runs/wake.ts";
import { elapsed } from "../domain/elapsed.ts";

/**
 * Slots of the control activities. These are short or take turns (db/turns.ts), so none waits for a
 * slot until a long plan has ended.
 */
const CONTROL_SLOTS = 200;
const CLUSTER_CHECK_MS = 60_000;
/** Period (ms) at which waiting target runs get their turn to cut, if no event has given them one. */
const TURNS_MS = 5_000;
/** Period (ms) at which the log learns of runs that begin or cease to wait. */
const WAITS_MS = 2_000;
/**
 * Heartbeat interval (ms) if HEARTBEAT_INTERVAL is not set. The supervisor sets that variable,
 * because it knows whether Temporal is embedded or one that may charge for heartbeats.
 */
const HEARTBEAT_MS = 10_000;

showFailures();
const config = loadConfig(process.env, [
  "secretKey",
  "adminPassword",
  "temporalAddress",
  "instanceId",
]);
const logger = createLog("control", config);
const tls = config.tls && (await openTls(config.tls, { now: Date.now, logger }));
mkdirSync(config.dataDir, { recursive: true });
const db = openDb(join(config.dataDir, "replication.db"), (folder) =>
  logger.info({ folder }, "the databases are copied before their upgrade"),
);
const content = layout(config.dataDir);
const inline = openInlineBlobs(content.inlineFile);
const checkpoints = startCheckpoints([db.$client.name, content.inlineFile], (reason) =>
  logger.warn({ reason }, "the write-ahead logs could not be copied into the databases"),
);
const store = createStore(content, inline, {
  reserveOf: (size) => reserveOf(config.diskReserve ?? null, size),
});
await store.sweep(Date.now());

const isTrustedProxy = createTrust(config.trustedProxies);
const heartbeatInterval = config.heartbeatInterval ?? HEARTBEAT_MS;
const metricsPort = await installRuntime(logger);
const tracing = await openTracing("control", config, logger);
let ports: MetricsPort[] = [];
let temporalUi: string | null | undefined;
let processes: Processes = {
  temporal: false,
  temporalProblem: null,
  searchAttributes: false,
  orchestrator: false,
  workers: 0,
};

const inTemporal: ScheduleDeps = {
  db,
  client: new Client({
    connection: clientConnection(config),
    namespace: config.temporalNamespace,
    ...(tracing && { interceptors: tracing.clientInterceptors }),
  }),
  queues: queues(config.instanceId),
  searchAttributes: () => processes.searchAttributes,
  temporalUp: () => processes.temporal,
  localCluster: config.localClusterName,
  zone: config.timeZone,
  catchUpWindow: config.catchUpWindow,
  now: Date.now,
  logger,
};
const schedules = createSchedules(inTemporal);
const doorbell = createDoorbell(inTemporal);
const execution: ExecutionDeps = { ...inTemporal, schedules, doorbell };
const executions = createExecutions(execution);

const others = createOthers({
  ports: () => [{ process: "control", port: metricsPort }, ...ports],
  now: elapsed,
});
const signals = createSignals(Date.now);
const workers = createWorkers(logger, signals);
const workerCount = () => Math.max(processes.workers, workers.count());
const paces = createPaces(Date.now);
const turns = createTurns({
  db,
  paces,
  workers: workerCount,
  wake: createWake(inTemporal.client, logger),
  now: Date.now,
});
const sealer = createSealer(config.secretKey);
openKey(db, config.secretKey, logger);
const registryTokens = createRegistryTokens(config.secretKey);
const ownWorkers = config.ownWorkers ?? [];
const heard = createHeard({ db, logger, now: Date.now });
const internal = internalRoutes({
  db,
  sealer,
  registryTokens,
  heard,
  identities: createIdentities(db, sealer, ownWorkers),
  store,
  logger,
  workers,
  paces,
  listings: createListings(paces, workerCount, { ticks: elapsed, now: Date.now }),
  mustYield: ({ lane, ...batch }) =>
    lane === "QUICK"
      ? batch.ends.some(paces.isSlow)
      : lane === "SHARED" && turns.isExcess(batch),
  freed: turns.freed,
  retryWindow: config.retryWindow,
  now: Date.now,
  tellMetrics: others.tell,
  settings: () => ({
    instanceId: config.instanceId,
    temporal: { address: config.temporalAddress, namespace: config.temporalNamespace },
    searchAttributes: processes.searchAttributes,
    heartbeatInterval,
  }),
});

const proxy = config.httpsProxy
  ? { url: config.httpsProxy, noProxy: config.noProxy ?? "" }
  : null;
const network = {
  allowedAddresses: config.allowedAddresses,
  budgets: config.budgets,
  proxy,
};
const checkCluster = createClusterCheck(network);
const hasTransferWorker = () =>
  hasWorker(
    inTemporal.client,
    laneQueue(execution.queues.transfer, "SHARED"),
    Date.now(),
  );
const watch = createWatch({
  db,
  dataDir: config.dataDir,
  store,
  zone: config.timeZone,
  localClusterName: config.localClusterName,
  now: Date.now,
  processes: () => processes,
  hasTransferWorker,
  signals,
  others,
  sources: {
    slow: () => [...paces.slow().keys()],
    unbegun: () => reconciler.unbegun(),
    workers: workers.list,
    certificate: () => tls?.look() ?? null,
    passwordWeakness: () => weaknessOf(config.adminPassword, config.adminUsername),
  },
});

const contents = { db, store, now: Date.now, logger };
const housekeeping = createHousekeeping(contents);
const app = createApp({
  db,
  store,
  sealer,
  registryTokens,
  heard,
  ownWorkers,
  now: Date.now,
  zone: config.timeZone,
  localClusterName: config.localClusterName,
  publicUrl: config.publicUrl ?? null,
  admin: { username: config.adminUsername, password: config.adminPassword },
  isTrustedProxy,
  maxJsonBody: config.maxJsonBody,
  maxUpload: config.maxUpload ?? null,
  processes: () => processes,
  away: () => partsAway(processes, workerCount()),
  turnSince: turns.waitingSince,
  temporalUi: () => temporalUi,
  hasTransferWorker,
  executions,
  internal,
  checkCluster,
  checkLinked: createLinkedCheck(network),
  checkHost: createAddressGuard(config.allowedAddresses).checkHost,
  watch,
  collections: housekeeping.collections,
  metricsToken: config.metricsToken ?? null,
  traced:
    tracing &&
    (await import("@hono/otel")).httpInstrumentationMiddleware({
      serviceName: TRACED_AS,
    }),
  logger: {
    debug: (facts, message) => logger.debug(facts, message),
    info: (facts, message) => logger.info(facts, message),
    warn: (facts, message) => logger.warn(facts, message),
    error: (facts, message) => logger.error(facts, message),
  },
});

/** Idle connections are kept longer than proxies keep theirs (usually 60 s). */
const serverOptions = { keepAliveTimeout: 75_000 };
const server = listen(
  app.fetch,
  {
    hostname: config.host,
    port: config.port,
    serverOptions,
    isTrusted: isTrustedProxy,
    tls: tls && tls.front,
  },
  (address) => child.ready({ url: urlOf(address) }),
);

const activities = {
  ...createRunActivities({
    ...execution,
    turns,
    died: signals.batchDied,
    zone: config.timeZone,
    window: config.catchUpWindow,
    closed: schedules.runClosed,
  }),
  ...createDrainActivities({ ...execution, turns, asked: doorbell.asked }),
};
const worker = keepActivityWorkers({
  asked: { settings: config, namespace: config.temporalNamespace, source: "setting" },
  queues: [{ taskQueue: execution.queues.control, activities, slots: CONTROL_SLOTS }],
  heartbeatInterval,
  tracing,
  log: logger,
});
const pace = paceOf(config.reconcileInterval);
const watching = {
  ...execution,
  zone: config.timeZone,
  pace,
  closed: schedules.runClosed,
};
const reconciler = createReconciler(watching);
const reconciling = repeat(
  pace.interval,
  "bringing runs in line",
  logger,
  reconciler.look,
);
const stops = repeat(
  pace.beat,
  "looking after runs that are to end",
  logger,
  createStopWatch(watching),
);
const checkAll = () =>
  checkClusters({
    db,
    sealer,
    checkCluster,
    paces,
    checked: watch.checked,
    now: Date.now,
    logger,
  });
spareWrite({ logger }, "what was left of tests of clusters", () => countUnfinished(db));
const clusterWatch = repeat(CLUSTER_CHECK_MS, "checking the clusters", logger, checkAll);
const waitNotes = repeat(
  WAITS_MS,
  "noting what runs wait for",
  logger,
  createWaitNotes({ db, now: Date.now, zone: config.timeZone, logger }),
);
const turnWatch = repeat(TURNS_MS, "giving turns", logger, async () => turns.freed());
const upkeep = startUpkeep({
  db,
  executions,
  schedules,
  zone: config.timeZone,
  now: Date.now,
  logger,
});
const stopWatch = watch.start();
const stopTls = tls?.start();
const stopHousekeeping = housekeeping.start();
const stopScrub = createScrub({ ...contents, days: config.scrubDays }).start();

const child = superviseChild({
  stop: async () => {
    for (const { stop } of [
      doorbell,
      reconciling,
      stops,
      clusterWatch,
      turnWatch,
      waitNotes,
      upkeep,
    ])
      stop();
    stopWatch();
    stopTls?.();
    await Promise.all([stopHousekeeping(), stopScrub()]);
    spareWrite({ logger }, "the end of tests of clusters", () => forgetUnderWay(db));
    await worker.stop();
    await tracing?.end();
    // From now on each connection is closed right after its last answer.
    server.keepAliveTimeout = 1;
    await new Promise((resolve) => server.close(resolve));
    await checkpoints.stop();
    inline.close();
    db.$client.close();
  },
  onProcesses: (message) => {
    const isBack = message.temporal && !processes.temporal;
    processes = message;
    ports = message.metrics;
    temporalUi = message.temporalUi;
    if (!isBack) return;
    upkeep.temporalIsBack();
    doorbell.temporalIsBack();
  },
});

function urlOf({ address, family, port }: AddressInfo): string {
  return `${tls ? "https" : "http"}://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
