import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { FailureKind } from "../../domain/failure.ts";
import { text } from "../../domain/text.ts";

/**
 * The HTTP status of each kind of failure in answers of the API and of the native endpoints; OCI
 * has other ones for `cancelled` and for kinds that it answers as faults of the registry.
 */
export const FAILURE_STATUS = {
  digestMismatch: 400,
  invalid: 400,
  notFound: 404,
  cancelled: 409,
  tooLarge: 413,
  noSpace: 507,
  // Failures of another server that the request has named.
  unreachable: 400,
  timeout: 400,
  throttled: 400,
  server: 400,
  auth: 400,
  certificate: 400,
  unsupported: 400,
  immutable: 400,
  // Failures that occur only in workers.
  yielded: 400,
  yieldedWhole: 400,
  refused: 400,
} as const satisfies Record<FailureKind, ContentfulStatusCode>;

/** HTTP status of an answer when the disk is full. */
export const FULL_STATUS = FAILURE_STATUS.noSpace;

/** Whether a status says that something is wrong here; 503 only says that a request must come later. */
export const isFault = (status: number): boolean => status >= 500 && status !== 503;

const codeOf = (thrown: unknown): unknown =>
  thrown instanceof Error && "code" in thrown ? thrown.code : undefined;

/** Whether an error says that the disk, its quota or the database is full. */
export const isFull = (thrown: unknown): boolean => FULL.has(codeOf(thrown));

/**
 * Whether an error says that the client went away while it sent its request: the answer reaches no
 * one.
 */
export const isCut = (thrown: unknown): boolean => CUT.has(codeOf(thrown));

export const CUT_MESSAGE = text(
  "the connection was cut before the whole body had arrived",
  "请求体尚未完整到达，连接已中断",
);

/**
 * Whether an error says that the disk takes no writes now: it is full, it fails, or it is mounted read-only.
 * Reading may go on.
 */
export const isUnwritable = (thrown: unknown): boolean =>
  isFull(thrown) || FAILING.test(String(codeOf(thrown)));

/** SQLite says only ENOSPC as FULL; the last two are also what it makes of a quota that is used up (EDQUOT). */
const FULL = new Set<unknown>([
  "ENOSPC",
  "EDQUOT",
  "SQLITE_FULL",
  "SQLITE_IOERR_WRITE",
  "SQLITE_IOERR_SHMSIZE",
]);
const FAILING = /^(EIO|EROFS|SQLITE_IOERR\w*|SQLITE_READONLY\w*)$/;
const CUT = new Set<unknown>(["ECONNRESET", "ABORT_ERR"]);
