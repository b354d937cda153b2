import { toTransferError } from "../../domain/failure.ts";
import { imageNames } from "../../domain/image-objects.ts";
import { createOciRegistry } from "../registries/oci/registry.ts";
import type { ListedArtifact } from "../../domain/worker-messages.ts";
import { openEndpoint } from "./endpoint.ts";
import { type BatchDeps, whenReachable } from "./work.ts";
import { listImagePage } from "./image-listing.ts";

/** After this long the activity ends and is started anew, so that its history tells where the listing is. */
const LONGEST_MS = 60_000;

export type Listed = { complete: boolean; retryAt: number | null };

type Ask = { recordId: string; object: number; signal: AbortSignal; heartbeat: () => void };

/** Hands in the pages of a linked object's listing, on from where it stands; each page once. */
export async function listObject(deps: BatchDeps, { recordId, object, signal, heartbeat }: Ask): Promise<Listed> {
  const { controlPlane } = deps;
  const calls = { signal, heartbeat };
  const end = Date.now() + LONGEST_MS;
  const timer = setInterval(heartbeat, 1_000);
  let registry: ReturnType<typeof createOciRegistry> | undefined;
  try {
    for (;;) {
      const state = await whenReachable(calls, () => controlPlane.listing(recordId, object));
      if (state.kind === "over") return { complete: true, retryAt: null };
      if (Date.now() > end) return { complete: false, retryAt: null };
      try {
        registry ??= createOciRegistry(openEndpoint(deps, state.source));
        const { names, versions } = imageNames(state.object.packageConstraints);
        const page = await listImagePage({ registry, names, versions, cursor: state.cursor, signal });
        const artifacts = page.artifacts.map(({ name, tag }): ListedArtifact => ({ name, version: tag }));
        const lacking = page.missing.map((name): ListedArtifact => ({ name, version: "", problem: missingImage(name, state.source.url) }));
        await whenReachable(calls, () => controlPlane.handInPage(recordId, object, state.page, [...artifacts, ...lacking], page.next));
      } catch (error) {
        signal.throwIfAborted();
        const { message, retryable, notBefore } = toTransferError(error);
        const reason = `${state.projectId}/${state.object.localRepoName} cannot be listed: ${message}`;
        const { retryAt } = await whenReachable(calls, () => controlPlane.listingFailed(recordId, object, { reason, retryable, notBefore: notBefore ?? null }));
        return { complete: retryAt === null, retryAt };
      }
    }
  } finally {
    clearInterval(timer);
    await registry?.close();
  }
}

const missingImage = (name: string, registry: string) => `image ${name} is not in the registry ${registry}, or has no tags: check the package's name`;
