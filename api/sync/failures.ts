import { TransferError, type FailureKind } from "../../domain/failure.ts";
import { ApiError } from "../http/errors.ts";
import { CUT_MESSAGE, FAILURE_STATUS, isCut } from "../http/failure-status.ts";
import type { Code } from "../http/messages.ts";

type Answer = (checked: string) => readonly [Code, ...string[]];

/**
 * The code of each failure of an upload, and the name in its text before the reason; null: answered as in all routes.
 */
const ANSWERS = {
  notFound: () => [250108, "upload"],
  digestMismatch: (checked) => [251003, checked],
  invalid: (checked) => [251003, checked],
  tooLarge: () => [250106],
  noSpace: () => [250102],
  cancelled: () => [250105, "Upload-Offset"],
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
} as const satisfies Record<FailureKind, Answer | null>;

/**
 * Translates the errors of the store into codes of the API. `checked`: names of the facts by which a content was
 * verified.
 */
export async function inApiTerms<T>(
  work: Promise<T>,
  checked: readonly string[] = ["sha256"],
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isCut(error)) throw new ApiError(250106, [CUT_MESSAGE], { cause: error });
    if (!(error instanceof TransferError)) throw error;
    const answer = ANSWERS[error.kind];
    if (answer === null) throw error;
    const [code, ...named] = answer(checked.join(", "));
    throw new ApiError(code, [...named, error.message], {
      status: FAILURE_STATUS[error.kind],
      cause: error,
    });
  }
}
