import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { takeBatch } from "../../db/runs/batch.ts";
import { listingRequest, takeListingFailure, takePage } from "../../db/runs/plan-listed.ts";
import { takeReports } from "../../db/runs/outcomes.ts";
import { snapshotOf } from "../../db/runs/targets.ts";
import type { Db } from "../../db/open.ts";
import { nextTry } from "../../domain/retry.ts";
import type { ListedArtifact, ReportRequest, WorkerSettings } from "../../domain/worker-messages.ts";
import type { InternalSigner } from "../../activities/secrets/internal.ts";
import type { Store } from "../../activities/store/store.ts";
import { internalAuth } from "./auth.ts";
import { createBandwidth } from "./bandwidth.ts";
import { blobRoutes } from "./blobs.ts";
import { versionRoutes } from "./versions.ts";

export type InternalDeps = {
  db: Db;
  store: Pick<Store, "openToSend" | "readSmall">;
  signer: InternalSigner;
  settings: () => WorkerSettings;
  retryWindow: number;
  now: () => number;
  /** Takes what a worker elsewhere says of its numbers; false when it is too much. */
  tellMetrics: (worker: string, text: string) => boolean;
};

/** Read before the signature can be checked; the reports of a whole batch take about 2 MiB. */
const MOST_BODY = 16 * 1024 ** 2;

/** What workers ask of the control plane and tell it (design.md §4). Only our own workers speak it: bodies are trusted once signed. */
export function internalRoutes({ db, store, signer, settings, retryWindow, now, tellMetrics }: InternalDeps): Hono {
  const lease = createBandwidth(now);
  return new Hono()
    .use("*", bodyLimit({ maxSize: MOST_BODY, onError: (c) => c.text(`the body is larger than ${MOST_BODY} bytes`, 413) }))
    .use("*", internalAuth(signer))
    .get("/worker", (c) => c.json(settings()))
    .route("/blobs", blobRoutes(store))
    .route("/versions", versionRoutes(db, now))
    .post("/batches/:recordId/:number", (c) => {
      const { recordId, number } = c.req.param();
      return c.json(takeBatch(db, recordId, Number(number), now()));
    })
    .post("/reports", async (c) => c.json(takeReports(db, await c.req.json<ReportRequest>(), retryWindow, now())))
    .post("/listings/:recordId/:object", (c) => {
      const { recordId, object } = c.req.param();
      return c.json(listingRequest(db, recordId, Number(object)));
    })
    .post("/listings/:recordId/:object/pages/:page", async (c) => {
      const { recordId, object, page } = c.req.param();
      const body = await c.req.json<{ artifacts: ListedArtifact[]; next: string | null }>();
      takePage(db, recordId, Number(object), Number(page), body.artifacts, body.next);
      return c.json({ taken: true });
    })
    .post("/listings/:recordId/:object/failure", async (c) => {
      const { recordId, object } = c.req.param();
      const failure = await c.req.json<{ reason: string; retryable: boolean; notBefore: number | null }>();
      const retry = (first: number, tries: number, notBefore: number | null) => nextTry(now(), retryWindow, first, tries, notBefore);
      return c.json({ retryAt: takeListingFailure(db, recordId, Number(object), failure, retry, now()) });
    })
    .post("/metrics", async (c) => {
      const { worker, text } = await c.req.json<{ worker: string; text: string }>();
      return c.json({ taken: tellMetrics(worker, text) });
    })
    .post("/leases", async (c) => {
      const { recordId, clusterId, bytes } = await c.req.json<{ recordId: string; clusterId: string; bytes: number }>();
      const rate = snapshotOf(db, recordId)?.setting.rateLimit ?? 0;
      return c.json(lease(`${recordId}/${clusterId}`, rate, bytes));
    });
}
