import type { ContentfulStatusCode } from "hono/utils/http-status";
import { RequestError } from "../../domain/request-error.ts";
import type { Text } from "../../domain/text.ts";
import { messageOf, MESSAGES, type Code, type NamingCode } from "./messages.ts";

/**
 * The value for the place `{0}` in the text of a code: a name as it is, or a sentence in both
 * languages.
 */
type Named = string | Text;
type PlainCode = Exclude<Code, NamingCode>;
type Why = Text | undefined;

/**
 * A code with the value for the place in its text, if the text has one, and an optional sentence
 * that says why or what to do.
 */
export type Told =
  | readonly [code: NamingCode, named: Named, why?: Why]
  | readonly [code: PlainCode, why?: Why];

type Options = {
  /** HTTP status of the answer; absent: the usual status of the code. */
  status?: ContentfulStatusCode;
  headers?: Record<string, string>;
  cause?: unknown;
  /** What else is wrong with the request; it is told after this error. */
  others?: readonly ApiError[];
};

/** An answer other than success. `message` has its text in English, without that of the `others`. */
export class ApiError extends RequestError {
  override readonly name = "ApiError";
  readonly code: Code;
  readonly status: ContentfulStatusCode;
  readonly args: readonly (Named | Why)[];
  readonly headers: Readonly<Record<string, string>>;
  readonly others: readonly ApiError[];

  readonly #told: Told;

  constructor(told: Told, { status, headers = {}, cause, others = [] }: Options = {}) {
    const [code, ...args] = told;
    super(messageOf(code, args, "en"), { cause });
    this.code = code;
    this.args = args;
    this.status = status ?? MESSAGES[code].status;
    this.headers = headers;
    this.others = others;
    this.#told = told;
  }

  /** Returns the same answer that tells of other errors as well. */
  with(others: readonly ApiError[]): ApiError {
    const { status, headers, cause } = this;
    return new ApiError(this.#told, { status, headers, cause, others });
  }
}

export function fail(...told: Told): never {
  throw new ApiError(told);
}

/**
 * Throws an ApiError with `status` instead of the usual status of its code, such as 413 for a body
 * that is too long.
 */
export function failWith(status: ContentfulStatusCode, ...told: Told): never {
  throw new ApiError(told, { status });
}
