import { setTimeout as sleep } from "node:timers/promises";
import { toTransferError } from "../../domain/failure.ts";
import type { ArtifactOutcome, CopyHooks, CopyRules, Slice } from "../../domain/outcome.ts";
import type { BatchAnswer, BatchArtifact } from "../../domain/worker-messages.ts";
import type { ControlPlane } from "../control-plane.ts";
import type { HttpOptions } from "../registries/http.ts";
import type { RegistryTokens } from "../secrets/registry-token.ts";
import type { Sealer } from "../secrets/seal.ts";
import type { ContentSource } from "../store/content-source.ts";
import type { Route } from "./routes.ts";
import type { Pool } from "./pool.ts";

/** How often a worker asks a control plane that is away. */
const AWAY_MS = 1_000;

export type Batch = Extract<BatchAnswer, { kind: "batch" }>;

export type BatchDeps = {
  controlPlane: ControlPlane;
  sealer: Sealer;
  content: ContentSource;
  /** This instance's own registry of hosted images. */
  images: { apiUrl: string; tokens: Pick<RegistryTokens, "issue"> };
  network: Pick<HttpOptions, "allowedAddresses" | "proxy">;
  /** Artifacts of a batch that are handled at once. */
  concurrency: number;
  routes: Pool<Route>;
  /** How long (ms) a batch begins new artifacts. */
  batchSlice: number;
};

/** One batch on its way: what is to be sent, and where its outcomes go. */
export type Work = {
  artifacts: BatchArtifact[];
  batch: Batch;
  hooks: (artifact: BatchArtifact) => CopyHooks;
  rules: (artifact: BatchArtifact) => CopyRules;
  signal: AbortSignal;
  slice: Slice;
  begin: (artifact: BatchArtifact) => void;
  end: (artifact: BatchArtifact, outcome: ArtifactOutcome) => void;
  concurrency: number;
};

/** The work as it is, and whether one of its artifacts has stopped its cluster: nothing more is begun then. */
export function stoppable(work: Work): { work: Work; isStopped: () => boolean } {
  let stopped = false;
  const end: Work["end"] = (artifact, outcome) => {
    stopped ||= outcome.result.kind === "failed" && outcome.result.stopsCluster;
    work.end(artifact, outcome);
  };
  return { work: { ...work, end }, isStopped: () => stopped };
}

/** Waits, heartbeating, while the control plane is away. */
export async function whenReachable<T>(
  { signal, heartbeat }: { signal: AbortSignal; heartbeat: () => void },
  call: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!toTransferError(error).retryable) throw error;
      heartbeat();
      await sleep(AWAY_MS, undefined, { signal });
    }
  }
}
