import type { Lane } from "../domain/lanes.ts";
import type { SourceVersion, VersionKey } from "../domain/sync-versions.ts";
import type {
  BatchAnswer,
  GrantAnswer,
  ListedArtifact,
  ListingAnswer,
  ReportAnswer,
  ReportRequest,
  WorkerSettings,
} from "../domain/worker-messages.ts";
import { type CallOptions, createInternalCaller } from "./internal-call.ts";

export type ControlPlane = ReturnType<typeof createControlPlane>;

/** The worker's side of the internal API. For the errors of its calls, see createInternalCaller. */
export function createControlPlane(options: CallOptions) {
  const { open, call, close } = createInternalCaller(options);
  return {
    open,
    /** Reports that this worker is alive, and how many of its slots are in use. */
    hello: (used: Record<Lane, number>) =>
      call<WorkerSettings>("POST", "/internal/v1/worker", { used }),
    settings: () => call<WorkerSettings>("GET", "/internal/v1/worker"),
    takeBatch: (recordId: string, number: number) =>
      call<BatchAnswer>("POST", `/internal/v1/batches/${recordId}/${number}`, {}),
    /** Describes the first of these versions of a hosted repository, as many as one answer holds. */
    versions: async (repositoryId: number, keys: VersionKey[]) =>
      (
        await call<{ versions: SourceVersion[] }>(
          "POST",
          `/internal/v1/versions/${repositoryId}`,
          { keys },
        )
      ).versions,
    report: (message: ReportRequest) =>
      call<ReportAnswer>("POST", "/internal/v1/reports", message),
    /** `waitMs`: how long (ms) the source lately took to answer; null: it was not asked. */
    listing: (recordId: string, objectIndex: number, waitMs: number | null, lane: Lane) =>
      call<ListingAnswer>("POST", `/internal/v1/listings/${recordId}/${objectIndex}`, {
        waitMs,
        lane,
      }),
    listingWaits: (recordId: string, objectIndex: number, waitMs: number) =>
      call<{ noted: true }>(
        "POST",
        `/internal/v1/listings/${recordId}/${objectIndex}/waits`,
        {
          waitMs,
        },
      ),
    listingEnded: (recordId: string, objectIndex: number) =>
      call<{ ended: true }>(
        "POST",
        `/internal/v1/listings/${recordId}/${objectIndex}/end`,
        {},
      ),
    handInPage: (
      recordId: string,
      objectIndex: number,
      page: number,
      artifacts: ListedArtifact[],
      next: string | null,
    ) =>
      call<{ taken: true }>(
        "POST",
        `/internal/v1/listings/${recordId}/${objectIndex}/pages/${page}`,
        { artifacts, next },
      ),
    listingFailed: (
      recordId: string,
      objectIndex: number,
      failure: { reason: string; retryable: boolean; notBefore: number | null },
    ) =>
      call<{ retryAt: number | null }>(
        "POST",
        `/internal/v1/listings/${recordId}/${objectIndex}/failure`,
        failure,
      ),
    grant: (recordId: string, clusterId: string, bytes: number) =>
      call<GrantAnswer>("POST", "/internal/v1/grants", { recordId, clusterId, bytes }),
    /** Returns whether `bytes` may be read at the cluster to compare contents. */
    mayReadToCompare: async (recordId: string, clusterId: string, bytes: number) =>
      (
        await call<{ granted: boolean }>("POST", "/internal/v1/compare-reads", {
          recordId,
          clusterId,
          bytes,
        })
      ).granted,
    metrics: (worker: string, text: string) =>
      call<{ taken: boolean }>("POST", "/internal/v1/metrics", { worker, text }),
    close,
  };
}
