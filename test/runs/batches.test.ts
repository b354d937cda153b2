import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve, type ServerType } from "@hono/node-server";
import { eq } from "drizzle-orm";
import { type Context, Hono } from "hono";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createControlPlane } from "../../activities/control-plane.ts";
import {
  createInternalSigner,
  digestHeaders,
  type InternalSigner,
} from "../../activities/secrets/internal.ts";
import { createRegistryTokens } from "../../activities/secrets/registry-token.ts";
import { createSealer } from "../../activities/secrets/seal.ts";
import { runBatch } from "../../activities/transfer/batch.ts";
import type { Route } from "../../activities/transfer/work.ts";
import { createPool } from "../../activities/transfer/pool.ts";
import type { Env } from "../../api/deps.ts";
import { holdBodies } from "../../api/http/body-budget.ts";
import { knowClient } from "../../api/http/client.ts";
import { internalRoutes } from "../../api/internal/routes.ts";
import { openDb, type Db } from "../../db/open.ts";
import { deleteRepositoryRow, findRepository } from "../../db/content/repositories.ts";
import { closeRecord } from "../../db/runs/close.ts";
import { cutBatches } from "../../db/runs/cut.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { detail } from "../../db/schema/records.ts";
import { cluster } from "../../db/schema/tasks.ts";
import { node } from "../../db/schema/content.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import { createContent } from "../rigs/api/content-fixture.ts";
import { identitiesOf } from "../rigs/api/identities.ts";
import { FILES } from "../rigs/db/drain-fixture.ts";
import { addFiles, openRun } from "../rigs/db/planned-run.ts";
import { createListings } from "../../activities/control/listings.ts";
import { createPaces } from "../../activities/control/paces.ts";
import { createWorkers } from "../../api/internal/workers.ts";

const KEY = "0123456789abcdef0123456789abcdef";
const WORKER = { id: "own-1", secret: KEY };
const NOW = Date.parse("2030-01-01T00:00:00Z");

let directory: string;
let db: Db;
let content: ReturnType<typeof createContent>;
let server: ServerType;
let plane: ReturnType<typeof createControlPlane>;
let refuseReports: boolean;
let recordId: string;
let clusterId: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "batches-test-"));
  db = openDb(join(directory, "replication.db"));
  content = createContent();
  refuseReports = false;
  const settings = () => ({
    instanceId: "0123456789ab",
    temporal: { address: "", namespace: "" },
    searchAttributes: false,
    heartbeatInterval: 2_000,
  });
  const paces = createPaces(() => NOW);
  const signer = createInternalSigner(WORKER);
  const app = new Hono<Env>()
    .use(knowClient(() => false, null))
    .use(holdBodies())
    .use("/internal/v1/reports", (c, next) =>
      refuseReports ? Promise.resolve(signedRefusal(signer, c)) : next(),
    )
    .route(
      "/internal/v1",
      internalRoutes({
        ...content,
        db,
        sealer: createSealer(KEY),
        registryTokens: createRegistryTokens(KEY),
        heard: { note: () => undefined, last: () => null },
        identities: identitiesOf(WORKER),
        settings,
        retryWindow: 0,
        now: () => NOW,
        workers: createWorkers({ error: () => {} }),
        paces,
        listings: createListings(paces, () => 1, { ticks: () => 0, now: () => NOW }),
        freed: () => {},
        mustYield: () => false,
        tellMetrics: () => true,
      }),
    );
  server = await new Promise((resolve) => {
    const started = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, () =>
      resolve(started),
    );
  });
  plane = createControlPlane({
    apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    identity: WORKER,
    name: "test",
  });

  addRepository(db, "p", "files", "GENERIC");
  addFiles(db, ["/a", "/b"], NOW);
  clusterId = addCluster(db, "target");
  db.update(cluster)
    .set({
      secret: createSealer(KEY.replace("0", "1")).seal("{}", `cluster:${clusterId}`),
    })
    .run();
  recordId = openRun(db, FILES, [clusterId], NOW);
  while (!planHostedPage(db, recordId, 0, { ...FILES, projectId: "p" }, NOW));
  cutBatches(db, { recordId, object: 0, clusterId, cut: 1, most: 1 }, NOW);
});

afterEach(async () => {
  await plane.close();
  if ("closeAllConnections" in server) server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  content.close();
  db.$client.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Runs the run's one batch as a worker does. */
function work() {
  const none = () => Promise.reject(new Error("no content must be read in this test"));
  const source = {
    open: none,
    readSmall: none,
    suspect: async () => {},
    close: async () => {},
  };
  const deps = {
    controlPlane: plane,
    sealer: createSealer(WORKER.secret),
    content: source,
    apiUrl: "http://127.0.0.1:9",
    apiBeside: true,
    network: {},
    concurrency: 4,
    routes: createPool<Route>((route) => route.close()),
    batchSlice: 20_000,
  };
  return runBatch(deps, {
    recordId,
    number: 1,
    signal: new AbortController().signal,
    heartbeat: () => {},
  });
}

const details = () =>
  db
    .select({
      name: detail.artifactName,
      status: detail.status,
      reason: detail.errorReason,
    })
    .from(detail)
    .where(eq(detail.recordId, recordId))
    .all();

test("credentials that were sealed with another key fail each artifact with that reason", async () => {
  expect(await work()).toEqual({ total: 2, again: 0, failed: 2 });
  const reason =
    "the stored credentials of https://target.example cannot be opened, or were sealed for another address: " +
    "enter them again";
  expect(details()).toEqual(
    ["/a", "/b"].map((name) => ({ name, status: "FAILED", reason })),
  );
});

test("a batch whose outcomes the control plane refuses ends with an error, without reporting them again", async () => {
  refuseReports = true;
  await expect(work()).rejects.toThrow("answered 400");
});

test("a run whose repository is deleted meanwhile fails with that reason", async () => {
  db.delete(node).run();
  deleteRepositoryRow(db, findRepository(db, "p", "files")?.id ?? 0);
  expect(await work()).toEqual({ total: 0, again: 0, failed: 0 });
  const closed = await closeRecord(db, recordId, null, () => NOW);
  expect(closed).toMatchObject({
    status: "FAILED",
    errorReason: "repository p/files was deleted while the run went on",
  });
});

/** Answers a request as a control plane of another release may: in its name, but with 400. */
function signedRefusal(signer: InternalSigner, c: Context): Response {
  const [status, said] = [400, "not understood"] as const;
  const digest = digestHeaders(said);
  const { pathname: path } = new URL(c.req.url);
  const request = {
    method: c.req.method,
    path,
    header: (name: string) => c.req.header(name) ?? "",
  };
  const answer = { status, header: (name: string) => digest[name] ?? "" };
  return c.text(said, status, { ...digest, ...signer.answerHeaders(request, answer) });
}
