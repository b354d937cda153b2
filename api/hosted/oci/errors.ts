import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { TransferError, type FailureKind } from "../../../domain/failure.ts";
import { ManifestError } from "../../../domain/image/manifest.ts";
import type { Env } from "../../deps.ts";
import { ApiError } from "../../http/errors.ts";
import {
  CUT_MESSAGE,
  FAILURE_STATUS,
  FULL_STATUS,
  isCut,
  isFault,
  isFull,
} from "../../http/failure-status.ts";

/**
 * The codes of distribution-spec 1.1, "Error Codes"; UNKNOWN is Docker's for faults of the server, UNAVAILABLE its
 * code for a server that has no room for a request now.
 */
type OciCode =
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
  | "UNAVAILABLE"
  | "UNKNOWN";

type Options = { headers?: Record<string, string>; detail?: unknown; cause?: unknown };

/** An answer of `/v2` other than success. */
export class OciError extends Error {
  override readonly name = "OciError";
  readonly status: ContentfulStatusCode;
  readonly code: OciCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly detail: unknown;

  constructor(
    status: ContentfulStatusCode,
    code: OciCode,
    message: string,
    { headers = {}, detail, cause }: Options = {},
  ) {
    super(message, { cause });
    this.status = status;
    this.code = code;
    this.headers = headers;
    this.detail = detail;
  }
}

/**
 * Answers an error thrown below `/v2`. Unexpected errors are logged, and their answer stays
 * generic.
 */
export function ociAnswer(
  thrown: unknown,
  c: Context<Env>,
  log: (error: unknown) => void,
): Response {
  const error = toOciError(thrown);
  if (isFault(error.status)) log(error.cause ?? error);
  const { code, message, detail } = error;
  return c.json(
    { errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] },
    error.status,
    error.headers,
  );
}

/**
 * The error code of each kind of failure; null: the failure is answered as a fault of the registry,
 * and its cause is not sent to the client.
 */
const CODES = {
  digestMismatch: "DIGEST_INVALID",
  invalid: "SIZE_INVALID",
  tooLarge: "BLOB_UPLOAD_INVALID",
  notFound: "BLOB_UPLOAD_UNKNOWN",
  cancelled: "BLOB_UPLOAD_INVALID",
  noSpace: "BLOB_UPLOAD_INVALID",
  unreachable: null,
  timeout: null,
  throttled: null,
  server: null,
  auth: null,
  certificate: null,
  unsupported: null,
  immutable: null,
  yielded: null,
  yieldedWhole: null,
  refused: null,
} as const satisfies Record<FailureKind, OciCode | null>;

/** Statuses that differ from those of other endpoints: the specification has no 409 for uploads. */
const OTHER_STATUS: Partial<Record<FailureKind, ContentfulStatusCode>> = {
  cancelled: 400,
};

function transferAnswer(error: TransferError): OciError | null {
  const { kind, message } = error;
  const code = CODES[kind];
  return (
    code &&
    new OciError(OTHER_STATUS[kind] ?? FAILURE_STATUS[kind], code, message, {
      cause: error,
    })
  );
}

/** Codes of refusals that come before the routes of `/v2`, by their status. */
const API_CODES: Partial<Record<number, OciCode>> = {
  403: "DENIED",
  408: "BLOB_UPLOAD_INVALID",
  429: "TOOMANYREQUESTS",
  503: "UNAVAILABLE",
};

function toOciError(thrown: unknown): OciError {
  if (thrown instanceof OciError) return thrown;
  if (thrown instanceof ManifestError)
    return new OciError(
      400,
      "MANIFEST_INVALID",
      `the manifest is refused: ${thrown.message}`,
    );
  if (thrown instanceof ApiError && (thrown.status < 500 || thrown.status === 503))
    return new OciError(
      thrown.status,
      API_CODES[thrown.status] ?? "UNSUPPORTED",
      thrown.message,
      thrown,
    );
  const known = thrown instanceof TransferError ? transferAnswer(thrown) : null;
  if (known) return known;
  if (isFull(thrown))
    return new OciError(
      FULL_STATUS,
      "UNKNOWN",
      "the disk of the registry is full: free some space and try again",
      {
        cause: thrown,
      },
    );
  if (isCut(thrown)) return new OciError(400, "BLOB_UPLOAD_INVALID", CUT_MESSAGE.en);
  return new OciError(
    500,
    "UNKNOWN",
    "the registry failed: quote the X-Trace-Id of this answer to its operator",
    {
      cause: thrown,
    },
  );
}
