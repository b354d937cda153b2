/** Kinds of failures. The protocol code that understands the answer chooses the kind (docs/decisions.md#retry). */
const FAILURE_KINDS = [
  "unreachable",
  "timeout",
  "throttled",
  "server",
  "digestMismatch",
  "auth",
  "notFound",
  "invalid",
  "tooLarge",
  "noSpace",
  "certificate",
  "unsupported",
  "immutable",
  /** A signal stopped the work. */
  "cancelled",
  /** The time of the batch was over; the artifact goes on in a later batch. */
  "yielded",
  /**
   * The artifact has a large blob that must go in one request, but its batch has a time limit. The artifact
   * needs a batch without one.
   */
  "yieldedWhole",
  /** The control plane does not admit this worker. */
  "refused",
] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

const RETRYABLE: ReadonlySet<FailureKind> = new Set([
  "unreachable",
  "timeout",
  "throttled",
  "server",
  "digestMismatch",
]);

/** These kinds say nothing about the artifact under way: it goes on in another batch. */
const PUT_OFF: ReadonlySet<FailureKind> = new Set([
  "cancelled",
  "yielded",
  "yieldedWhole",
]);

/**
 * The error of code that moves bytes; `toTransferError` treats any other error as a bug, unless it reports
 * a fired signal. `message` may be shown to users as errorReason, so it must contain no secret.
 */
export class TransferError extends Error {
  override readonly name = "TransferError";
  readonly kind: FailureKind;
  /** Epoch ms before which a retry is useless (Retry-After); undefined if the other end gave no time. */
  readonly notBefore: number | undefined;
  /** Error codes of the protocol in the other end's answer ("BLOB_UNKNOWN"); undefined if it gave none. */
  readonly codes: readonly string[] | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    options: {
      cause?: unknown;
      notBefore?: number | undefined;
      codes?: readonly string[] | undefined;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.notBefore = options.notBefore;
    this.codes = options.codes;
  }

  get retryable(): boolean {
    return RETRYABLE.has(this.kind);
  }

  get isPutOff(): boolean {
    return PUT_OFF.has(this.kind);
  }

  /** Whether a later attempt can resume the uploads that this attempt began. */
  get keepsUpload(): boolean {
    return this.isPutOff || (this.retryable && this.kind !== "digestMismatch");
  }
}

/**
 * Names of the errors with which Node and undici (the first) and Temporal (the second) report that a signal
 * stopped the work.
 */
const STOPPED = new Set(["AbortError", "CancelledFailure"]);

/**
 * Returns the error of a signal that fired: its reason as a TransferError if that puts the work off
 * (`isPutOff`), else a "cancelled" error with the reason's message.
 */
export function stopOf({ reason }: AbortSignal): TransferError {
  const said = toTransferError(reason);
  return said.isPutOff
    ? said
    : new TransferError("cancelled", said.message, { cause: reason });
}

/**
 * Converts any error to a TransferError. An error that reports a fired signal becomes "cancelled". Any
 * other error that is no TransferError is a bug of this program: it becomes an "invalid" failure, which is
 * not retried, with the same message.
 */
export function toTransferError(error: unknown): TransferError {
  if (error instanceof TransferError) return error;
  if (error instanceof Error && STOPPED.has(error.name))
    return new TransferError("cancelled", "stopped", { cause: error });
  return new TransferError(
    "invalid",
    error instanceof Error ? error.message : String(error),
    { cause: error },
  );
}
