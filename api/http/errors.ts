import type { ContentfulStatusCode } from "hono/utils/http-status";
import { messageOf, MESSAGES, type Code } from "./messages.ts";

/**
 * An answer other than success. `args`: first what the text of the code names, then an optional sentence that says
 * more.
 */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: Code;
  readonly status: ContentfulStatusCode;
  readonly args: readonly string[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: Code, args: readonly string[] = [], options: ErrorOptionsOf = {}) {
    super(messageOf(code, args, "en"), { cause: options.cause });
    this.code = code;
    this.args = args;
    this.status = options.status ?? MESSAGES[code].status;
    this.headers = options.headers ?? {};
  }
}

type ErrorOptionsOf = {
  status?: ContentfulStatusCode;
  headers?: Record<string, string>;
  cause?: unknown;
};

export function fail(code: Code, ...args: string[]): never {
  throw new ApiError(code, args);
}

/** Throws an ApiError whose status is not the usual one of its code (413, 416 and 507). */
export function failWith(
  status: ContentfulStatusCode,
  code: Code,
  ...args: string[]
): never {
  throw new ApiError(code, args, { status });
}
