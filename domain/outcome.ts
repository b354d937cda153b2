import type { ComparedBy, ConflictStrategy, VerifiedBy } from "./vocabulary.ts";

/**
 * How many parts of one kind (blobs or nodes) of an artifact ended in which way
 * (docs/decisions.md#progress).
 */
export type PartCounts = { success: number; skip: number; failed: number };

/** Counts of the parts: `blob` for blobs, `node` for files and manifests (docs/decisions.md#counts). */
export type Parts = { blob: PartCounts; node: PartCounts };

export const noParts = (): Parts => ({
  blob: { success: 0, skip: 0, failed: 0 },
  node: { success: 0, skip: 0, failed: 0 },
});

/**
 * State of a blob upload, so that any worker can resume it: the newest location and offset that the target
 * confirmed (docs/decisions.md#resumption).
 */
export type UploadState = { digest: string; location: string; offset: number };

/**
 * How one artifact ended at one cluster.
 * - sent: new at the target, or equal content that an earlier attempt of this execution may have sent;
 *   same: equal content was present; replaced: a conflict, the target's content was overwritten; skipped:
 *   a conflict, the target's content was left.
 * - failed: no further try. `conflict`: the target has other content that must stay; `stopsCluster`: the
 *   run sends nothing more to this cluster; `full`: the target had no room for it.
 * - again: a later batch retries the artifact, not before `notBefore` (epoch ms; null: the end gave no
 *   time), at most `maxTries` times in all if given. `throttled`: the end asked for fewer requests;
 *   `unreachable`: an end did not answer; `untried`: the artifact was stopped or left for later because of
 *   something else, so this is no failed try of it.
 * - yielded: no outcome; the batch's time was over at a point from which a later batch goes on at once.
 *   `whole`: the artifact has a large blob that must go in one request, which needs a batch without a time
 *   limit.
 */
export type ArtifactResult =
  | { kind: "sent" | "same" | "replaced" | "skipped" }
  | { kind: "yielded"; whole: boolean }
  | {
      kind: "failed";
      reason: string;
      conflict: boolean;
      stopsCluster: boolean;
      full?: true;
    }
  | {
      kind: "again";
      reason: string;
      notBefore: number | null;
      uploads: UploadState[];
      throttled: boolean;
      unreachable?: boolean;
      untried?: boolean;
      maxTries?: number;
    };

export type ArtifactOutcome = {
  result: ArtifactResult;
  /**
   * Digest of the artifact (an image's manifest or index, a version, a file), `algorithm:hex`; null if
   * unknown.
   */
  digest: string | null;
  /** Bytes of the artifact with all its parts; null if unknown. */
  size: number | null;
  parts: Parts;
  /** Body bytes sent to the target in this attempt. */
  bytesSent: number;
  /**
   * Set if nothing at the target can have been changed for this artifact: equal content that is found there later was
   * not sent by this execution.
   */
  unsent?: true;
  /**
   * How an artifact that is sent part by part was compared with the content at the target. Absent: nothing
   * was there or compared, or the artifact was sent in another way.
   */
  compared?: ComparedBy;
  /**
   * How the content of an artifact that is sent part by part was verified at the target. Absent: nothing
   * was verified, or the artifact was sent in another way.
   */
  verified?: VerifiedBy;
  /** A sentence for users about an artifact that ended well, but differs from the source. */
  note?: string;
  /** Bytes read at the target in this attempt to compare or to verify; absent: none. */
  bytesRead?: number;
};

/** Rules of a run that the copy function of each protocol has to follow. */
export type CopyRules = {
  conflictStrategy: ConflictStrategy;
  includeMetadata: boolean;
  /**
   * True when this execution may have sent the artifact before: equal content at the target then counts as
   * sent, and a half-written part at a target without atomic writes is no conflict.
   */
  mayHaveSent: boolean;
};

/** The time slice that a batch has on its worker. */
export type Slice = {
  /**
   * Whether the slice is over: then only the first artifacts of the batch may still begin, and a large blob
   * stops before its next chunk (`yieldUpload` throws).
   */
  isOver: () => boolean;
  /** Whether large blobs that cannot be interrupted may begin. */
  whole: boolean;
};

/** Hooks that every copy function calls while bytes move. */
export type CopyHooks = {
  signal: AbortSignal;
  slice: Slice;
  /**
   * Waits for the rate limit; returns how many of `bytes` body bytes may be sent to the target (or read
   * there) now, at least one.
   */
  throttle: (bytes: number) => Promise<number>;
  /** Called after each confirmed chunk of a large blob; must be quick. */
  onUpload: (state: UploadState) => void;
  /** Called with the number of body bytes just given to the target. */
  onBytes: (bytes: number) => void;
};
