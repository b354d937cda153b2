/** One entry of `{"errors":[{code, message, detail}]}` (distribution-spec, "Error Codes"). */
type ErrorEntry = { code?: unknown; message?: unknown; detail?: unknown } | null;

/** Returns the error codes of an error body; none when the body is not in the registry API's format. */
export const errorCodes = (body: string): string[] =>
  (readErrors(body) ?? []).flatMap((error) =>
    typeof error?.code === "string" ? [error.code] : [],
  );

/**
 * Describes the errors in an error body; a body in another format is returned unchanged. Says "no space left"
 * in words where the registry `distribution` gives only errno 28.
 */
export function describeErrors(body: string): string {
  const errors = readErrors(body);
  if (errors === null) return body;
  const full = /"Err":28\b|no space left/.test(body)
    ? "no space left on the device of the registry; "
    : "";
  return full + errors.map(describeError).join("; ");
}

/** Returns the entries of an error body, or null when the body is in another format. */
function readErrors(body: string): ErrorEntry[] | null {
  try {
    const errors = (JSON.parse(body) as { errors?: unknown } | null)?.errors;
    return Array.isArray(errors) ? (errors as ErrorEntry[]) : null;
  } catch {
    return null;
  }
}

function describeError(error: ErrorEntry): string {
  const detail =
    error?.detail === undefined || error.detail === null
      ? ""
      : ` ${JSON.stringify(error.detail)}`;
  return `${String(error?.code ?? "")}: ${String(error?.message ?? "")}${detail}`;
}
