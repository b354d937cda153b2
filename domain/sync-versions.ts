import type { ClaimComparison } from "./content-digests.ts";
import { HOSTED_VERSION_TYPES, type HostedVersionType } from "./repository-types.ts";
import type { DescribedFile, StatedFile } from "./sync.ts";
import type { ConflictStrategy } from "./vocabulary.ts";

/** How instances state whole package versions to each other; docs/instance-protocol.md tells it in prose. */
export const VERSIONS_MEDIA_TYPE = "application/vnd.artifact-replication.versions";

/** Types whose versions are stated. Images travel by their own protocol. */
export type StatedType = HostedVersionType;
export const STATED_TYPES: readonly StatedType[] = HOSTED_VERSION_TYPES;

export type VersionFile = Omit<StatedFile, "attached">;

/** Names in `sourceVersions`; a package that has more is stated without. */
export const MOST_SOURCE_VERSIONS = 100_000;

/** One version as the source has it: all of its files but checksums and maven-metadata. */
export type StatedVersion = {
  /** The package key without its scheme. */
  package: string;
  version: string;
  /** `sha256:{hex}` of the whole version, as version rows have it. */
  digest: string;
  files: VersionFile[];
  /** npm: the version's document. */
  document: Record<string, unknown> | null;
  /** npm: the dist-tags that name this version at the source. */
  distTags: string[];
  /**
   * npm: all versions of the package that the source has, told where `latest` is among the tags: the target decides by
   * them whether `latest` moves (domain/npm/tags.ts). Older instances do not tell.
   */
  sourceVersions?: string[];
  createdBy: string;
  createdDate: number;
  lastModifiedBy: string;
  lastModifiedDate: number;
};

/**
 * A version as a source describes it that has not read all of its files. `digest` null: the target works it out of the
 * files.
 */
export type DescribedVersion = Omit<StatedVersion, "digest" | "files"> & {
  digest: string | null;
  files: DescribedFile[];
};

export type StatedContent = { sha256: string; size: number };

/**
 * "The repository shall have these versions." A body is: length of the statement's JSON (4 bytes, big-endian), the JSON
 * (UTF-8), then the bytes of `contents` one after the other. Contents may also come alone, ahead of the version that
 * needs them.
 */
export type VersionsStatement<V extends DescribedVersion = StatedVersion> = {
  type: StatedType;
  conflictStrategy: ConflictStrategy;
  includeMetadata: boolean;
  contents: StatedContent[];
  versions: V[];
};

/**
 * What became of one version.
 * - made: files that it lacked (`written` of them) are there now, `replaced`: some had other content; `same`: nothing
 * was lacking.
 * - conflict: a file (`path`) has other content and all stays as it was; `existing`: digest of the version that is
 * there.
 * - need: send these contents (sha256), and those of the files at `paths`, whose sha256 was not stated; then state the
 * version again with all
 *   that the uploads answered. `damaged`: attached bytes of it are not what was stated.
 * - refused: it cannot be there (an API code and message); with `existing` since what is there must not change.
 * - stopped: not decided, since an earlier version met a conflict under FAST_FAIL.
 */
export type VersionAnswer =
  | { result: "same" | "damaged" | "stopped" }
  | { result: "made"; written: number }
  | { result: "replaced"; written: number; existing: string }
  | { result: "conflict"; existing: string; path: string }
  | { result: "need"; files: string[]; paths?: string[] }
  | { result: "refused"; code: number; message: string; existing?: string };

/** `damaged`: the contents (sha256) that arrived as something else and were not kept. */
export type VersionsAnswer = { versions: VersionAnswer[]; damaged: string[] };

/** A stated file beside what the target has in its place. */
export type FilePair = { path: string; sha256: string | null; comparison: ClaimComparison };

export type VersionDecision =
  | { kind: "same" }
  | { kind: "write"; replaces: boolean; files: FilePair[] }
  | { kind: "conflict" | "immutable"; path: string }
  | { kind: "need"; files: string[]; paths: string[] };

/**
 * Decides one version by its files (docs/decisions.md#versions): lacking ones are written, also to a release; a
 * different one is a conflict of the whole. `immutable`: what is there must not be replaced.
 */
export function decideVersion(
  pairs: FilePair[],
  has: (sha256: string) => boolean,
  strategy: ConflictStrategy,
  immutable: boolean,
): VersionDecision {
  const files = pairs.filter(({ comparison }) => comparison !== "same");
  const different = files.find(({ comparison }) => comparison === "different");
  if (files.length === 0) return { kind: "same" };
  if (different && strategy !== "OVERWRITE") return { kind: "conflict", path: different.path };
  if (different && immutable) return { kind: "immutable", path: different.path };
  const needed = new Set(files.flatMap(({ sha256 }) => (sha256 === null || has(sha256) ? [] : [sha256])));
  const paths = files.filter(({ sha256 }) => sha256 === null).map(({ path }) => path);
  if (needed.size + paths.length > 0) return { kind: "need", files: [...needed], paths };
  return { kind: "write", replaces: different !== undefined, files };
}

/** `paths` only where there are any: who does not know of them never meets them. */
export const needAnswer = (files: string[], paths: string[]): VersionAnswer & { result: "need" } =>
  paths.length > 0 ? { result: "need", files, paths } : { result: "need", files };

/** A planned version by its package's name (without scheme) and its own. */
export type VersionKey = { name: string; version: string };

/** What a worker learns of a version it is to send; `tooMany`: more files than a statement can have. */
export type SourceVersion =
  { kind: "found"; version: StatedVersion } | { kind: "gone" } | { kind: "tooMany"; files: number };
