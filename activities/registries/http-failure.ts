import { errors } from "undici";
import { stopOf, TransferError, type FailureKind } from "../../domain/failure.ts";
import { TooSlow } from "./rate-floor.ts";
import { AddressRefusal, refusalOf } from "./addresses.ts";
import type { Place, Shown } from "./foreign.ts";

const LONGEST_RETRY_AFTER_MS = 10 * 60_000;
const MOST_CODES = 20;
const LONGEST_CODE = 64;

function statusKind(status: number): FailureKind {
  if (status === 401 || status === 403 || status === 407) return "auth";
  if (status === 404) return "notFound";
  if (status === 408) return "timeout";
  if (status === 413) return "tooLarge";
  if (status === 429) return "throttled";
  if (status === 507) return "noSpace";
  if (status === 501) return "unsupported";
  return status >= 500 ? "server" : "invalid";
}

const ADVICE: Partial<Record<FailureKind, string>> = {
  auth: "check username, password and what this user may do there",
  tooLarge: "raise the limit of the server or of the proxy before it",
  noSpace: "free space there",
  throttled: "the server demands fewer requests",
};

/**
 * The content of an error answer: its body in one line that is safe for messages, its Retry-After, and the error
 * codes of its protocol.
 */
type Said = {
  detail: string;
  retryAfter: string | undefined;
  codes?: readonly string[] | undefined;
};

/** Builds the error for an answer whose status is not accepted. */
export function statusFailure(
  status: number,
  what: string,
  { where }: Place,
  { detail, retryAfter, codes }: Said,
): TransferError {
  const kind = statusKind(status);
  const advice = ADVICE[kind];
  const said = detail === "" ? "" : ` (${detail})`;
  return new TransferError(
    kind,
    `${what}: ${where} answered ${status}${said}${advice === undefined ? "" : `: ${advice}`}`,
    {
      notBefore:
        kind === "throttled" || kind === "server"
          ? retryAfterTime(retryAfter, Date.now())
          : undefined,
      codes,
    },
  );
}

/**
 * Parses Retry-After (RFC 9110 §10.2.3: seconds or a date) into epoch milliseconds, at most ten minutes after
 * `now`; undefined when the value is missing, invalid or not in the future.
 */
export function retryAfterTime(
  value: string | undefined,
  now: number,
): number | undefined {
  if (value === undefined) return undefined;
  const time = /^\d+$/.test(value.trim())
    ? now + Number(value) * 1000
    : Date.parse(value);
  if (Number.isNaN(time) || time <= now) return undefined;
  return Math.min(time, now + LONGEST_RETRY_AFTER_MS);
}

/**
 * Prepares error codes of a server for an error: at most 20 different ones, each of at most 64 characters. `known`:
 * the codes that the protocol defines; all others are foreign texts. Returns undefined for an empty list.
 */
export function bounded(
  codes: readonly string[],
  known: ReadonlySet<string>,
  shown: Shown,
): readonly string[] | undefined {
  const distinct = [...new Set(codes)].slice(0, MOST_CODES);
  return distinct.length === 0
    ? undefined
    : distinct.map((code) =>
        known.has(code) ? code : shown(code).slice(0, LONGEST_CODE),
      );
}

/** Codes of errors about the certificate of a server. */
export const CERTIFICATE_CODES: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
  "CERT_SIGNATURE_FAILURE",
  "CERT_NOT_YET_VALID",
  "CERT_HAS_EXPIRED",
  "CERT_CHAIN_TOO_LONG",
  "CERT_REVOKED",
  "CERT_REJECTED",
  "CERT_UNTRUSTED",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "HOSTNAME_MISMATCH",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

/**
 * A request for messages: its subject, its destination, and what makes the words of a library safe for them.
 * `hasAnswered`: there were answers to the client before, so that it does not speak to a port of another protocol.
 */
type Failed = { what: string; place: Place; shown: Shown; hasAnswered: boolean };

/**
 * Builds the error for a request without an answer, or for a body that broke off. A TransferError behind
 * `error` is returned as it is. `idleMs`: the longest silence (ms) that is tolerated.
 */
