import type { DigestAlgorithm } from "./artifact.ts";
import type { ClaimComparison, ContentClaim } from "./content-digests.ts";
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

/**
 * What instances learned after version 1 was first spoken; a sender uses it only where the target lists it.
 * - uploadsWithoutDigest: an upload begins without a sha256 or a size, and its end answers both.
 * - versionsByOtherDigests: files, of versions or by themselves, are stated without a sha256 or a size.
 */
export const SYNC_FEATURES = ["uploadsWithoutDigest", "versionsByOtherDigests"] as const;
export type SyncFeature = (typeof SYNC_FEATURES)[number];

export type Capabilities = {
  product: string;
  version: number;
  /** The local cluster name of that instance. */
  name: string;
  limits: SyncLimits;
  /** Types of repositories that may be ensured here; images are then pushed as to any registry. */
  repositoryTypes: RepositoryType[];
  /** Older instances list none. */
  features: SyncFeature[];
};

export type EnsureRequest = { type: RepositoryType };
/** `empty`: it has no files; who has many small ones to send need not ask which are there. */
export type EnsureAnswer = { created: boolean; empty: boolean };

/**
 * One file as the source describes it, which need not know what only reading tells. Dates are epoch ms, `path` begins
 * with "/".
 */
export type DescribedFile = ContentClaim & {
  path: string;
  metadata: Record<string, string>;
  createdBy: string;
  createdDate: number;
  lastModifiedBy: string;
  lastModifiedDate: number;
};

/** One file whose content the source has read. Digests are lower-case hex. */
export type StatedFile = DescribedFile & {
  sha256: string;
  size: number;
  /** True: its `size` bytes follow behind the statement, in the order of the files. */
  attached: boolean;
};

/** A file of a statement; only one that was read can be attached. */
export type DescribedEntry = StatedFile | (DescribedFile & { attached: false });

/**
 * "The repository shall have these files." A body is: length of the statement's JSON (4 bytes, big-endian), the JSON
 * (UTF-8), then the attached files' bytes one after the other.
 */
export type Statement<F extends DescribedEntry = StatedFile> = {
  type: RepositoryType;
  conflictStrategy: ConflictStrategy;
  includeMetadata: boolean;
  files: F[];
};

/**
 * What became of one file.
 * - made, replaced: the node is there now; `same`: it was there before.
 * - conflict: other content is there and stays; `need`: send the content, then state the file again with its sha256.
 *   A `need` has `existing` (sha256) where no digest told whether the content that is there is the stated one.
 * - refused: this file cannot be there (an API code and message), with `existing` since what is there must not change;
 * `damaged`: the attached bytes are not what was stated.
 * - stopped: not decided, since an earlier file met a conflict under FAST_FAIL.
 */
export type FileAnswer =
  | { result: "made" | "same" | "stopped" | "damaged" }
  | { result: "need"; existing?: string }
  | { result: "replaced" | "conflict"; existing: string }
  | { result: "refused"; code: number; message: string; existing?: string };

/** Why a file or a version cannot be in a hosted repository. */
export type RefusalReason = "name" | "content" | "path" | "digest" | "forbidden" | "occupied" | "exists";

/** `existing`: digest of what is there and must not change. */
export type Refusal = { result: "refused"; reason: RefusalReason; message: string; existing?: string };

/** An answer before api/sync gives the code of its refusal. */
export type Decided<A extends { result: string }> = Exclude<A, { result: "refused" }> | Refusal;

export type FilesAnswer = { files: FileAnswer[] };

export type UploadRequest = { sha256: string; size: number };

/**
 * What is known of a content before it is uploaded, or at the end of its upload; each that is given must be met then.
 */
export type UploadClaim = { [A in DigestAlgorithm]?: string | null | undefined } & { size?: number | null | undefined };

/** `offset`: bytes the target has for certain; `done`: the content is there, verified. */
export type UploadSession = { id: string; offset: number; done: boolean };

/** What the end of an upload answers. */
export type UploadedContent = UploadSession & { sha256: string; size: number };

/** The bytes before the contents: length and JSON of a statement. */
export function encodeStatement(statement: object): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(statement));
  const head = new Uint8Array(4 + json.length);
  new DataView(head.buffer).setUint32(0, json.length);
  head.set(json, 4);
  return head;
}

/**
 * Decides one file by its comparison with what is there, whose sha256 is `existing`. `hasContent`: the sha256 of the
 * file is known, and the target has that content somewhere.
 */
export function decideFile(
  comparison: ClaimComparison,
  existing: string | null,
  hasContent: boolean,
  strategy: ConflictStrategy,
): Exclude<FileAnswer, { result: "refused" }> {
  if (comparison === "same") return { result: "same" };
  if (existing === null) return { result: hasContent ? "made" : "need" };
  if (comparison === "unknown") return { result: "need", existing };
  if (strategy !== "OVERWRITE") return { result: "conflict", existing };
  return hasContent ? { result: "replaced", existing } : { result: "need" };
}
