import { type Context, Hono } from "hono";
import { takeBatch } from "../../db/runs/batch.ts";
import { grantCompareRead } from "../../db/runs/compare-reads.ts";
import { findBatch } from "../../db/runs/end-batch.ts";
import type { MustYield } from "../../db/runs/outcomes.ts";
import { snapshotOf } from "../../db/records/snapshots.ts";
import { takeAllReports } from "../../db/runs/take-reports.ts";
import { inTurn } from "../../db/turns.ts";
import type {
  BatchAnswer,
  ReportRequest,
  WorkerSettings,
} from "../../domain/worker-messages.ts";
import { IDENTITY_HEADER } from "../../activities/secrets/internal.ts";
import type { RegistryTokens } from "../../activities/secrets/registry-token.ts";
import type { Sealer } from "../../activities/secrets/seal.ts";
import type { ContentDeps } from "../content/damage.ts";
import type { Env } from "../deps.ts";
import { internalAuth, sharedOf } from "./auth.ts";
import { createBandwidth } from "./bandwidth.ts";
import { blobRoutes } from "./blobs.ts";
import { credentialRoutes, sealedTo } from "./credentials.ts";
import type { Heard } from "./heard.ts";
import type { Identities } from "./identities.ts";
import { type Listings, listingRoutes, type Pacing } from "./listings.ts";
import { versionRoutes } from "./versions.ts";
import type { Used, Workers } from "./workers.ts";
import { elapsed } from "../../domain/elapsed.ts";

type TakenBatch = Extract<BatchAnswer, { kind: "batch" }>;

type InternalDeps = ContentDeps & {
  identities: Identities;
  heard: Heard;
  /** Seals and opens what is in the database. */
  sealer: Sealer;
  registryTokens: Pick<RegistryTokens, "issue">;
  settings: () => WorkerSettings;
  retryWindow: number;
  workers: Pick<Workers, "seen" | "refused">;
  paces: Pacing;
  listings: Listings;
  mustYield: MustYield;
  /**
   * Called when slots may have become free: a batch was reported as done or had nothing left to
   * send, or a slow end has become quick again.
   */
  freed: () => void;
  /**
   * Stores the metrics that a worker on another machine has sent; returns false if they are too long
   * or too many workers send metrics.
   */
  tellMetrics: (worker: string, text: string) => boolean;
};

/**
 * Serves what workers request from the control plane and report to it
 * (docs/decisions.md#internal-api). Signed bodies are trusted, because only workers of this product
 * speak this API.
 */
export function internalRoutes(deps: InternalDeps): Hono<Env> {
  const { db, sealer, settings, retryWindow, now, workers, heard } = deps;
  const grant = createBandwidth(elapsed);
  return new Hono<Env>()
    .use("*", internalAuth(deps.identities, workers, heard))
    .get("/worker", (c) => c.json(settings()))
    .post("/worker", async (c) => {
      const { used, version } = await c.req.json<{ used: Used; version: string }>();
      workers.seen(c.req.header("x-internal-worker") ?? "", used);
      heard.note(c.req.header(IDENTITY_HEADER) ?? "", String(version));
      return c.json(settings());
    })
    .route("/blobs", blobRoutes(deps))
    .route("/versions", versionRoutes(db, now))
    .route("/", credentialRoutes(deps))
    .post("/batches/:recordId/:number", async (c) => {
      const { recordId, number } = c.req.param();
      const batch = await inTurn(
        () => takeBatch(db, recordId, Number(number), now(), deps.paces.isSlow),
        "answer",
        recordId,
      );
      if (batch.kind === "batch") return c.json(handedOver(c, sealer, batch));
      deps.freed();
      return c.json(batch);
    })
    .post("/reports", async (c) => {
      const request = await c.req.json<ReportRequest>();
      noteWaits(deps, request);
      const answer = await takeAllReports(db, request, retryWindow, now, deps.mustYield);
      if (request.done) deps.freed();
      return c.json(answer);
    })
    .route("/listings", listingRoutes(deps))
    .post("/metrics", async (c) => {
      const { worker, text } = await c.req.json<{ worker: string; text: string }>();
      return c.json({ taken: deps.tellMetrics(worker, text) });
    })
    .post("/compare-reads", async (c) => {
      const wanted = await c.req.json<{
        recordId: string;
        clusterId: string;
        bytes: number;
      }>();
      return c.json({ granted: grantCompareRead(db, wanted) });
    })
    .post("/grants", async (c) => {
      const { recordId, clusterId, bytes } = await c.req.json<{
        recordId: string;
        clusterId: string;
        bytes: number;
      }>();
      const rate = snapshotOf(db, recordId)?.setting.rateLimit ?? 0;
      return c.json(grant(`${recordId}/${clusterId}`, rate, bytes));
    });
}

/** Returns a batch as one worker gets it: its credentials are sealed to that worker. */
function handedOver(c: Context<Env>, root: Sealer, batch: TakenBatch): TakenBatch {
  const worker = sharedOf(c).sealer;
  return {
    ...batch,
    source: sealedTo(worker, root, batch.source),
    target: sealedTo(worker, root, batch.target),
  };
}

/** Notes how quickly the ends of a batch answer, as the worker's reports state. */
function noteWaits(
  { db, paces, freed }: InternalDeps,
  { recordId, number, waits }: ReportRequest,
): void {
  const ends = waits && findBatch(db, recordId, number);
  if (!ends) return;
  const told = [
    { end: ends.clusterId, wait: waits.target },
    { end: ends.source, wait: waits.source },
  ];
  for (const { end, wait } of told) {
    if (end === null || wait === null) continue;
    const wasSlow = paces.isSlow(end);
    paces.note(end, wait);
    if (wasSlow && !paces.isSlow(end)) freed();
  }
}
