import { jsonIfAny } from "../../../domain/foreign/json.ts";
import { LIMITS } from "../../../domain/foreign/limits.ts";
import { record } from "../../../domain/json.ts";
import type { Shown } from "../foreign.ts";

/** Entries of an error body that are described; a message quotes still less of most. */
const MOST_ENTRIES = 20;

/** One entry of `{"errors":[{code, message, detail}]}` (distribution-spec, "Error Codes"). */
type ErrorEntry = { code?: unknown; message?: unknown; detail?: unknown } | null;

/** The codes of distribution-spec 1.1, "Error Codes", and Docker's. All others are foreign texts. */
export const OCI_CODES: ReadonlySet<string> = new Set([
  "BLOB_UNKNOWN",
  "BLOB_UPLOAD_INVALID",
  "BLOB_UPLOAD_UNKNOWN",
  "DIGEST_INVALID",
  "MANIFEST_BLOB_UNKNOWN",
  "MANIFEST_INVALID",
  "MANIFEST_UNKNOWN",
  "MANIFEST_UNVERIFIED",
  "NAME_INVALID",
  "NAME_UNKNOWN",
  "SIZE_INVALID",
  "TAG_INVALID",
  "UNAUTHORIZED",
  "DENIED",
  "UNSUPPORTED",
  "TOOMANYREQUESTS",
  "UNKNOWN",
]);

/** Returns the error codes of an error body; none when the body is not in the registry API's format. */
export const errorCodes = (body: string): string[] =>
  (readErrors(body) ?? []).flatMap((error) =>
    typeof error?.code === "string" ? [error.code] : [],
  );

/**
 * Describes the errors in an error body; a body in another format is quoted itself. Says "no space left"
 * in words where the registry `distribution` gives only errno 28.
 */
export function describeErrors(body: string, shown: Shown): string {
  const errors = readErrors(body);
  if (errors === null) return shown(body);
  const full = /"Err":28\b|no space left/.test(body)
    ? "no space left on the device of the registry; "
    : "";
  const said = errors.slice(0, MOST_ENTRIES).map((error) => describeError(error, shown));
  const more = errors.length - said.length;
  return full + said.join("; ") + (more > 0 ? `; and ${more} more` : "");
}

/** Returns the entries of an error body, or null when the body is in another format. */
function readErrors(body: string): ErrorEntry[] | null {
  const { errors } = record(jsonIfAny(body, LIMITS.error));
  return Array.isArray(errors) ? (errors as ErrorEntry[]) : null;
}

function describeError(error: ErrorEntry, shown: Shown): string {
  const detail =
    error?.detail === undefined || error.detail === null
      ? ""
      : ` ${shown(JSON.stringify(error.detail))}`;
  const code = String(error?.code ?? "");
  const named = OCI_CODES.has(code) ? code : shown(code);
  return `${named}: ${shown(String(error?.message ?? ""))}${detail}`;
}
