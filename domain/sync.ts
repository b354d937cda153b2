import type { ConflictStrategy, RepositoryType } from "./vocabulary.ts";

/** What two instances say to each other; docs/instance-protocol.md tells it in prose. */
export const SYNC_PREFIX = "/replication/sync/v1";
export const SYNC_VERSION = 1;
export const SYNC_PRODUCT = "artifact-replication";
export const FILES_MEDIA_TYPE = "application/vnd.artifact-replication.files";
export const OFFSET_HEADER = "Upload-Offset";

const MIB = 1024 * 1024;

export type SyncLimits = {
  /** Files in one statement. */
  files: number;
  /** Bytes of the statement's JSON. */
  statementBytes: number;
  /** Content bytes behind one statement. */
  contentBytes: number;
  /** Size of one file that may lie behind a statement; a bigger one goes through an upload session. */
  fileBytes: number;
  /** Bytes of one PATCH of an upload session. */
  chunkBytes: number;
  /** Package versions in one statement, files of all of them, and bytes of its JSON. */
  versions: number;
  versionFiles: number;
  versionBytes: number;
};

export const SYNC_LIMITS: SyncLimits = {
  files: 1000,
  statementBytes: 4 * MIB,
  contentBytes: 8 * MIB,
  fileBytes: MIB,
  chunkBytes: 64 * MIB,
  versions: 200,
  versionFiles: 20_000,
  versionBytes: 16 * MIB,
};

export type Capabilities = {
  product: string;
  version: number;
  /** The local cluster name of that instance. */
  name: string;
  limits: SyncLimits;
  /** Types of repositories that may be ensured here; images are then pushed as to any registry. */
  repositoryTypes: RepositoryType[];
};

export type EnsureRequest = { type: RepositoryType };
/** `empty`: it has no files; who has many small ones to send need not ask which are there. */
export type EnsureAnswer = { created: boolean; empty: boolean };

/** One file as the source has it. Dates are epoch ms, digests lower-case hex, `path` begins with "/". */
export type StatedFile = {
  path: string;
  size: number;
  sha256: string;
  metadata: Record<string, string>;
  createdBy: string;
  createdDate: number;
  lastModifiedBy: string;
  lastModifiedDate: number;
  /** True: its `size` bytes follow behind the statement, in the order of the files. */
  attached: boolean;
};

/**
 * "The repository shall have these files." A body is: length of the statement's JSON (4 bytes, big-endian), the JSON (UTF-8), then the
 * attached files' bytes one after the other.
 */
export type Statement = {
  type: RepositoryType;
  conflictStrategy: ConflictStrategy;
  includeMetadata: boolean;
  files: StatedFile[];
};

/**
 * What became of one file.
 * - made, replaced: the node is there now; `same`: it was there before.
 * - conflict: other content is there and stays; `need`: send the content, then state the file again.
 * - refused: this file cannot be there (an API code and message), with `existing` since what is there must not change; `damaged`: the attached bytes are not what was stated.
 * - stopped: not decided, since an earlier file met a conflict under FAST_FAIL.
 */
export type FileAnswer =
  | { result: "made" | "same" | "need" | "stopped" | "damaged" }
  | { result: "replaced" | "conflict"; existing: string }
  | { result: "refused"; code: number; message: string; existing?: string };

export type FilesAnswer = { files: FileAnswer[] };

export type UploadRequest = { sha256: string; size: number };

/** `offset`: bytes the target has for certain; `done`: the content is there, verified. */
export type UploadSession = { id: string; offset: number; done: boolean };

/** The bytes before the contents: length and JSON of a statement. */
export function encodeStatement(statement: object): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(statement));
  const head = new Uint8Array(4 + json.length);
  new DataView(head.buffer).setUint32(0, json.length);
  head.set(json, 4);
  return head;
}

/** What the target has at the path before anything happens. */
export type ExistingFile = { sha256: string };

/** Decides one file by what is there (design.md §6): digests tell a conflict; `null` = nothing is there. */
export function decideFile(
  existing: ExistingFile | null,
  sha256: string,
  hasContent: boolean,
  strategy: ConflictStrategy,
): FileAnswer {
  if (existing?.sha256 === sha256) return { result: "same" };
  if (existing && strategy !== "OVERWRITE") return { result: "conflict", existing: existing.sha256 };
  if (!hasContent) return { result: "need" };
  return existing ? { result: "replaced", existing: existing.sha256 } : { result: "made" };
}
