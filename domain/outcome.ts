import type { ComparedBy, ConflictStrategy, VerifiedBy } from "./vocabulary.ts";

/**
 * Parts of one kind in an artifact; total = success + skip + failed once the artifact has ended
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
 * - sent: new at the target; same: equal content was present; replaced: a conflict, the target's content
 *   was overwritten; skipped: a conflict, the target's content was left.
 * - failed: permanent, or a conflict under the strategy FAST_FAIL (`conflict` true).
 * - again: a later batch retries the artifact, not before `notBefore` (epoch ms), at most `maxTries` times
 *   in all if given (digest mismatch: 3). `unreachable`: an end did not answer at all; `untried`: an end
 *   failed for other artifacts, and this one was left for later.
 * - yielded: no outcome; the batch's time was over at a point from which a later batch goes on at once.
 *   `whole`: the artifact has a large blob that must go in one request, which needs a batch without a time
 *   limit.
 */
export type ArtifactResult =
  | { kind: "sent" | "same" | "replaced" | "skipped" }
  | { kind: "yielded"; whole: boolean }
  | { kind: "failed"; reason: string; conflict: boolean; stopsCluster: boolean }
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
  /** Digest of the artifact (an image's manifest or index, a file), `sha256:…`; null if unknown. */
  digest: string | null;
  /** Bytes of the artifact with all its parts; null if unknown. */
  size: number | null;
  parts: Parts;
  /** Body bytes sent to the target in this attempt. */
  bytesSent: number;
  /**
   * How the artifact was compared with the content at the target; absent: there was none, or nothing was
   * compared.
   */
  compared?: ComparedBy;
  /** How the target was verified after writing; absent: nothing was written. */
  verified?: VerifiedBy;
  /** A sentence for users about an artifact that ended well, but differs from the source. */
  note?: string;
  /** Bytes read at the target in this attempt to compare or to verify. */
  bytesRead?: number;
};

/** Rules of a run that the copy function of each protocol has to follow. */
export type CopyRules = {
  conflictStrategy: ConflictStrategy;
  includeMetadata: boolean;
  /**
   * True when this execution may have sent the artifact before: content at the target, equal or different,
   * is then verified and never counts as a conflict.
   */
  mayHaveSent: boolean;
};

/** The time slice that a batch has on its worker. */
export type Slice = {
  /**
   * True when the slice is over: nothing new may begin, and a large blob stops before its next chunk
   * (`yieldTime` throws).
   */
  isOver: () => boolean;
  /** Whether large blobs that cannot be interrupted may begin. */
  whole: boolean;
};

/** Hooks that every copy function calls while bytes move. */
export type CopyHooks = {
  signal: AbortSignal;
  slice: Slice;
  /** Waits for the rate limit; returns how many of `bytes` body bytes may be sent to the target now, at least one. */
  throttle: (bytes: number) => Promise<number>;
  /** Called after each confirmed chunk of a large blob; must be quick. */
  onUpload: (state: UploadState) => void;
  /** Called with the number of body bytes just given to the target. */
  onBytes: (bytes: number) => void;
};
