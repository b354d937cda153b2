import type { StatedFile } from "./sync.ts";
import type { ConflictStrategy, RepositoryType } from "./vocabulary.ts";

/** How instances state whole package versions to each other; docs/instance-protocol.md tells it in prose. */
export const VERSIONS_MEDIA_TYPE = "application/vnd.artifact-replication.versions";

/** Types whose versions are stated. Images travel by their own protocol. */
export const STATED_TYPES = ["MAVEN", "NPM"] as const satisfies RepositoryType[];
export type StatedType = (typeof STATED_TYPES)[number];

export type VersionFile = Omit<StatedFile, "attached">;

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
  createdBy: string;
  createdDate: number;
  lastModifiedBy: string;
  lastModifiedDate: number;
};

export type StatedContent = { sha256: string; size: number };

/**
 * "The repository shall have these versions." A body is: length of the statement's JSON (4 bytes, big-endian), the JSON (UTF-8), then the
 * bytes of `contents` one after the other. Contents may also come alone, ahead of the version that needs them.
 */
export type VersionsStatement = {
  type: StatedType;
  conflictStrategy: ConflictStrategy;
  includeMetadata: boolean;
  contents: StatedContent[];
  versions: StatedVersion[];
};

/**
 * What became of one version.
 * - made: files that it lacked (`written` of them) are there now, `replaced`: some had other content; `same`: nothing was lacking.
 * - conflict: a file (`path`) has other content and all stays as it was; `existing`: digest of the version that is there.
 * - need: send these contents (sha256), then state the version again; `damaged`: attached bytes of it are not what was stated.
 * - refused: it cannot be there (an API code and message); with `existing` since what is there must not change.
 * - stopped: not decided, since an earlier version met a conflict under FAST_FAIL.
 */
export type VersionAnswer =
  | { result: "same" | "damaged" | "stopped" }
  | { result: "made"; written: number }
  | { result: "replaced"; written: number; existing: string }
  | { result: "conflict"; existing: string; path: string }
  | { result: "need"; files: string[] }
  | { result: "refused"; code: number; message: string; existing?: string };

/** `damaged`: the contents (sha256) that arrived as something else and were not kept. */
export type VersionsAnswer = { versions: VersionAnswer[]; damaged: string[] };

/** A stated file beside what the target has in its place; null: nothing. */
export type FilePair = { path: string; sha256: string; existing: string | null };

export type VersionDecision =
  | { kind: "same" }
  | { kind: "write"; replaces: boolean; files: FilePair[] }
  | { kind: "conflict" | "immutable"; path: string }
  | { kind: "need"; files: string[] };

/**
 * Decides one version by its files (design.md §6): lacking ones are written, also to a release; a different one is a conflict of the whole.
 * `immutable`: what is there must not be replaced.
 */
export function decideVersion(pairs: FilePair[], has: (sha256: string) => boolean, strategy: ConflictStrategy, immutable: boolean): VersionDecision {
  const files = pairs.filter(({ sha256, existing }) => existing !== sha256);
  const different = files.find(({ existing }) => existing !== null);
  if (files.length === 0) return { kind: "same" };
  if (different && strategy !== "OVERWRITE") return { kind: "conflict", path: different.path };
  if (different && immutable) return { kind: "immutable", path: different.path };
  const needed = new Set(files.map(({ sha256 }) => sha256).filter((sha256) => !has(sha256)));
  return needed.size > 0 ? { kind: "need", files: [...needed] } : { kind: "write", replaces: different !== undefined, files };
}

/** A planned version by its package's name (without scheme) and its own. */
export type VersionKey = { name: string; version: string };

/** What a worker learns of a version it is to send; `tooMany`: more files than a statement can have. */
export type SourceVersion = { kind: "found"; version: StatedVersion } | { kind: "gone" } | { kind: "tooMany"; files: number };
