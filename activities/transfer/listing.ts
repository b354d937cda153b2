import { setMaxListeners } from "node:events";
import { toTransferError } from "../../domain/failure.ts";
import { imageNames } from "../../domain/image-objects.ts";
import type { Lane } from "../../domain/lanes.ts";
import type { ListedArtifact, ListingAnswer } from "../../domain/worker-messages.ts";
import { createOciRegistry, type OciRegistry } from "../registries/oci/registry.ts";
import { createPace } from "../registries/pace.ts";
import { openEndpoint } from "./endpoint.ts";
import { listImagePage } from "./image-listing.ts";
import { openSlice } from "./slice.ts";
import { type BatchDeps, whenReachable } from "./work.ts";

/** How often the control plane hears that a listing goes on, and how long it waits for its source. */
const WAITS_MS = 2_000;

/** Not complete: `retryAt` says when to go on (epoch ms), null = at once. */
export type Listed = { complete: boolean; retryAt: number | null };

type Ask = { recordId: string; object: number; lane: Lane; signal: AbortSignal; heartbeat: () => void };
type Listing = Extract<ListingAnswer, { kind: "list" }>;

/** Hands in the pages of a linked object's listing, on from where it stands and for as long as its slot may be held; each page once. */
export async function listObject(deps: BatchDeps, { recordId, object, lane, signal: ended, heartbeat }: Ask): Promise<Listed> {
  const { controlPlane } = deps;
  const calls = { signal: ended, heartbeat };
  const stop = new AbortController();
  const signal = AbortSignal.any([ended, stop.signal]);
  setMaxListeners(0, signal);
  const slice = openSlice(lane, deps.batchSlice, () => stop.abort());
  const pace = createPace();
  const timers = [setInterval(heartbeat, 1_000), setInterval(() => void controlPlane.listingWaits(recordId, object, pace.waitMs() ?? 0).catch(() => undefined), WAITS_MS)];
  let registry: OciRegistry | undefined;
  try {
    for (let pages = 0; ; pages += 1) {
      const state = await whenReachable(calls, () => controlPlane.listing(recordId, object, pace.waitMs(), lane));
      if (state.kind === "over") return { complete: true, retryAt: null };
      if (state.kind === "later") return { complete: false, retryAt: state.retryAt };
      if (pages > 0 && slice.isOver()) return { complete: false, retryAt: null };
      try {
        registry ??= createOciRegistry(openEndpoint(deps, state.source, pace));
        const { artifacts, next } = await listPage(registry, state, signal);
        await whenReachable(calls, () => controlPlane.handInPage(recordId, object, state.page, artifacts, next));
      } catch (error) {
        ended.throwIfAborted();
        if (stop.signal.aborted) return { complete: false, retryAt: null };
        return await failListing(deps, { recordId, object }, state, error, calls);
      }
    }
  } finally {
    slice.close();
    timers.forEach((timer) => clearInterval(timer));
    await controlPlane.listingEnded(recordId, object).catch(() => undefined);
    await registry?.close();
  }
}

async function listPage(registry: OciRegistry, { object, source, cursor }: Listing, signal: AbortSignal): Promise<{ artifacts: ListedArtifact[]; next: string | null }> {
  const { names, versions } = imageNames(object.packageConstraints);
  const page = await listImagePage({ registry, names, versions, cursor, signal });
  const found = page.artifacts.map(({ name, tag }): ListedArtifact => ({ name, version: tag }));
  const lacking = page.missing.map((name): ListedArtifact => ({ name, version: "", problem: missingImage(name, source.url) }));
  return { artifacts: [...found, ...lacking], next: page.next };
}

type Calls = { signal: AbortSignal; heartbeat: () => void };

async function failListing({ controlPlane }: BatchDeps, { recordId, object }: Pick<Ask, "recordId" | "object">, state: Listing, error: unknown, calls: Calls): Promise<Listed> {
  const { message, retryable, notBefore } = toTransferError(error);
  const reason = `${state.projectId}/${state.object.localRepoName} cannot be listed: ${message}`;
  const failure = { reason, retryable, notBefore: notBefore ?? null };
  const { retryAt } = await whenReachable(calls, () => controlPlane.listingFailed(recordId, object, failure));
  return { complete: retryAt === null, retryAt };
}

const missingImage = (name: string, registry: string) => `image ${name} is not in the registry ${registry}, or has no tags: check the package's name`;