export function connectionFailure(
  error: unknown,
  { what, place: { host, where }, shown, hasAnswered }: Failed,
  signal: AbortSignal | undefined,
  idleMs: number,
): TransferError {
  const known = findCause(error, TransferError);
  if (known !== undefined) return known;
  const refused = findCause(error, AddressRefusal);
  if (refused !== undefined)
    return new TransferError(
      "invalid",
      refusalOf(`${host} (${refused.address})`, refused.reason),
      {
        cause: error,
      },
    );
  if (signal?.aborted === true)
    return new TransferError("cancelled", `${what}: ${stopOf(signal).message}`, {
      cause: error,
    });
  const code = errorCode(error);
  if (CERTIFICATE_CODES.has(code)) {
    const why = `the certificate of ${host} ${certificateFault(code)}`;
    return new TransferError("certificate", `${what}: ${why}`, { cause: error });
  }
  const foreign = foreignProtocol(error, code, hasAnswered);
  if (foreign !== null)
    return new TransferError("invalid", `${what}: ${host} ${foreign}`, { cause: error });
  if (error instanceof errors.ConnectTimeoutError || code === "ETIMEDOUT") {
    return new TransferError(
      "timeout",
      `${what}: no connection to ${host} in time: check the address and the firewalls between`,
      {
        cause: error,
      },
    );
  }
  if (
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError
  ) {
    return new TransferError(
      "timeout",
      `${what}: ${where} was silent for ${Math.round(idleMs / 1000)} s`,
      {
        cause: error,
      },
    );
  }
  const slow = findCause(error, TooSlow);
  if (slow !== undefined)
    return new TransferError(
      "timeout",
      `${what}: ${where} sends less than ${slow.minRate} bytes per second, the lowest rate (setting MIN_RATE)`,
      { cause: error },
    );
  if (code === "UND_ERR_INVALID_ARG" || code === "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH") {
    return new TransferError("invalid", `${what}: ${shown(messageOf(error))}`, {
      cause: error,
    });
  }
  return new TransferError(
    "unreachable",
    `${what.includes(host) ? what : `${what}: ${host}`}: ${reachMessage(code) ?? shown(messageOf(error))}`,
    { cause: error },
  );
}

/** Says that a server speaks another protocol; null: `code` does not mean that. */
function foreignProtocol(
  error: unknown,
  code: string,
  hasAnswered: boolean,
): string | null {
  if (code === "EPROTO" || code.startsWith("ERR_SSL_"))
    return `does not answer in TLS (${code}): should its URL begin with http://?`;
  return findCause(error, errors.HTTPParserError) !== undefined && !hasAnswered
    ? "answers, but not in HTTP: check the port of the url"
    : null;
}

function certificateFault(code: string): string {
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return `has expired (${code}): renew it at that server, or check this machine's clock`;
    case "CERT_NOT_YET_VALID":
      return `is not valid yet (${code}): check the clocks of that server and of this machine`;
    case "CERT_REVOKED":
      return `was revoked (${code}): replace it at that server`;
    case "HOSTNAME_MISMATCH":
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `is for another host name (${code}): use a host name that the certificate states`;
    default:
      return `is not signed by a trusted CA (${code}): set \`certificate\` to the CA's PEM`;
  }
}

function reachMessage(code: string): string | null {
  if (code === "ECONNREFUSED")
    return "connection refused (ECONNREFUSED): is the server running, and is the port right?";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `the host name cannot be resolved (${code}): check the address`;
  if (code === "ECONNRESET" || code === "EPIPE" || code === "UND_ERR_SOCKET")
    return `the connection broke off (${code})`;
  return null;
}

/**
 * Finds an error of a class, such as the TransferError of a request body with a wrong digest, in `error` or its
 * causes; undefined when there is none.
 */
function findCause<E extends Error>(
  error: unknown,
  kind: abstract new (...args: never[]) => E,
): E | undefined {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth += 1) {
    if (current instanceof kind) return current;
    current = current.cause;
  }
  return undefined;
}

/**
 * Returns the error code of the innermost cause that has one, since undici and Node's attempts at several
 * addresses wrap the error of the socket; "" when none has a code.
 */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if (error instanceof AggregateError && error.errors.length > 0)
    return errorCode(error.errors[0]);
  const inner = error.cause instanceof Error ? errorCode(error.cause) : "";
  if (inner !== "") return inner;
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

/**
 * Whether the error shows that no connection to the server was made, so that it has seen nothing of the request; false
 * when that is not known.
 */
export function isUnconnected(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isUnconnected);
  if (!(error instanceof Error)) return false;
  const { code = "", syscall = "" } = error as NodeJS.ErrnoException;
  return (
    error instanceof errors.ConnectTimeoutError ||
    syscall === "connect" ||
    syscall === "getaddrinfo" ||
    CERTIFICATE_CODES.has(code) ||
    isUnconnected(error.cause)
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
