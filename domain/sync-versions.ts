import type { ClaimComparison } from "./content-digests.ts";
import { HOSTED_VERSION_TYPES, type HostedVersionType } from "./repository-types.ts";
import type { DescribedFile, StatedFile } from "./sync.ts";
import type { ConflictStrategy } from "./vocabulary.ts";

/**
 * Media type of a declaration of whole package versions from one instance to another
 * (docs/instance-protocol.md).
 */
export const VERSIONS_MEDIA_TYPE = "application/vnd.artifact-replication.versions";

/** Types whose versions are declared. Images are pushed by the registry protocol instead. */
export type StatedType = HostedVersionType;
export const STATED_TYPES: readonly StatedType[] = HOSTED_VERSION_TYPES;

export type VersionFile = Omit<StatedFile, "attached">;

/**
 * Maximum number of `sourceVersions`; the versions of a package with more are declared without that field.
 */
export const MOST_SOURCE_VERSIONS = 100_000;

/** One version at the source: all of its files but checksums and maven-metadata. */
export type StatedVersion = {
  /**
   * The name of the package: the part of its key after `://`, such as `com.acme:lib` of
   * `gav://com.acme:lib`.
   */
  package: string;
  version: string;
  /** Digest of the whole version, `sha256:{hex}`, as in the table `version`. */
  digest: string;
  files: VersionFile[];
  /**
   * npm: the version's document (its package.json with additions of the registry). Maven: facts of its POMs
   * (`packagings` by sha256); null: none.
   */
  document: Record<string, unknown> | null;
  /** npm: the dist-tags that name this version at the source. Maven: empty. */
  distTags: string[];
  /**
   * npm: all versions of the package at the source, sent if `latest` is among the tags and there are at
   * most MOST_SOURCE_VERSIONS: the target needs them to decide whether `latest` changes
   * (domain/npm/tags.ts). Older instances do not send them.
   */
  sourceVersions?: string[];
  createdBy: string;
  createdDate: number;
  lastModifiedBy: string;
  lastModifiedDate: number;
};

/**
 * A version described by a source that need not have read all of its files. `digest` null: the target
 * computes it from the files.
 */
export type DescribedVersion = Omit<StatedVersion, "digest" | "files"> & {
  digest: string | null;
  files: DescribedFile[];
};

export type StatedContent = { sha256: string; size: number };

/**
 * Declares: "The repository shall have these versions." A body is: length of the declaration's JSON (4
 * bytes, big-endian), the JSON (UTF-8), then the bytes of `contents` one after the other. Contents may also
 * be sent alone, before the version that needs them.
 */
export type VersionsStatement<V extends DescribedVersion = StatedVersion> = {
  type: StatedType;
  conflictStrategy: ConflictStrategy;
  includeMetadata: boolean;
  contents: StatedContent[];
  versions: V[];
};

/**
 * Outcome of one version.
 * - made: the missing files of the version (`written` of them) are written; replaced: some of them replace
 *   other content; same: all files were there with equal content.
 * - conflict: a file (`path`) has other content, and all stays as it was; `existing`: digest of the present
 *   version, "" if its files are no version yet.
 * - need: send these contents (sha256), and those of the files at `paths`, whose sha256 was not given; then
 *   declare the version again with everything that the uploads returned.
 * - damaged: the attached bytes are not the declared ones.
 * - refused: the version cannot exist there (an API code and message); with `existing`: the present version
 *   must not change.
 * - stopped: not decided, because an earlier version met a conflict under FAST_FAIL.
 */
export type VersionAnswer =
  | { result: "same" | "damaged" | "stopped" }
  | { result: "made"; written: number }
  | { result: "replaced"; written: number; existing: string }
  | { result: "conflict"; existing: string; path: string }
  | { result: "need"; files: string[]; paths?: string[] }
  | { result: "refused"; code: number; message: string; existing?: string };

/** `damaged`: sha256 of contents that arrived with other bytes and were not kept. */
export type VersionsAnswer = { versions: VersionAnswer[]; damaged: string[] };

/** A declared file, compared with the file at its place at the target. */
export type FilePair = {
  path: string;
  sha256: string | null;
  comparison: ClaimComparison;
};

type VersionDecision =
  | { kind: "same" }
  | { kind: "write"; replaces: boolean; files: FilePair[] }
  | { kind: "conflict" | "immutable"; path: string }
  | { kind: "need"; files: string[]; paths: string[] };

/**
 * Decides what happens to a version from the comparisons of its files (docs/decisions.md#versions): missing
 * files are written, also to a release; one file with other content is a conflict of the whole version, in
 * which OVERWRITE replaces the file. `has`: whether the target has a content; `immutable`: present files
 * must not be replaced.
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
  if (different && strategy !== "OVERWRITE")
    return { kind: "conflict", path: different.path };
  if (different && immutable) return { kind: "immutable", path: different.path };
  const needed = new Set(
    files.flatMap(({ sha256 }) => (sha256 === null || has(sha256) ? [] : [sha256])),
  );
  const paths = files.filter(({ sha256 }) => sha256 === null).map(({ path }) => path);
  if (needed.size + paths.length > 0) return { kind: "need", files: [...needed], paths };
  return { kind: "write", replaces: different !== undefined, files };
}

/**
 * Builds a "need" answer. It has no `paths` when there are none, because an older sender does not know that
 * field.
 */
export const needAnswer = (
  files: string[],
  paths: string[],
): VersionAnswer & { result: "need" } =>
  paths.length > 0 ? { result: "need", files, paths } : { result: "need", files };

/** Key of a planned version: the package's name (without scheme) and the version. */
export type VersionKey = { name: string; version: string };

/** A version that a worker is to send; `tooMany`: it has more files than a declaration can have. */
export type SourceVersion =
  | { kind: "found"; version: StatedVersion }
  | { kind: "gone" }
  | { kind: "tooMany"; files: number };
