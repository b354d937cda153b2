import { Agent, request } from "undici";
import { stopOf, TransferError } from "../domain/failure.ts";
import type { Lane } from "../domain/lanes.ts";
import type { SourceVersion, VersionKey } from "../domain/sync-versions.ts";
import {
  type BatchAnswer,
  type LeaseAnswer,
  type ListedArtifact,
  type ListingAnswer,
  type ReportAnswer,
  type ReportRequest,
  REFUSALS,
  type Refusal,
  type WorkerSettings,
} from "../domain/worker-messages.ts";
import { createInternalSigner } from "./secrets/internal.ts";

export type ControlPlane = ReturnType<typeof createControlPlane>;

/** `name`: what this worker calls itself; `onRefused` is called each time it is not let in. */
type Options = {
  apiUrl: string;
  secretKey: string;
  name: string;
  onRefused?: (reason: string, refusal: Refusal | undefined) => void;
};

/** Statuses of a worker that may not take part: the wrong signature, or another protocol. */
const REFUSED = [401, 426];

/**
 * A worker's side of the internal API. Every call is a TransferError of kind `unreachable` while the control plane is
 * away: retryable, never lost.
 */
export function createControlPlane({ apiUrl, secretKey, name, onRefused }: Options) {
  const signer = createInternalSigner(secretKey);
  const agent = new Agent({
    connections: 32,
    connect: { timeout: 10_000 },
    headersTimeout: 60_000,
    bodyTimeout: 60_000,
  });

  async function open(
    method: "GET" | "POST",
    path: string,
    options: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ) {
    const body = options.body === undefined ? "" : JSON.stringify(options.body);
    const signed = {
      "content-type": "application/json",
      "x-internal-worker": name,
      ...signer.headers(method, path, body),
      ...options.headers,
    };
    const signal = options.signal ? { signal: options.signal } : {};
    try {
      const answer = await request(new URL(apiUrl + path), {
        method,
        headers: signed,
        dispatcher: agent,
        ...(body ? { body } : {}),
        ...signal,
      });
      // A body that is given up before it is read ends with an error, which would end the process if nobody heard it.
      answer.body.on("error", () => undefined);
      if (answer.statusCode < 300) return answer;
      const text = (await answer.body.text()).slice(0, 300);
      if (REFUSED.includes(answer.statusCode)) {
        const given = answer.headers["x-refused"];
        onRefused?.(
          text,
          REFUSALS.find((refusal) => refusal === given),
        );
        throw new TransferError(
          "refused",
          `the control plane at ${apiUrl} does not let this worker in (${answer.statusCode}): ${text}`,
        );
      }
      const kind = answer.statusCode >= 500 ? "server" : answer.statusCode === 404 ? "notFound" : "invalid";
      throw new TransferError(kind, `the control plane answered ${answer.statusCode} to ${method} ${path}: ${text}`);
    } catch (error) {
      if (options.signal?.aborted) throw stopOf(options.signal);
      if (error instanceof TransferError) throw error;
      throw new TransferError("unreachable", `the control plane at ${apiUrl} cannot be reached`, { cause: error });
    }
  }

  async function call<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
    const answer = await open(method, path, body === undefined ? {} : { body });
    return (await answer.body.json().catch((error: unknown) => {
      throw new TransferError("unreachable", `the control plane at ${apiUrl} broke off its answer`, { cause: error });
    })) as T;
  }

  return {
    open,
    /** Says that this worker works, and how many of its slots. */
    hello: (used: Record<Lane, number>) => call<WorkerSettings>("POST", "/internal/v1/worker", { used }),
    settings: () => call<WorkerSettings>("GET", "/internal/v1/worker"),
    takeBatch: (recordId: string, number: number) =>
      call<BatchAnswer>("POST", `/internal/v1/batches/${recordId}/${number}`, {}),
    /** The first of these versions of a hosted repository, as many as one answer holds. */
    versions: async (repositoryId: number, keys: VersionKey[]) =>
      (await call<{ versions: SourceVersion[] }>("POST", `/internal/v1/versions/${repositoryId}`, { keys })).versions,
    report: (message: ReportRequest) => call<ReportAnswer>("POST", "/internal/v1/reports", message),
    /** `waitMs`: what answers of the source lately took. */
    listing: (recordId: string, object: number, waitMs: number | null, lane: Lane) =>
      call<ListingAnswer>("POST", `/internal/v1/listings/${recordId}/${object}`, { waitMs, lane }),
    listingWaits: (recordId: string, object: number, waitMs: number) =>
      call<{ noted: true }>("POST", `/internal/v1/listings/${recordId}/${object}/waits`, { waitMs }),
    listingEnded: (recordId: string, object: number) =>
      call<{ ended: true }>("POST", `/internal/v1/listings/${recordId}/${object}/end`, {}),
    handInPage: (recordId: string, object: number, page: number, artifacts: ListedArtifact[], next: string | null) =>
      call<{ taken: true }>("POST", `/internal/v1/listings/${recordId}/${object}/pages/${page}`, { artifacts, next }),
    listingFailed: (
      recordId: string,
      object: number,
      failure: { reason: string; retryable: boolean; notBefore: number | null },
    ) => call<{ retryAt: number | null }>("POST", `/internal/v1/listings/${recordId}/${object}/failure`, failure),
    lease: (recordId: string, clusterId: string, bytes: number) =>
      call<LeaseAnswer>("POST", "/internal/v1/leases", { recordId, clusterId, bytes }),
    /** Whether so many bytes may be read at the cluster to compare contents. */
    mayReadToCompare: async (recordId: string, clusterId: string, bytes: number) =>
      (await call<{ granted: boolean }>("POST", "/internal/v1/compare-reads", { recordId, clusterId, bytes })).granted,
    metrics: (worker: string, text: string) =>
      call<{ taken: boolean }>("POST", "/internal/v1/metrics", { worker, text }),
    close: () => agent.close(),
  };
}
