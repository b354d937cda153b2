import type { Lane } from "./lanes.ts";
import type { ArtifactOutcome, UploadState } from "./outcome.ts";
import type { RunSnapshot, TaskSetting } from "./task.ts";
import type { ClusterType, Protocol } from "./vocabulary.ts";

/** Messages between workers and the control plane under /internal/v1 (docs/decisions.md#internal-api). */

/**
 * Version of these messages. Worker and control plane need the same one; their releases may differ. It grows with every
 * change that the other side must know.
 */
export const INTERNAL_PROTOCOL = 4;

/** Why a worker is not admitted: another key, a wrong clock, or another protocol version. */
export const REFUSALS = ["key", "clock", "protocol"] as const;
export type Refusal = (typeof REFUSALS)[number];

/** One end of a transfer. `secret` is sealed for `sealedFor`; only a holder of the secret key can open it. */
export type Endpoint = {
  url: string;
  /**
   * Protocol of a registry for the object's type; null: the end is not a registry, or must be probed (`protocolOf`).
   */
  protocol: Protocol | null;
  username: string | null;
  secret: string | null;
  sealedFor: string;
  certificate: string | null;
  insecureSkipVerify: boolean;
};

/**
 * An artifact of a batch without an outcome. The node fields are null where it is not a file of a hosted repository, or
 * the file no longer exists.
 */
export type BatchArtifact = {
  seq: number;
  name: string;
  version: string;
  problem: string | null;
  /** Whether this execution may have sent it before. */
  begun: boolean;
  uploads: UploadState[];
  plannedSize: number | null;
  /**
   * Of a hosted repository: present digest of the file or version, `sha256:…`; null: it no longer exists. Of a linked
   * repository: digest from the listing, `algorithm:hex`; null: the listing had none.
   */
  digest: string | null;
  size: number | null;
  sha256: string | null;
  md5: string | null;
  metadata: Record<string, string>;
  createdBy: string | null;
  createdDate: number | null;
  lastModifiedBy: string | null;
  lastModifiedDate: number | null;
};

/** `done`: the batch was finished already; its remaining artifacts are to be cut again. */
export type BatchAnswer =
  | { kind: "halted"; reason: string }
  | { kind: "done" }
  | {
      kind: "batch";
      epoch: number;
      lane: Lane;
      clusterId: string;
      projectId: string;
      object: RunSnapshot["objects"][number];
      source: Endpoint & { repositoryId: number };
      target: Endpoint & { type: ClusterType };
      setting: TaskSetting;
      /**
       * FAST_FAIL: nothing new begins after a failure. In a drain the control plane decides, since not every failure
       * counts there.
       */
      endsAtFailure: boolean;
      artifacts: BatchArtifact[];
    };

/** Report of one artifact: begun, moving (bytes and uploads so far), or ended. */
export type ArtifactReport = {
  seq: number;
  name: string;
  version: string;
  sizePlanned: boolean;
  size: number | null;
  startTime: number;
  bytesSent: number;
  uploads: UploadState[];
  /** It was postponed because of a large blob that must go in one request. */
  whole?: true;
  outcome: ArtifactOutcome | null;
};

/** How long (ms) the ends of a batch lately took to answer; null: no request was made. */
export type Waits = { target: number | null; source: number | null };

/** `done`: the batch is finished; `interrupted`: work under way was aborted. */
export type ReportRequest = {
  recordId: string;
  number: number;
  epoch: number;
  reports: ArtifactReport[];
  waits?: Waits;
  done?: { interrupted: boolean };
};
/**
 * `stop`: why the batch must not go on: stopped, fast-failed, deleted, or given to another worker. `handBack`: an end
 * has become slow; return the batch, the slot is for other ends. `rest`: artifacts of a finished batch without an
 * outcome.
 */
export type ReportAnswer = { stop: string | null; handBack?: boolean; rest?: number };

export type ListingAnswer =
  | { kind: "over" }
  | {
      kind: "list";
      page: number;
      cursor: string | null;
      projectId: string;
      object: RunSnapshot["objects"][number];
      source: Endpoint;
    }
  /** No room now: ask again at that time (epoch ms), null = at once in the shared slots. */
  | { kind: "later"; retryAt: number | null };

/**
 * An artifact in a listing; with `problem`: an artifact that was wanted and does not exist. `size` (bytes of all parts)
 * and `digest` (`algorithm:hex`) where the source states them.
 */
export type ListedArtifact = {
  name: string;
  version: string;
  problem?: string;
  size?: number | null;
  digest?: string | null;
};

export type GrantAnswer = { bytes: number; waitMs: number };

export type WorkerSettings = {
  instanceId: string;
  temporal: { address: string; namespace: string };
  searchAttributes: boolean;
  /** How often (ms) activities may heartbeat. */
  heartbeatInterval: number;
};
