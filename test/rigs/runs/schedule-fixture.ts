import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "@temporalio/client";
import { NativeConnection, Worker } from "@temporalio/worker";
import { asc, eq } from "drizzle-orm";
import { pino } from "pino";
import { createRunActivities } from "../../../activities/control/runs.ts";
import { createDoorbell } from "../../../api/runs/doorbell.ts";
import { createExecutions } from "../../../api/runs/executions.ts";
import { createSchedules } from "../../../api/runs/schedules.ts";
import { loadConfig } from "../../../config.ts";
import { openDb } from "../../../db/open.ts";
import { record } from "../../../db/schema/records.ts";
import { task } from "../../../db/schema/tasks.ts";
import { ensureSearchAttributes } from "../../../temporal/attributes.ts";
import { findBinary } from "../../../temporal/binary.ts";
import { bundleWorkflows } from "../../../temporal/bundle.ts";
import { clientConnection } from "../../../temporal/connect.ts";
import { installRuntime } from "../../../temporal/worker.ts";
import { choosePlace, startServer } from "../../../temporal/server.ts";
import { ATTRIBUTES, queues, scheduleId } from "../../../workflows/contract.ts";
import { createTestApi } from "../api/api-fixture.ts";
import { addCluster, addRepository } from "../db/rows.ts";
import { createPaces } from "../../../activities/control/paces.ts";
import { createTurns } from "../../../activities/control/turns.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const log = pino({ level: "silent" });
// Gives the SDK a silent logger: otherwise it prints a line for every call on a lost connection.
await installRuntime(log);

type Plan = { cron: string } | { at: string } | "immediately";
type Draft = {
  enabled?: boolean;
  timeZone?: string;
  blocked?: boolean;
  recordReserveDays?: number;
};
type Options = {
  address: string;
  zone?: string;
  catchUpWindow?: number;
  dataDir?: string;
};
type TaskRow = typeof task.$inferSelect;
type RecordRow = typeof record.$inferSelect;

function setting(plan: Plan, timeZone?: string): object {
  if (plan === "immediately") return { executionStrategy: "IMMEDIATELY" };
  return "cron" in plan
    ? {
        executionStrategy: "CRON_EXPRESSION",
        executionPlan: { cronExpression: plan.cron, executeImmediately: false, timeZone },
      }
    : {
        executionStrategy: "SPECIFIED_TIME",
        executionPlan: { executeTime: plan.at, executeImmediately: false, timeZone },
      };
}

/**
 * Starts the control plane without its socket, and the orchestrator. Without a transfer worker, a run of a linked
 * repository goes on until it is stopped.
 */
