import type { DigestAlgorithm } from "./artifact.ts";
import type { ClaimComparison, ContentClaim } from "./content-digests.ts";
import type { ConflictStrategy, RepositoryType } from "./vocabulary.ts";

/** Path prefix of the protocol between two instances; docs/instance-protocol.md describes it. */
export const SYNC_PREFIX = "/replication/sync/v1";
export const SYNC_VERSION = 1;
export const SYNC_PRODUCT = "artifact-replication";
export const FILES_MEDIA_TYPE = "application/vnd.artifact-replication.files";
export const OFFSET_HEADER = "Upload-Offset";

const MIB = 1024 * 1024;

export type SyncLimits = {
  /** Maximum number of files in one declaration. */
  files: number;
  /** Maximum bytes of the JSON of one declaration of files. */
  statementBytes: number;
  /** Maximum bytes of all file contents that follow the JSON of one declaration in its request body. */
  contentBytes: number;
  /** Maximum bytes of one file that follows a declaration; a bigger one goes through an upload session. */
  fileBytes: number;
  /** Maximum bytes of one PATCH of an upload session. */
  chunkBytes: number;
  /** Maximum number of package versions in one declaration. */
  versions: number;
  /** Maximum number of files of all versions in one declaration. */
  versionFiles: number;
  /** Maximum bytes of the JSON of one declaration of versions. */
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
 * Features added after version 1 of the protocol; a sender uses one only if the target lists it.
 * - uploadsWithoutDigest: an upload begins without a sha256 or a size; its end returns both.
 * - versionsByOtherDigests: files, of versions or alone, are declared without a sha256 or a size.
 */
export const SYNC_FEATURES = ["uploadsWithoutDigest", "versionsByOtherDigests"] as const;
export type SyncFeature = (typeof SYNC_FEATURES)[number];

export type Capabilities = {
  product: string;
  version: number;
  /** Name of the instance's local cluster. */
  name: string;
  limits: SyncLimits;
  /** Repository types that may be created at the instance; images are then pushed as to any registry. */
  repositoryTypes: RepositoryType[];
  /** Features that the instance supports; older instances list none. */
  features: SyncFeature[];
};

/** `empty`: the repository has no files, so a sender of many small files need not ask which are present. */
export type EnsureAnswer = { created: boolean; empty: boolean };

/**
 * One file as the source describes it; facts that only reading would reveal may be missing. Dates are epoch
 * ms, `path` begins with "/".
 */
export type DescribedFile = ContentClaim & {
  path: string;
  metadata: Record<string, string>;
  createdBy: string;
  createdDate: number;
  lastModifiedBy: string;
  lastModifiedDate: number;
};

/** One file whose sha256 and size the source knows. Digests are lower-case hex. */
export type StatedFile = DescribedFile & {
  sha256: string;
  size: number;
  /** True: the content (`size` bytes) follows the declaration, in the order of the files. */
  attached: boolean;
};

/** A file of a declaration; only a file whose sha256 and size are known can be attached. */
export type DescribedEntry = StatedFile | (DescribedFile & { attached: false });

/**
 * Declares: "The repository shall have these files." A body is: length of the declaration's JSON (4 bytes, big-endian),
 * the JSON (UTF-8), then the attached files' bytes one after the other.
 */
export type Statement<F extends DescribedEntry = StatedFile> = {
  type: RepositoryType;
  conflictStrategy: ConflictStrategy;
  includeMetadata: boolean;
  files: F[];
};

/**
 * Outcome of one file.
 * - made: the file is new; replaced: the file had other content (sha256 `existing`); same: the file was there
 *   with equal content.
 * - conflict: other content is present and stays.
 * - need: send the content, then declare the file again with its sha256. With `existing` (sha256 of the
 *   present content): no digest decides whether that is the declared content.
 * - refused: this file cannot exist there (an API code and message); with `existing`: the present file must
 *   not change.
 * - damaged: the attached bytes are not the declared ones.
 * - stopped: not decided, because an earlier file met a conflict under FAST_FAIL.
 */
export type FileAnswer =
  | { result: "made" | "same" | "stopped" | "damaged" }
  | { result: "need"; existing?: string }
  | { result: "replaced" | "conflict"; existing: string }
  | { result: "refused"; code: number; message: string; existing?: string };

/** Why a file or a version cannot be in a hosted repository. */
export type RefusalReason =
  "name" | "content" | "path" | "digest" | "forbidden" | "occupied" | "exists" | "quota";

/** `existing`: digest of the present file or version, which must not change. */
export type Refusal = {
  result: "refused";
  reason: RefusalReason;
  message: string;
  existing?: string;
};

/** An outcome whose refusal has no API code yet; api/sync adds the code. */
export type Decided<A extends { result: string }> =
  Exclude<A, { result: "refused" }> | Refusal;

export type UploadRequest = { sha256: string; size: number };

/**
 * Size and digests that a sender states for an upload, at its beginning or its end; the content must match
 * each one.
 */
export type UploadClaim = { [A in DigestAlgorithm]?: string | null | undefined } & {
  size?: number | null | undefined;
};

/** `offset`: bytes that the target has for certain; `done`: the content is present and verified. */
export type UploadSession = { id: string; offset: number; done: boolean };

/** Answer to the end of an upload. */
export type UploadedContent = UploadSession & { sha256: string; size: number };

/**
 * Encodes the first part of a declaration's body, before the contents: the length of the JSON, and the
 * JSON.
 */
export function encodeStatement(statement: object): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(statement));
  const head = new Uint8Array(4 + json.length);
  new DataView(head.buffer).setUint32(0, json.length);
  head.set(json, 4);
  return head;
}

/**
 * Decides what happens to one declared file. `comparison`: with the file at the target, whose sha256 is
 * `existing` (null: no file there). `hasContent`: the sha256 is known, and the target has that content
 * somewhere.
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
