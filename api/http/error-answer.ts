import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { TransferError } from "../../domain/failure.ts";
import { TaskRuleError, type BrokenRule } from "../../domain/task-rules.ts";
import type { Env } from "../deps.ts";
import { ApiError } from "./errors.ts";
import { FAILURE_STATUS, FULL_STATUS, isFull } from "./failure-status.ts";
import { languageOf, messageOf, type Code } from "./messages.ts";

/** Answers anything thrown, in the API's envelope. Unexpected errors are logged, and their answer stays generic. */
export function errorAnswer(
  thrown: unknown,
  c: Context<Env>,
  log: (error: unknown) => void,
): Response {
  const error = toApiError(thrown, c);
  if (error.status >= 500) log(error.cause ?? error);
  const message = messageOf(
    error.code,
    error.args,
    languageOf(c.req.header("accept-language")),
  );
  const body = { code: error.code, message, data: null, traceId: c.get("traceId") };
  return c.json(body, error.status, error.headers);
}

const RULES: Record<BrokenRule, Code> = {
  missing: 250103,
  empty: 250104,
  invalid: 250105,
  content: 250106,
  path: 251011,
};

/** The text of 250106 has no place for the field. */
function brokenRule({ rule, field, message }: TaskRuleError): ApiError {
  const why = message === "" ? [] : [message];
  return new ApiError(
    RULES[rule],
    rule === "content" ? [[field, ...why].join(": ")] : [field, ...why],
  );
}

/** Translates anything thrown into the ApiError that it is answered with. */
export function toApiError(thrown: unknown, c: Context<Env>): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (thrown instanceof TaskRuleError) return brokenRule(thrown);
  if (thrown instanceof TransferError)
    return new ApiError(250116, [thrown.message], {
      status: FAILURE_STATUS[thrown.kind],
      cause: thrown,
    });
  if (thrown instanceof HTTPException && thrown.status === 415)
    return new ApiError(250119, [c.req.header("content-type") ?? "none"]);
  if (thrown instanceof HTTPException && thrown.status < 500)
    return new ApiError(250106, [thrown.message], {
      status: thrown.status as ContentfulStatusCode,
    });
  if (isFull(thrown))
    return new ApiError(250102, ["the disk is full"], {
      status: FULL_STATUS,
      cause: thrown,
    });
  return new ApiError(250102, [], { cause: thrown });
}
