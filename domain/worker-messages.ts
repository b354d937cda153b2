import type { Lane } from "./lanes.ts";
import type { ArtifactOutcome, UploadState } from "./outcome.ts";
import type { RunSnapshot, TaskSetting } from "./task.ts";
import type { ClusterType, Protocol } from "./vocabulary.ts";

/** Messages between workers and the control plane under /internal/v1 (docs/decisions.md#internal-api). */

/**
 * Version of the messages between workers and the control plane. Both need the same one; their releases may
 * differ. The version grows with every change that the other side must know.
 */
export const INTERNAL_PROTOCOL = 6;

/** Why a worker is not admitted: an unknown identity, a wrong clock, or another protocol version. */
export const REFUSALS = ["key", "clock", "protocol"] as const;
export type Refusal = (typeof REFUSALS)[number];

/**
 * One end of a transfer. `secret`: its credentials, with the end and the token realms to which they may be sent, sealed
 * for `sealedFor`: in the database under the secret key, on the way to a worker under the key of that worker.
 * `unreadable`: the end has credentials that the control plane cannot open, or that are of another end.
 */
export type Endpoint = {
  url: string;
  /**
   * Protocol of a registry for the object's type; null: the end is no registry, or no protocol is known
   * (`protocolOf`).
   */
  protocol: Protocol | null;
  username: string | null;
  secret: string | null;
  sealedFor: string;
  unreadable?: true;
  certificate: string | null;
  insecureSkipVerify: boolean;
};

/**
 * An artifact that has no outcome yet, as a batch gets it. From `size` on, except `metadata` (then empty),
 * the fields are null unless the artifact is an existing file of a hosted repository.
 */
export type BatchArtifact = {
  seq: number;
  name: string;
  version: string;
  problem: string | null;
  /** Whether an earlier attempt of this execution may have sent the artifact. */
  begun: boolean;
  uploads: UploadState[];
  plannedSize: number | null;
  /**
   * Hosted repository: present digest of the file or version, `sha256:…`; null: it no longer exists. Linked
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

/**
 * `halted`: the batch is not to be sent, for the `reason`; `done`: the batch has ended already, or ends now
 * because an end is slow: its remaining artifacts are to be cut again.
 */
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
       * FAST_FAIL: no further artifact begins after a failure. Always false in a drain: the control plane
       * ends a drain, since not every failure counts there.
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
  /**
   * Set if the artifact was postponed because it has a large blob that must be sent in one request (lane
   * WHOLE).
   */
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
 * `stop`: why the batch must not go on (the run was stopped, fast-failed or deleted, its cluster is away,
 * or another worker took the batch); null: it goes on. `handBack`: return the batch, because one of its
 * ends is slow and its slot should serve others. `rest`: number of artifacts of a finished batch that have
 * no outcome.
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
  /**
   * The listing cannot begin now: ask again at `retryAt` (epoch ms), or if null, at once in the SHARED
   * lane.
   */
  | { kind: "later"; retryAt: number | null };

/**
 * An artifact in a listing. `problem`: the artifact was asked for and does not exist. `size` (bytes of all
 * parts) and `digest` (`algorithm:hex`): if the source states them.
 */
export type ListedArtifact = {
  name: string;
  version: string;
  problem?: string;
  size?: number | null;
  digest?: string | null;
};

/**
 * A realm at which a worker has logged in for a run to an end (`sealedFor` and `url` as in Endpoint) for the first
 * time.
 */
export type MetRealm = {
  recordId: string;
  sealedFor: string;
  url: string;
  realm: string;
};

/** A token for this instance's own image registry, and for how long (s) it is valid. */
export type RegistryTokenAnswer = { token: string; seconds: number };

export type GrantAnswer = { bytes: number; waitMs: number };

export type WorkerSettings = {
  instanceId: string;
  temporal: { address: string; namespace: string };
  searchAttributes: boolean;
  /** Minimum time (ms) between two heartbeats of an activity to Temporal. */
  heartbeatInterval: number;
};
