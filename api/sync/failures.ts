import { TransferError, type FailureKind } from "../../domain/failure.ts";
import { text, type Text } from "../../domain/text.ts";
import { ApiError, type Told } from "../http/errors.ts";
import { CUT_MESSAGE, FAILURE_STATUS, isCut } from "../http/failure-status.ts";
import { quoted } from "../http/quoted.ts";

type Answer = (why: Text, checked: string) => Told;

/**
 * Builds the code and the arguments of the answer to each kind of failure of an upload; null: the
 * failure is answered as in all other routes.
 */
const ANSWERS = {
  notFound: (why) => [250108, text("upload", "上传"), why],
  digestMismatch: (why, checked) => [251003, checked, why],
  invalid: (why, checked) => [251003, checked, why],
  tooLarge: (why) => [250106, why],
  noSpace: (why) => [250102, why],
  cancelled: (why) => [250105, "Upload-Offset", why],
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
} satisfies Record<FailureKind, Answer | null>;

/**
 * Awaits `work` and translates errors of the store, and of a cut connection, into API errors;
 * throws all others as they are. `checked`: names of the facts by which a content was verified.
 */
export async function inApiTerms<T>(
  work: Promise<T>,
  checked: readonly string[] = ["sha256"],
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isCut(error)) throw new ApiError([250106, CUT_MESSAGE], { cause: error });
    if (!(error instanceof TransferError)) throw error;
    const answer: Answer | null = ANSWERS[error.kind];
    if (answer === null) throw error;
    throw new ApiError(answer(quoted(error.message), checked.join(", ")), {
      status: FAILURE_STATUS[error.kind],
      cause: error,
    });
  }
}
