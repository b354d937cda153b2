import type { Artifact, ArtifactKey, Part } from "../../domain/artifact.ts";
import type { Check, CheckUse } from "../../domain/check.ts";
import type { Fact, TargetNature } from "../../domain/decide.ts";
import type { TransferError } from "../../domain/failure.ts";
import type {
  ArtifactOutcome,
  CopyHooks,
  CopyRules,
  UploadState,
} from "../../domain/outcome.ts";
import type { OnRealm, Realms } from "../../domain/realms.ts";
import type { PackageConstraint, PathConstraint } from "../../domain/task.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import type { HttpOptions } from "./http.ts";
import type { Pace } from "./pace.ts";

/**
 * The client of one protocol (docs/connectors.md). A connector lacks the functions for what it cannot do.
 * Errors are TransferErrors, whose kind says whether a later try makes sense. No function retries, except once
 * with a new token.
 */
export type Connector = {
  lister?: Open<Lister>;
  source?: Open<Source>;
  target?: Open<Target>;
  /**
   * Opens a copier, which copies whole artifacts from one end to another. For artifacts that are no
   * flat lists of parts (images).
   */
  copier?: (from: End, to: End) => Copier & Closing;
  /**
   * Checks whether an end is reachable, is what this connector speaks to, accepts the login and, as far as that can be
   * tested, permits its `use`. Throws only when the signal fires or the address of the end cannot be opened.
   */
  check: (end: End, use: CheckUse, signal: AbortSignal) => Promise<Check>;
};

export type Closing = { close: () => Promise<void> };

/**
 * Opens an end; sends no request. Throws for an address that cannot be opened. `type`: the type of the
 * replicated repository.
 */
type Open<T> = (end: End, type: RepositoryType) => T & Closing;

/**
 * One end with its credentials in plain text. `namespace`: the prefix of every name at this end, such as
 * `team/images`; "" for none. `instance`: the end is an instance of this product, whose url may have a path.
 * `authorize`, only for the image registry of an instance, replaces the login: it returns the Authorization
 * value for its requests (undefined: send none), another one if `refused` was refused and there is one. `realms`:
 * the token realms that may get the password, absent as null;
 * `onRealm` is told of each realm that demands it, of one that gets it once it has accepted it.
 */
export type End = Omit<HttpOptions, "secrets"> & {
  url: string;
  namespace: string;
  username: string | null;
  password: string | null;
  token: string | null;
  pace?: Pace;
  instance?: boolean;
  authorize?: (refused?: string) => string | undefined | Promise<string>;
  realms?: Realms;
  onRealm?: OnRealm;
};

/** The wanted packages and paths of a repository; everything when both lists are empty. */
export type Selection = {
  packages: readonly PackageConstraint[];
  paths: readonly PathConstraint[];
};

/** One artifact of a listing. `size` and `digest` (`algorithm:hex`) are null when the listing does not state them. */
export type Listed = ArtifactKey & { size: number | null; digest: string | null };

/**
 * `missing`: requested artifacts that do not exist (`version` "": no version exists), each with a sentence as `reason`.
 * `next`: the cursor of the next page; null after the last. `attached`: entries that look like artifacts but are parts
 * of others and are copied with those.
 */
export type ListedPage = {
  found: Listed[];
  missing: (ArtifactKey & { reason: string })[];
  attached?: ArtifactKey[];
  next: string | null;
};

export type Lister = {
  /**
   * Returns one page of artifacts, at most 500. A page may be empty without being the last; a listing that cannot
   * be complete throws. Whether a version that the selection names exists may be left unchecked.
   */
  list: (
    wanted: Selection,
    cursor: string | null,
    signal: AbortSignal,
  ) => Promise<ListedPage>;
};

/**
 * `size`: the size of the whole part, independent of the offset; null when the end does not state it.
 * The caller must read `chunks` to the end, or call `return` on their iterator.
 */
export type Opened = { size: number | null; chunks: AsyncIterable<Uint8Array> };

