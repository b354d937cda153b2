import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createListings } from "../../../activities/control/listings.ts";
import { createPaces } from "../../../activities/control/paces.ts";
import { createAddressGuard } from "../../../activities/registries/addresses.ts";
import { createRegistryTokens } from "../../../activities/secrets/registry-token.ts";
import { createSealer } from "../../../activities/secrets/seal.ts";
import { layout } from "../../../activities/store/layout.ts";
import { createStore } from "../../../activities/store/store.ts";
import { createApp } from "../../../api/app.ts";
import { createLinkedCheck } from "../../../api/repositories/check-linked.ts";
import type { ApiDeps } from "../../../api/deps.ts";
import { createHeard } from "../../../api/internal/heard.ts";
import { createIdentities } from "../../../api/internal/identities.ts";
import { internalRoutes } from "../../../api/internal/routes.ts";
import { createWorkers } from "../../../api/internal/workers.ts";
import { createHousekeeping } from "../../../api/upkeep/housekeeping.ts";
import { createWatch } from "../../../api/metrics/watch.ts";
import { openInlineBlobs } from "../../../db/content/inline-blobs.ts";
import { openDb } from "../../../db/open.ts";
import { elapsed } from "../../../domain/elapsed.ts";

export type Answer = {
  status: number;
  headers: Headers;
  code: number;
  message: string | null;
  data: unknown;
  traceId: string;
  text: string;
};
type Log = { level: string; facts: Record<string, unknown>; message: string };
type Call = { body?: unknown; headers?: Record<string, string>; login?: string | null };

/** The secret key of the instance. */
export const KEY = "0123456789abcdef0123456789abcdef";
/** The identity of the worker that these instances have started. */
export const WORKER = { id: "own-1", secret: KEY };
export const ADMIN = { username: "admin", password: "correct horse" };
export const basic = (login: string) => `Basic ${Buffer.from(login).toString("base64")}`;

const SETTINGS = {
  instanceId: "0123456789ab",
  temporal: { address: "", namespace: "" },
  searchAttributes: false,
  heartbeatInterval: 2_000,
};

/**
 * Creates the whole API over its own database; runs are recorded, but not carried out. `close` deletes
 * everything. `diskReserve`: bytes of the disk that uploads leave free.
 */
export function createTestApi(
  overrides: Partial<ApiDeps> = {},
  directory = mkdtempSync(join(tmpdir(), "api-test-")),
  { diskReserve = 0 } = {},
) {
  const db = openDb(join(directory, "replication.db"));
  const inline = openInlineBlobs(layout(directory).inlineFile);
  const store = createStore(layout(directory), inline, {
    reserveOf: () => diskReserve,
  });
  const logs: Log[] = [];
  const started: string[] = [];
  const write = (level: string) => (facts: object, message: string) =>
    void logs.push({ level, facts: { ...facts }, message });
  const paces = createPaces(Date.now);
  const logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
  const watched = {
    db,
    zone: "Asia/Shanghai",
    localClusterName: "center",
    now: overrides.now ?? Date.now,
    processes:
      overrides.processes ??
      (() => ({
        temporal: true,
        searchAttributes: true,
        orchestrator: true,
        workers: 1,
      })),
    away: overrides.away ?? (() => []),
    turnSince: () => null,
    hasTransferWorker: overrides.hasTransferWorker ?? (async () => false),
  };
  const heard = createHeard({ db, logger, now: Date.now });
  const deps: ApiDeps = {
    store,
    heard,
    ownWorkers: [WORKER],
    sealer: createSealer(KEY),
    registryTokens: createRegistryTokens(KEY),
    ...watched,
    publicUrl: null,
    temporalUi: () => "http://127.0.0.1:8233",
    admin: ADMIN,
    isTrustedProxy: () => false,
    maxJsonBody: 64 * 1024,
    maxUpload: null,
    executions: {
      start: async (key) => void started.push(`start ${key}`),
      stop: async (key) => started.push(`stop ${key}`) > 0,
      cancelAndWait: async (key) => void started.push(`cancel ${key}`),
      taskSaved: async (key) => void started.push(`saved ${key}`),
      taskDeleted: async (key) => void started.push(`deleted ${key}`),
    },
    internal: internalRoutes({
      db,
      store,
      logger,
      sealer: createSealer(KEY),
      registryTokens: createRegistryTokens(KEY),
      heard,
      identities: createIdentities(db, createSealer(KEY), [WORKER]),
      settings: () => SETTINGS,
      retryWindow: 0,
      now: Date.now,
      workers: createWorkers({ error: write("error") }),
      paces,
      listings: createListings(paces, () => 1, { ticks: elapsed, now: Date.now }),
      freed: () => undefined,
      mustYield: () => false,
      tellMetrics: () => true,
    }),
    checkCluster: async () => null,
    checkLinked: createLinkedCheck({}),
    checkHost: createAddressGuard([]).checkHost,
    watch: createWatch({ ...watched, dataDir: directory, store }),
    collections: createHousekeeping({
      db,
      store,
      now: overrides.now ?? Date.now,
      logger,
    }).collections,
    metricsToken: null,
    traced: null,
    logger,
    ...overrides,
  };
  const app = createApp(deps);

  async function call(
    method: string,
    path: string,
    { body, headers = {}, login = `${ADMIN.username}:${ADMIN.password}` }: Call = {},
  ): Promise<Answer> {
    const json =
      body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const init = {
      method,
      headers: {
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...(login === null ? {} : { authorization: basic(login) }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: json }),
    };
    const response = await app.fetch(new Request(`http://localhost${path}`, init), {});
    const text = await response.text();
    const envelope = (text.startsWith("{") ? JSON.parse(text) : {}) as Answer;
    return { ...envelope, status: response.status, headers: response.headers, text };
  }

  function close(): void {
    inline.close();
    db.$client.close();
    rmSync(directory, { recursive: true, force: true });
  }
  return { app, db, deps, directory, logs, started, call, close };
}

export type TestApi = ReturnType<typeof createTestApi>;
