import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { TransferError, type FailureKind } from "../../domain/failure.ts";
import { ManifestError } from "../../domain/oci-manifest.ts";
import type { Env } from "../deps.ts";
import { ApiError } from "../errors.ts";

/** The codes of distribution-spec 1.1, "Error Codes"; UNKNOWN is Docker's for faults of the server. */
export type OciCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "UNAUTHORIZED"
  | "DENIED"
  | "UNSUPPORTED"
  | "TOOMANYREQUESTS"
  | "UNKNOWN";

type Options = { headers?: Record<string, string>; detail?: unknown; cause?: unknown };

/** An answer of `/v2` other than success. */
export class OciError extends Error {
  override readonly name = "OciError";
  readonly status: ContentfulStatusCode;
  readonly code: OciCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly detail: unknown;

  constructor(status: ContentfulStatusCode, code: OciCode, message: string, { headers = {}, detail, cause }: Options = {}) {
    super(message, { cause });
    this.status = status;
    this.code = code;
    this.headers = headers;
    this.detail = detail;
  }
}

/** The answer for anything thrown below `/v2`; what is not ours to explain is logged and stays generic. */
export function ociAnswer(thrown: unknown, c: Context<Env>, log: (error: unknown) => void): Response {
  const error = toOciError(thrown);
  if (error.status >= 500) log(error.cause ?? error);
  const { code, message, detail } = error;
  return c.json({ errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] }, error.status, error.headers);
}

const KINDS: Partial<Record<FailureKind, [ContentfulStatusCode, OciCode]>> = {
  digestMismatch: [400, "DIGEST_INVALID"],
  invalid: [400, "SIZE_INVALID"],
  tooLarge: [413, "BLOB_UPLOAD_INVALID"],
  notFound: [404, "BLOB_UPLOAD_UNKNOWN"],
  cancelled: [400, "BLOB_UPLOAD_INVALID"],
  noSpace: [507, "BLOB_UPLOAD_INVALID"],
};

function toOciError(thrown: unknown): OciError {
  if (thrown instanceof OciError) return thrown;
  if (thrown instanceof ManifestError) return new OciError(400, "MANIFEST_INVALID", `the manifest is refused: ${thrown.message}`);
  if (thrown instanceof ApiError && thrown.status === 429) return new OciError(429, "TOOMANYREQUESTS", thrown.message, thrown);
  if (thrown instanceof ApiError && thrown.status < 500) return new OciError(thrown.status, "UNSUPPORTED", thrown.message);
  const [status, code] = thrown instanceof TransferError ? (KINDS[thrown.kind] ?? []) : [];
  if (thrown instanceof TransferError && status !== undefined && code !== undefined) return new OciError(status, code, thrown.message, { cause: thrown });
  const reason = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  if (FULL.has(reason)) return new OciError(507, "UNKNOWN", "the disk of the registry is full: free some space and try again", { cause: thrown });
  if (reason === "ECONNRESET") return new OciError(400, "BLOB_UPLOAD_INVALID", "the connection was cut before the whole body had come");
  return new OciError(500, "UNKNOWN", "the registry failed: quote the X-Trace-Id of this answer to its operator", { cause: thrown });
}

const FULL = new Set(["ENOSPC", "EDQUOT", "SQLITE_FULL"]);
