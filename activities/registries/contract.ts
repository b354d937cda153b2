import type { Artifact, ArtifactKey, Part } from "../../domain/artifact.ts";
import type { Fact, TargetNature } from "../../domain/decide.ts";
import type { TransferError } from "../../domain/failure.ts";
import type { ArtifactOutcome, CopyHooks, CopyRules, UploadState } from "../../domain/outcome.ts";
import type { PackageConstraint, PathConstraint } from "../../domain/task.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import type { HttpOptions } from "./http.ts";
import type { Pace } from "./pace.ts";

/**
 * What a client of a protocol is made of (docs/connectors.md). An end that cannot do something lacks the method. All
 * functions throw TransferError, whose kind says whether a later try makes sense; none retries.
 */
export type Connector = {
  lister?: Open<Lister>;
  source?: Open<Source>;
  target?: Open<Target>;
  /** Copies from one end to another by itself, where artifacts are no flat lists of parts (images). */
  copier?: (from: End, to: End) => Copier & Closing;
  /** Three separate answers; throws only when the signal says so. */
  check: (end: End, signal: AbortSignal) => Promise<Check>;
};

export type Closing = { close: () => Promise<void> };

/** Asks nothing of the end; throws for an address that it cannot open. `type`: of the repository that is replicated. */
type Open<T> = (end: End, type: RepositoryType) => T & Closing;

/**
 * One end with its credentials in the clear. `namespace`: what stands before every name there, as in `team/images`; ""
 * for nothing. `instance`: an instance of this product, whose url may be that of a path at which it lives. `authorize`:
 * the Authorization value for scopes of an image registry, in place of a login.
 */
export type End = Omit<HttpOptions, "secrets"> & {
  url: string;
  namespace: string;
  username: string | null;
  password: string | null;
  token: string | null;
  pace?: Pace;
  instance?: boolean;
  authorize?: (scopes: readonly string[]) => string | undefined;
};

/** What is wanted of a repository: all where both are empty. */
export type Selection = { packages: readonly PackageConstraint[]; paths: readonly PathConstraint[] };

/** `size` and `digest` (`algorithm:hex`) as far as the listing tells them. */
export type Listed = ArtifactKey & { size: number | null; digest: string | null };

/**
 * `missing`: what was named and is not there (`version` "": nothing of it), with a sentence that says so. `next`: the
 * cursor of the next page; null after the last. `attached`: parts of other artifacts that look like artifacts, and go
 * with those.
 */
export type ListedPage = {
  found: Listed[];
  missing: (ArtifactKey & { reason: string })[];
  attached?: ArtifactKey[];
  next: string | null;
};

export type Lister = {
  /**
   * One page of at most 500 artifacts, which may be empty and not the last; half a listing is an error. A version that
   * is named is listed unseen.
   */
  list: (wanted: Selection, cursor: string | null, signal: AbortSignal) => Promise<ListedPage>;
};

/**
 * `size`: of the whole part, whatever the offset; null where the end does not tell it. The chunks must be read or
 * returned.
 */
export type Opened = { size: number | null; chunks: AsyncIterable<Uint8Array> };

export type Source = {
  /**
   * The first of the artifacts, at least one, in the order of the keys; null: it is not there any more; an error: why
   * it cannot be described.
   */
  describe: (keys: readonly ArtifactKey[], signal: AbortSignal) => Promise<(Artifact | TransferError | null)[]>;
  /** Raw bytes from `offset` on. */
  open: (artifact: Artifact, part: Part, offset: number, signal: AbortSignal) => Promise<Opened>;
  /** Those of the contents, by sha256, that are small and had at once; the others are opened one by one. */
  openSmall?: (parts: readonly Part[], signal: AbortSignal) => Promise<Map<string, Buffer>>;
  /** The error of bytes that are not what was told of the part; `found` says what came instead. */
  damaged: (part: Part, found: string) => TransferError;
};

/** A body for a request; `size`: of the part, null where its source does not tell it. */
type Body = { size: number | null; bytes: AsyncIterable<Uint8Array> };

/**
 * What a target writes from. Bodies are verified against what the source tells, limited to the rate of the run and
 * counted.
 */
export type Content = {
  signal: AbortSignal;
  /** The bytes of a part. `encode` makes the body of a request from them, around which the rate is kept. */
  open: (
    part: Part,
    options?: { offset?: number; encode?: (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> },
  ) => Promise<Body>;
  /** Where earlier attempts left uploads, and where this one stands after each chunk that the target confirmed. */
  uploads: readonly UploadState[];
  keep: (state: UploadState) => void;
};

export type LabelRules = Pick<CopyRules, "conflictStrategy" | "includeMetadata">;

/**
 * A target that states facts about what it has, and takes an artifact part by part; the engine decides and verifies.
 */
export type PartsTarget = {
  nature: TargetNature;
  /** Facts about each part, in order; null: it is not there. `fresh`: nothing that is remembered is good enough. */
  stat: (artifact: Artifact, fresh: boolean, signal: AbortSignal) => Promise<(Fact | null)[]>;
  /**
   * Writes the lacking parts; nothing is visible before the last. Throws `immutable` where the target keeps what it
   * has.
   */
  put: (artifact: Artifact, lacking: readonly Part[], content: Content) => Promise<void>;
  /** Raw bytes from the beginning, to compare or to verify by. */
  open?: (artifact: Artifact, part: Part, signal: AbortSignal) => Promise<Opened>;
  /**
   * Sets what stands beside the content (tags, deprecation) where it differs; answers what could not be kept, as a
   * sentence.
   */
  label?: (artifact: Artifact, rules: LabelRules, signal: AbortSignal) => Promise<string | null>;
};

/**
 * A target that decides by itself and takes many artifacts at once: another instance. Its images go to the registry
 * that it serves.
 */
export type SettlingTarget = {
  /** Called before anything is written. `create`: make the repository where it is missing. */
  prepare: (options: { create: boolean }, signal: AbortSignal) => Promise<void>;
  settle: (batch: Settling) => Promise<void>;
};

export type Target = PartsTarget | SettlingTarget;

export type Settling = {
  artifacts: readonly SettlingArtifact[];
  rules: Pick<CopyRules, "conflictStrategy" | "includeMetadata">;
  source: Omit<Source, "describe">;
  hooks: CopyHooks;
  /**
   * Called once for each artifact, as soon as its fate is known; not at all for those that a conflict under FAST_FAIL
   * or an abort left undone.
   */
  report: (at: number, outcome: ArtifactOutcome) => void;
};

export type SettlingArtifact = { artifact: Artifact; mayHaveSent: boolean; uploads: UploadState[] };

/** `digest`: as the plan knows it. */
type CopyRequest = ArtifactKey & {
  digest: string | null;
  targetVersions: readonly string[] | undefined;
  rules: CopyRules;
  hooks: CopyHooks;
  uploads: readonly UploadState[];
};

export type Copier = {
  /** Called before each batch whose source may have changed since the last. */
  sourceChanged?: () => void;
  copy: (request: CopyRequest) => Promise<ArtifactOutcome>;
};

/** `ok` null: it could not be found out. */
export type Answer = { ok: boolean | null; message: string };
export type Check = Record<"reachable" | "authenticated" | "allowed", Answer>;
