import { setTimeout as sleep } from "node:timers/promises";
import { toTransferError } from "../../domain/failure.ts";
import type { ControlPlane } from "../control-plane.ts";
import type { Network } from "../registries/http.ts";
import type { Sealer } from "../secrets/seal.ts";
import type { ContentSource } from "../store/content-source.ts";
import type { Pool } from "./pool.ts";
import type { Route } from "./work.ts";

/** How often (ms) a worker retries a call while the control plane is away. */
const AWAY_MS = 1_000;

export type BatchDeps = {
  controlPlane: ControlPlane;
  sealer: Sealer;
  content: ContentSource;
  /**
   * Address of this instance, which is also that of its own registry of hosted images; `apiBeside`: it is on this
   * machine.
   */
  apiUrl: string;
  apiBeside: boolean;
  network: Network;
  /** How many artifacts of a batch are handled at the same time. */
  concurrency: number;
  routes: Pool<Route>;
  /** For how long (ms) a batch in the lane SHARED begins new artifacts. */
  batchSlice: number;
};

/**
 * Repeats a call that fails with a retryable error, as while the control plane is away, and sends
 * heartbeats meanwhile. Throws any other error, and an AbortError when the signal fires between two calls.
 */
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
