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
  /** The batch's time was over; the artifact goes on in a later batch. */
  "yielded",
  /**
   * The batch's time was over before a large blob that must go in one request: it needs a batch without a time limit.
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
 * The only error of all code that moves bytes. `message` is shown to users as errorReason: it names the subject and
 * what to do, and never contains a secret.
 */
export class TransferError extends Error {
  override readonly name = "TransferError";
  readonly kind: FailureKind;
  /** Epoch ms before which a retry is useless (Retry-After), when the other end stated it. */
  readonly notBefore: number | undefined;
  /** Error codes of the protocol in the other end's answer ("BLOB_UNKNOWN"), where it gave any. */
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

  /** Whether a later attempt can resume the uploads so far. */
  get keepsUpload(): boolean {
    return this.isPutOff || (this.retryable && this.kind !== "digestMismatch");
  }
}

/** Names of errors by which others report that a signal stopped them: Node and undici; Temporal. */
const STOPPED = new Set(["AbortError", "CancelledFailure"]);

/** Returns why a signal fired: its reason where that puts the work off, else "cancelled" with the reason's message. */
export function stopOf({ reason }: AbortSignal): TransferError {
  const said = toTransferError(reason);
  return said.isPutOff
    ? said
    : new TransferError("cancelled", said.message, { cause: reason });
}

/**
 * Converts any error. One that is neither a TransferError nor reports a signal is a fault of ours: permanent, with its
 * own message.
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
