import type { Lane } from "../domain/lanes.ts";
import type { SourceVersion, VersionKey } from "../domain/sync-versions.ts";
import type {
  BatchAnswer,
  GrantAnswer,
  ListedArtifact,
  ListingAnswer,
  MetRealm,
  RegistryTokenAnswer,
  ReportAnswer,
  ReportRequest,
  WorkerSettings,
} from "../domain/worker-messages.ts";
import { RELEASE } from "../domain/release.ts";
import { type CallOptions, createInternalCaller } from "./internal-call.ts";

export type ControlPlane = ReturnType<typeof createControlPlane>;

type Call = ReturnType<typeof createInternalCaller>["call"];

/**
 * Creates the worker's side of the internal API: one function for each request to the control plane. A
 * function throws a TransferError when its request fails, with the kinds that `createInternalCaller`
 * states.
 */
export function createControlPlane(options: CallOptions) {
  const { open, call, close } = createInternalCaller(options);
  return {
    open,
    ...workerCalls(call),
    ...batchCalls(call),
    ...listingCalls(call),
    close,
  };
}

const workerCalls = (call: Call) => ({
  /**
   * Tells the control plane that this worker is alive and how many slots of each lane it uses. Returns the
   * worker's settings.
   */
  hello: (used: Record<Lane, number>) =>
    call<WorkerSettings>("POST", "/internal/v1/worker", { used, version: RELEASE }),
  /**
   * Tells the control plane that an end has accepted the login at a realm for the first time. A message that is lost
   * is sent again with the next login.
   */
  async metRealm(met: MetRealm): Promise<void> {
    await call("POST", "/internal/v1/realms", met).catch(() => undefined);
  },
  /** Requests a token with which a run reads the images of a hosted repository, `{projectId}/{repoName}`. */
  registryToken: (recordId: string, repository: string) =>
    call<RegistryTokenAnswer>("POST", "/internal/v1/registry-tokens", {
      recordId,
      repository,
    }),
  settings: () => call<WorkerSettings>("GET", "/internal/v1/worker"),
  metrics: (worker: string, text: string) =>
    call<{ taken: boolean }>("POST", "/internal/v1/metrics", { worker, text }),
});

const batchCalls = (call: Call) => ({
  takeBatch: (recordId: string, number: number) =>
    call<BatchAnswer>("POST", `/internal/v1/batches/${recordId}/${number}`, {}),
  /**
   * Returns the descriptions of the versions `keys`, in their order: the first, and as many more as fit
   * into one answer. The caller asks again for the rest.
   */
  async versions(repositoryId: number, keys: VersionKey[]) {
    const path = `/internal/v1/versions/${repositoryId}`;
    return (await call<{ versions: SourceVersion[] }>("POST", path, { keys })).versions;
  },
  report: (message: ReportRequest) =>
    call<ReportAnswer>("POST", "/internal/v1/reports", message),
  grant: (recordId: string, clusterId: string, bytes: number) =>
    call<GrantAnswer>("POST", "/internal/v1/grants", { recordId, clusterId, bytes }),
  /** Asks the control plane whether `bytes` more may be read at the cluster to compare contents. */
  async mayReadToCompare(recordId: string, clusterId: string, bytes: number) {
    const body = { recordId, clusterId, bytes };
    return (await call<{ granted: boolean }>("POST", "/internal/v1/compare-reads", body))
      .granted;
  },
});

const listingPath = (recordId: string, objectIndex: number): string =>
  `/internal/v1/listings/${recordId}/${objectIndex}`;

const listingCalls = (call: Call) => ({
  /**
   * Asks the control plane which page of an object to list next, if any. `waitMs`: how long (ms) the source
   * of the listing lately took to answer; null before the first request to it.
   */
  listing: (recordId: string, objectIndex: number, waitMs: number | null, lane: Lane) =>
    call<ListingAnswer>("POST", listingPath(recordId, objectIndex), { waitMs, lane }),
  /** Reports that a listing goes on; `waitMs` as in `listing`. */
  listingWaits: (recordId: string, objectIndex: number, waitMs: number | null) =>
    call<{ noted: true }>("POST", `${listingPath(recordId, objectIndex)}/waits`, {
      waitMs,
    }),
  listingEnded: (recordId: string, objectIndex: number) =>
    call<{ ended: true }>("POST", `${listingPath(recordId, objectIndex)}/end`, {}),
  handInPage(
    recordId: string,
    objectIndex: number,
    page: number,
    artifacts: ListedArtifact[],
    next: string | null,
  ) {
    const path = `${listingPath(recordId, objectIndex)}/pages/${page}`;
    return call<{ taken: true }>("POST", path, { artifacts, next });
  },
  listingFailed(
    recordId: string,
    objectIndex: number,
    failure: { reason: string; retryable: boolean; notBefore: number | null },
  ) {
    const path = `${listingPath(recordId, objectIndex)}/failure`;
    return call<{ retryAt: number | null }>("POST", path, failure);
  },
});