export async function startControl({
  address,
  zone = "UTC",
  catchUpWindow = 3_600_000,
  dataDir = mkdtempSync(join(tmpdir(), "schedules-")),
}: Options) {
  const db = openDb(join(dataDir, "replication.db"));
  const ours = queues(randomBytes(6).toString("hex"));
  const connection = clientConnection({ temporalAddress: address });
  const client = new Client({ connection });
  const up = { temporal: true };
  const api = createTestApi({ db, zone });
  const { logger } = api.deps;
  const deps = {
    db,
    client,
    queues: ours,
    searchAttributes: () => true,
    temporalUp: () => up.temporal,
    localCluster: "center",
    zone,
    catchUpWindow,
    now: Date.now,
    logger,
  };
  const schedules = createSchedules(deps);
  const doorbell = createDoorbell(deps);
  const executions = createExecutions({
    ...deps,
    schedules,
    doorbell: { taskSaved: async () => {}, taskDeleted: async () => {} },
  });
  // The API holds its dependencies by reference, so that they can be replaced here.
  Object.assign(api.deps.executions, executions);
  addRepository(db, "shop", "files", "GENERIC");
  addRepository(db, "shop", "images", "OCI", "REMOTE");
  const clusters = {
    instance: addCluster(db, "target"),
    registry: addCluster(db, "registry", "REMOTE"),
  };

  async function call(method: string, url: string, body?: unknown): Promise<unknown> {
    const answer = await api.call(method, `/replication/api/task/${url}`, { body });
    if (answer.status !== 200)
      throw new Error(`${method} ${url}: ${answer.status} ${answer.text}`);
    return answer.data;
  }
  const body = (blocked: boolean) => ({
    localProjectId: "shop",
    replicaObjectType: "REPOSITORY",
    replicaType: "SCHEDULED",
    replicaTaskObjects: [
      blocked
        ? { localRepoName: "images", repoType: "OCI" }
        : { localRepoName: "files", repoType: "GENERIC" },
    ],
    remoteClusterIds: [blocked ? clusters.registry : clusters.instance],
  });
  const row = (key: string): TaskRow => {
    const found = db.select().from(task).where(eq(task.key, key)).get();
    if (!found) throw new Error(`task ${key} does not exist`);
    return found;
  };

  return {
    api,
    db,
    client,
    queues: ours,
    schedules,
    executions,
    zone,
    up,
    dataDir,
    row,
    /** Creates a task through the API and returns its key; `blocked`: its runs go on until they are stopped. */
    async create(
      plan: Plan,
      { enabled = true, timeZone, blocked = false, ...more }: Draft = {},
    ): Promise<string> {
      const made = await call("POST", "create", {
        ...body(blocked),
        ...more,
        name: `task-${randomBytes(4).toString("hex")}`,
        setting: setting(plan, timeZone),
        enabled,
      });
      return (made as { key: string }).key;
    },
    update: (key: string, plan: Plan, more: object = {}) =>
      call("POST", "update", {
        ...body(false),
        key,
        name: row(key).name,
        setting: setting(plan),
        ...more,
      }),
    toggle: (key: string) => call("POST", `toggle/status/${key}`),
    execute: (key: string) => call("POST", `execute/${key}`),
    stop: (key: string) => call("POST", `stop/${key}`),
    remove: (key: string) => call("DELETE", `delete/${key}`),
    info: async (key: string) =>
      (await call("GET", `info/${key}`)) as {
        nextExecutionTime: string | null;
        status: string;
        skippedTimes: number;
      },
    /** Returns all records of a task, the oldest first. */
    records: (key: string): RecordRow[] =>
      db
        .select()
        .from(record)
        .where(eq(record.taskKey, key))
        .orderBy(asc(record.startTime))
        .all(),
    schedule: (key: string) => client.schedule.getHandle(scheduleId(key)),
    /** Starts the workers that carry out runs; without them runs wait in Temporal. */
    startRuns: () =>
      startWorkers(address, ours, {
        db,
        localCluster: "center",
        zone,
        window: catchUpWindow,
        now: Date.now,
        closed: schedules.runClosed,
        turns: openTurns(db),
        died: () => {},
      }),
    async close(): Promise<void> {
      for (const { key } of db.select({ key: task.key }).from(task).all())
        await schedules.remove(key);
      doorbell.stop();
      api.close();
      await connection.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export type Control = Awaited<ReturnType<typeof startControl>>;

async function startWorkers(
  address: string,
  { control, orchestrate }: ReturnType<typeof queues>,
  deps: Parameters<typeof createRunActivities>[0],
): Promise<() => Promise<void>> {
  const { cacheDir } = loadConfig(process.env);
  const codePath = await bundleWorkflows({
    entry: path("../../../workflows/index.ts"),
    sources: [path("../../../workflows"), path("../../../domain")],
    cacheDir,
    log,
  });
  const connection = await NativeConnection.connect({ address });
  const common = {
    connection,
    shutdownGraceTime: "1s",
    shutdownForceTime: "3s",
  } as const;
  const workers = [
    await Worker.create({
      ...common,
      taskQueue: control,
      activities: createRunActivities(deps),
    }),
    await Worker.create({
      ...common,
      taskQueue: orchestrate,
      workflowBundle: { codePath },
      enableNonLocalActivities: false,
    }),
  ];
  const running = Promise.all(workers.map((worker) => worker.run()));
  return async () => {
    for (const worker of workers) worker.shutdown();
    await running;
    await connection.close();
  };
}

/** Repeats `look` until it returns something other than false, null or undefined. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = 120_000,
): Promise<NonNullable<Exclude<T, false>>> {
  for (const end = Date.now() + withinMs; ; await sleep(50)) {
    const seen = await look();
    if (seen !== false && seen !== null && seen !== undefined)
      return seen as NonNullable<Exclude<T, false>>;
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs} ms`);
  }
}

/** Waits until `count` runs of a task have ended. */
export const finished = ({ records }: Control, key: string, count = 1) =>
  until(
    `${count} records`,
    () => records(key).filter(({ status }) => status !== "RUNNING").length >= count,
  );

/** Resolves with whether a task has no schedule. */
export const isGone = ({ schedule }: Control, key: string): Promise<boolean> =>
  schedule(key)
    .describe()
    .then(
      () => false,
      () => true,
    );

/** Starts a Temporal server that can be ended, and started again with its stored data or without. */
export async function startTemporal() {
  const { cacheDir, temporalCliPath, httpsProxy, httpProxy, noProxy } = loadConfig(
    process.env,
  );
  const binary = await findBinary({
    cliPath: temporalCliPath,
    cacheDir,
    proxy: { httpsProxy, httpProxy, noProxy },
    log,
  });
  const place = await choosePlace(
    { temporalBind: "127.0.0.1", temporalPort: 0, temporalUiPort: 0 },
    log,
  );
  const dataDir = mkdtempSync(join(tmpdir(), "temporal-"));
  const stopping = AbortSignal.abort();
  let child: ChildProcess | null = null;
  async function start(): Promise<void> {
    if (child?.exitCode === null && child.signalCode === null) return;
    const started = startServer({
      binary,
      place,
      dataDir,
      namespace: "default",
      retention: 86_400_000,
      log,
      stopping,
    });
    child = started.child;
    await started.ready;
    const connection = clientConnection({ temporalAddress: place.address });
    await ensureSearchAttributes(connection, "default", Object.values(ATTRIBUTES), log);
    await connection.close();
  }
  async function end(): Promise<void> {
    const ended = child && once(child, "exit");
    child?.kill("SIGKILL");
    await ended;
    child = null;
  }
  await start();
  return {
    address: place.address,
    /** Starts the server again; does nothing while it runs. */
    start,
    end,
    /** Deletes all stored data; call it only while the server is ended. */
    forget: () => {
      rmSync(dataDir, { recursive: true });
      mkdirSync(dataDir);
    },
    /** Makes the server stop answering, without ending it, until `thaw`. */
    freeze: () => child?.kill("SIGSTOP"),
    thaw: () => child?.kill("SIGCONT"),
    async remove(): Promise<void> {
      await end();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

const openTurns = (db: Parameters<typeof createTurns>[0]["db"]) =>
  createTurns({
    db,
    paces: createPaces(Date.now),
    workers: () => 1,
    wake: () => {},
    now: Date.now,
  });
