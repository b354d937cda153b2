import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { TransferError } from "../../../domain/failure.ts";
import type { Env } from "../../deps.ts";
import { toApiError } from "../../http/error-answer.ts";
import {
  CUT_MESSAGE,
  FAILURE_STATUS,
  isCut,
  isFault,
} from "../../http/failure-status.ts";

/** A refusal of a request below `/npm`; npm reads its `message` as `error`. */
export class NpmError extends Error {
  override readonly name = "NpmError";
  readonly status: ContentfulStatusCode;

  constructor(
    status: ContentfulStatusCode,
    message: string,
    options: { cause?: unknown } = {},
  ) {
    super(message, options);
    this.status = status;
  }
}

const REASONS: Partial<Record<ContentfulStatusCode, string>> = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  408: "request_timeout",
  409: "conflict",
  413: "too_large",
  416: "range_not_satisfiable",
  417: "expectation_failed",
  429: "too_many_requests",
  431: "too_large",
  503: "service_unavailable",
  507: "insufficient_storage",
};

/**
 * Answers an error thrown below /npm. Unexpected errors are logged, and their answer stays generic.
 */
export function npmErrorAnswer(
  thrown: unknown,
  c: Context<Env>,
  log: (error: unknown) => void,
): Response {
  const { status, message, headers, cause } = explained(thrown, c);
  if (isFault(status)) log(cause);
  return c.json(
    { error: message, reason: REASONS[status] ?? "internal_server_error" },
    status,
    headers,
  );
}

type Explained = {
  status: ContentfulStatusCode;
  message: string;
  headers: Record<string, string>;
  cause: unknown;
};

function explained(thrown: unknown, c: Context<Env>): Explained {
  if (thrown instanceof NpmError)
    return { status: thrown.status, message: thrown.message, headers: {}, cause: thrown };
  if (thrown instanceof TransferError)
    return {
      status: FAILURE_STATUS[thrown.kind],
      message: thrown.message,
      headers: {},
      cause: thrown,
    };
  if (isCut(thrown))
    return { status: 400, message: CUT_MESSAGE.en, headers: {}, cause: thrown };
  const { status, message, headers, cause } = toApiError(thrown, c);
  const hint = status === 401 ? `: ${LOGIN_HINT}` : "";
  return {
    status,
    message: `${message}${hint}`,
    headers: { ...headers },
    cause: cause ?? thrown,
  };
}

/** Advice for users who must log in: how to make npm send a name and a password to one address. */
export const LOGIN_HINT =
  "write //{host}/npm/{project}/{repository}/:_auth={base64 of name:password} into .npmrc";
