/** What kind of thing went wrong; the protocol code that understands the answer decides (docs/decisions.md#retry). */
export const FAILURE_KINDS = [
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
  /** A signal stopped it. */
  "cancelled",
  /** The batch's time was over; what it concerns goes on in a later one. */
  "yielded",
  /** The same of a large blob that goes in one request: it needs a batch with all the time that it takes. */
  "yieldedWhole",
  /** The control plane does not let this worker take part. */
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

/** These say nothing of what was under way: it goes on in another batch. */
const PUT_OFF: ReadonlySet<FailureKind> = new Set(["cancelled", "yielded", "yieldedWhole"]);

/**
 * The one error of everything that moves bytes. `message` is shown to users as errorReason: it names the thing and what
 * to do, and never holds a secret.
 */
export class TransferError extends Error {
  override readonly name = "TransferError";
  readonly kind: FailureKind;
  /** Epoch milliseconds before which a retry is useless (Retry-After), when the other end said so. */
  readonly notBefore: number | undefined;
  /** The error codes of the protocol in which the other end answered ("BLOB_UNKNOWN"), where it named any. */
  readonly codes: readonly string[] | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    options: { cause?: unknown; notBefore?: number | undefined; codes?: readonly string[] | undefined } = {},
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

  /** A later attempt can go on with what was uploaded so far. */
  get keepsUpload(): boolean {
    return this.isPutOff || (this.retryable && this.kind !== "digestMismatch");
  }
}

/** How others say that a signal stopped them: Node and undici; Temporal. */
const STOPPED = new Set(["AbortError", "CancelledFailure"]);

/**
 * Why a signal fired, as a TransferError: its reason where that puts the work off, else "cancelled" in the reason's
 * words.
 */
export function stopOf({ reason }: AbortSignal): TransferError {
  const said = toTransferError(reason);
  return said.isPutOff ? said : new TransferError("cancelled", said.message, { cause: reason });
}

/**
 * What is neither a TransferError nor says that a signal stopped it is a fault of ours: permanent, with its own
 * message.
 */
export function toTransferError(error: unknown): TransferError {
  if (error instanceof TransferError) return error;
  if (error instanceof Error && STOPPED.has(error.name))
    return new TransferError("cancelled", "stopped", { cause: error });
  return new TransferError("invalid", error instanceof Error ? error.message : String(error), { cause: error });
}