export type Source = {
  /**
   * Describes the artifacts of the first keys, in their order: at least one, and as many as the source
   * describes in one call. null: the artifact no longer exists; an error: why the artifact cannot be described.
   */
  describe: (
    keys: readonly ArtifactKey[],
    signal: AbortSignal,
  ) => Promise<(Artifact | TransferError | null)[]>;
  /** Opens a part and returns its raw bytes from `offset` on. */
  open: (
    artifact: Artifact,
    part: Part,
    offset: number,
    signal: AbortSignal,
  ) => Promise<Opened>;
  /**
   * Reads small contents together and returns them by sha256. Contents that are missing in the result
   * must be opened one by one.
   */
  openSmall?: (
    parts: readonly Part[],
    signal: AbortSignal,
  ) => Promise<Map<string, Buffer>>;
  /**
   * Builds the error for bytes that do not match the description of the part; `found` describes the
   * bytes that were read.
   */
  damaged: (part: Part, found: string) => TransferError;
};

/** A request body; `size`: the size of the part, null when its source does not state it. */
type Body = { size: number | null; bytes: AsyncIterable<Uint8Array> };

/**
 * The contents that a target writes. Bodies are limited to the rate of the run and counted. A part that is read
 * from its beginning is verified against the description of the source.
 */
export type Content = {
  signal: AbortSignal;
  /**
   * Opens the bytes of a part. `encode` turns them into the body of a request; the rate limit applies to the encoded
   * body.
   */
  open: (
    part: Part,
    options?: {
      offset?: number;
      encode?: (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
    },
  ) => Promise<Body>;
  /**
   * `uploads`: unfinished uploads of earlier attempts. `keep` records the state of an upload after each
   * chunk that the target has confirmed.
   */
  uploads: readonly UploadState[];
  keep: (state: UploadState) => void;
};

export type LabelRules = Pick<CopyRules, "conflictStrategy" | "includeMetadata">;

/**
 * A target that reports facts about its contents and accepts an artifact part by part; its caller
 * (activities/transfer/parts.ts) decides what to write and verifies it.
 */
export type PartsTarget = {
  nature: TargetNature;
  /**
   * Returns facts about each part, in order; null: the part does not exist. `fresh`: look at the target
   * again and ignore remembered facts.
   */
  stat: (
    artifact: Artifact,
    fresh: boolean,
    signal: AbortSignal,
  ) => Promise<(Fact | null)[]>;
  /**
   * Writes the missing parts; nothing is visible before the last one. Throws `immutable` when the
   * target refuses to replace existing content.
   */
  put: (artifact: Artifact, lacking: readonly Part[], content: Content) => Promise<void>;
  /** Opens the raw bytes of a part from the beginning, for comparison or verification. */
  open?: (artifact: Artifact, part: Part, signal: AbortSignal) => Promise<Opened>;
  /**
   * Sets the labels of an artifact (tags, deprecation) if they differ. Returns a sentence about the
   * labels that the target cannot keep, or null.
   */
  label?: (
    artifact: Artifact,
    rules: LabelRules,
    signal: AbortSignal,
  ) => Promise<string | null>;
};

/**
 * A target that accepts many artifacts at once and decides itself what it lacks: another instance.
 * Images go to the instance's image registry instead.
 */
export type SettlingTarget = {
  /** Called before anything is written. `create`: whether to create the repository if it is missing. */
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
   * Called once for each artifact, as soon as its outcome is known. Not called for an artifact that is left
   * unfinished, because of a conflict under FAST_FAIL, an abort, or the end of the batch's slice.
   */
  report: (at: number, outcome: ArtifactOutcome) => void;
};

export type SettlingArtifact = {
  artifact: Artifact;
  mayHaveSent: boolean;
  uploads: UploadState[];
};

/** One image to copy; `digest`: its digest at the source, null when the batch does not know it. */
type CopyRequest = ArtifactKey & {
  digest: string | null;
  targetVersions: readonly string[] | undefined;
  rules: CopyRules;
  hooks: CopyHooks;
  uploads: readonly UploadState[];
};

export type Copier = {
  /** Called before each batch if the source may have changed since the previous batch. */
  sourceChanged?: () => void;
  copy: (request: CopyRequest) => Promise<ArtifactOutcome>;
};
