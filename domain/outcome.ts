import type { ComparedBy, ConflictStrategy, VerifiedBy } from "./vocabulary.ts";

/**
 * Parts of one kind in an artifact; total = success + skip + failed once the artifact has ended
 * (docs/decisions.md#progress).
 */
export type PartCounts = { success: number; skip: number; failed: number };

/** blob = blobs, node = files and manifests (docs/decisions.md#counts). */
export type Parts = { blob: PartCounts; node: PartCounts };

export const noParts = (): Parts => ({
  blob: { success: 0, skip: 0, failed: 0 },
  node: { success: 0, skip: 0, failed: 0 },
});

/**
 * Where a blob upload stands, so that any worker can go on: the newest location the target gave and the offset it
 * confirmed (docs/decisions.md#resumption).
 */
export type UploadState = { digest: string; location: string; offset: number };

/**
 * How one artifact ended at one cluster.
 * - sent: new at the target; same: equal content was there; replaced: conflict, overwritten; skipped: conflict, left.
 * - failed: permanent, or the conflict strategy FAST_FAIL (`conflict` true).
 * - again: retryable; a later batch tries it, not before `notBefore` (epoch ms), at most `maxTries` times in all where
 * given (digest mismatch: 3).
 *   `unreachable`: an end did not answer at all; `untried`: so others found, and this one was left for later.
 * - yielded: no outcome; its batch's time was over at a point from which a later one goes on at once. `whole`: it has a
 * large blob that must
 *   go in one request, which a batch with all the time it takes does.
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
  /** `sha256:…` of the artifact (an image's manifest or index, a file); null where unknown. */
  digest: string | null;
  /** Bytes of the artifact with all its parts; null where unknown. */
  size: number | null;
  parts: Parts;
  /** Body bytes that went to the target in this attempt. */
  bytesSent: number;
  /** By what it was compared with what the target had; absent: the target had nothing, or nothing was compared. */
  compared?: ComparedBy;
  /** By what the target was seen to have it after it was written; absent: nothing was written. */
  verified?: VerifiedBy;
  /** A sentence for people about an artifact that ended well, and not wholly as at the source. */
  note?: string;
  /** Bytes that were read at the target in this attempt to compare or to verify. */
  bytesRead?: number;
};

/** What the engine tells a protocol's copy function about the rules of the run. */
export type CopyRules = {
  conflictStrategy: ConflictStrategy;
  includeMetadata: boolean;
  /**
   * True when this execution may itself have sent the artifact before: equal or different content found is then
   * verified, never a conflict.
   */
  mayHaveSent: boolean;
};

/** How much of a worker's time a batch may still have. */
export type Slice = {
  /** Nothing new is to be begun; a large blob stops at its next chunk (`yieldTime`). */
  isOver: () => boolean;
  /** Large blobs that cannot be put off half-way may be begun. */
  whole: boolean;
};

/** Hooks every copy function calls while bytes move. */
export type CopyHooks = {
  signal: AbortSignal;
  slice: Slice;
  /** Waits for the rate limit; answers how many of `bytes` body bytes may be sent to the target now, one at least. */
  throttle: (bytes: number) => Promise<number>;
  /** After each confirmed chunk of a large blob; must be quick. */
  onUpload: (state: UploadState) => void;
  /** Body bytes just handed to the target. */
  onBytes: (bytes: number) => void;
};
