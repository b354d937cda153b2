import type { Lane } from "./lanes.ts";
import type { ArtifactOutcome, UploadState } from "./outcome.ts";
import type { RunSnapshot, TaskSetting } from "./task.ts";
import type { ClusterType, Protocol } from "./vocabulary.ts";

/** What workers and the control plane say to each other under /internal/v1 (docs/decisions.md#internal-api). */

/**
 * The form of what they say. Worker and control plane must have the same; their releases may differ. It grows with
 * every change that the other side must know of.
 */
export const INTERNAL_PROTOCOL = 3;

/** Why a worker is not let in: it has another key, its clock is off, or it speaks another protocol. */
export const REFUSALS = ["key", "clock", "protocol"] as const;
export type Refusal = (typeof REFUSALS)[number];

/** One end of a transfer. `secret` is sealed for `sealedFor`; only a holder of the secret key opens it. */
export type Endpoint = {
  url: string;
  /** Of a registry, for the object's type; null: it is no registry, or the end must be asked (`protocolOf`). */
  protocol: Protocol | null;
  username: string | null;
  secret: string | null;
  sealedFor: string;
  certificate: string | null;
  insecureSkipVerify: boolean;
};

/**
 * An artifact still to be handled. The node fields are null where the artifact is no file of a hosted repository, or
 * the file is gone.
 */
export type BatchArtifact = {
  seq: number;
  name: string;
  version: string;
  problem: string | null;
  /** This execution may have sent it before. */
  begun: boolean;
  uploads: UploadState[];
  plannedSize: number | null;
  /**
   * Of a file or version of a hosted repository, as it is now, `sha256:…`; null: it is gone. Of a linked repository as
   * the listing said, `algorithm:hex`; null: it did not.
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

/** `done`: it was handed in already; what it had left is to be cut anew. */
export type BatchAnswer =
  | { kind: "halted"; reason: string }
  | { kind: "done" }
  | {
      kind: "batch";
      lease: number;
      lane: Lane;
      clusterId: string;
      projectId: string;
      object: RunSnapshot["objects"][number];
      source: Endpoint & { repositoryId: number };
      target: Endpoint & { type: ClusterType };
      setting: TaskSetting;
      /**
       * FAST_FAIL: nothing more is begun after a failure. Of a drain the control plane decides, for not all that fails
       * counts there.
       */
      endsAtFailure: boolean;
      artifacts: BatchArtifact[];
    };

/** Begun, moving (bytes and uploads so far), or ended. */
export type ArtifactReport = {
  seq: number;
  name: string;
  version: string;
  sizePlanned: boolean;
  size: number | null;
  startTime: number;
  bytesSent: number;
  uploads: UploadState[];
  /** It was put off because of a large blob that must go in one request. */
  whole?: true;
  outcome: ArtifactOutcome | null;
};

/** How long (ms) the ends of a batch lately took to answer; null: they were not asked. */
export type Waits = { target: number | null; source: number | null };

/** `done`: the batch is handed in; `interrupted`: what was under way was broken off. */
export type ReportRequest = {
  recordId: string;
  number: number;
  lease: number;
  reports: ArtifactReport[];
  waits?: Waits;
  done?: { interrupted: boolean };
};
/**
 * `stop`: why the batch must not go on: stopped, fast-failed, deleted, or handed to another worker. `handBack`: an end
 * has become slow, and the slot is for those that are not. `rest`: artifacts without an outcome of a batch that was
 * handed in.
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
  /** There is no room for it now: ask again at that time (epoch ms), null = at once in the slots that all share. */
  | { kind: "later"; retryAt: number | null };

/**
 * An artifact as a listing found it; with `problem`, something that was asked for and is not there. `size` (bytes, of
 * all its parts) and `digest` (`algorithm:hex`) where the source says them.
 */
export type ListedArtifact = {
  name: string;
  version: string;
  problem?: string;
  size?: number | null;
  digest?: string | null;
};

export type LeaseAnswer = { bytes: number; waitMs: number };

export type WorkerSettings = {
  instanceId: string;
  temporal: { address: string; namespace: string };
  searchAttributes: boolean;
  /** How often (ms) activities may heartbeat. */
  heartbeatInterval: number;
};
