import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { OverLimit } from "../../domain/foreign/limits.ts";
import { TransferError } from "../../domain/failure.ts";
import { RequestErrors } from "../../domain/request-error.ts";
import { TaskRuleError, type BrokenRule } from "../../domain/task-rules.ts";
import { named, text, type Text } from "../../domain/text.ts";
import type { Env } from "../deps.ts";
import { MALFORMED, sendAs } from "./details.ts";
import { ApiError, type Told } from "./errors.ts";
import { FAILURE_STATUS, FULL_STATUS, isFault, isFull } from "./failure-status.ts";
import { joined, languageIn, messageOf } from "./messages.ts";
import { quoted } from "./quoted.ts";
import { warningsOf } from "./warnings.ts";

/**
 * Answers anything that was thrown, in the API's envelope. Unexpected errors are logged, and their
 * answer stays generic.
 */
export function errorAnswer(
  thrown: unknown,
  c: Context<Env>,
  log: (error: unknown) => void,
): Response {
  const error = toApiError(thrown, c);
  if (isFault(error.status)) log(error.cause ?? error);
  const language = languageIn(c);
  const message = joined(
    [error, ...error.others].map(({ code, args }) => messageOf(code, args, language)),
    language,
  );
  const body = {
    code: error.code,
    message,
    data: null,
    traceId: c.get("traceId"),
    ...warningsOf(c),
  };
  return c.json(body, error.status, error.headers);
}

/**
 * Turns each kind of broken rule into a code with its arguments. The field goes into the sentence
 * of 250106, because the text of that code has no place for it.
 */
const RULES = {
  missing: (field, why) => [250103, field, why],
  empty: (field, why) => [250104, field, why],
  invalid: (field, why) => [250105, field, why],
  content: (field, why) => [250106, why ? named(field, why) : text(field, field)],
  path: (field, why) => [251011, field, why],
} satisfies Record<BrokenRule, (field: string, why?: Text) => Told>;

const brokenRule = ({ rule, field, text: why }: TaskRuleError): ApiError =>
  new ApiError(RULES[rule](field, why ?? undefined));

function together({ errors }: RequestErrors, c: Context<Env>): ApiError {
  const [first, ...others] = errors.map((error) => toApiError(error, c));
  if (first === undefined) return new ApiError([250102]);
  return first.with(others);
}

/** Translates anything thrown into the ApiError that it is answered with. */
export function toApiError(thrown: unknown, c: Context<Env>): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (thrown instanceof TaskRuleError) return brokenRule(thrown);
  if (thrown instanceof RequestErrors) return together(thrown, c);
  if (thrown instanceof TransferError)
    return new ApiError(
      [thrown.kind === "noSpace" ? 250102 : 250116, quoted(thrown.message)],
      {
        status: FAILURE_STATUS[thrown.kind],
        cause: thrown,
      },
    );
  if (thrown instanceof OverLimit) return tooMuch(thrown);
  if (thrown instanceof HTTPException && thrown.status === 415)
    return new ApiError([
      250119,
      c.req.header("content-type") ?? "none",
      sendAs("application/json"),
    ]);
  if (thrown instanceof HTTPException && thrown.status < 500)
    return new ApiError([250106, translated(thrown.message)], {
      status: thrown.status as ContentfulStatusCode,
    });
  if (isFull(thrown))
    return new ApiError(
      [
        250102,
        text(
          "the server's disk is full; free some, or ask the operator to free some",
          "服务器磁盘已满；请释放空间，或联系管理员处理",
        ),
      ],
      {
        status: FULL_STATUS,
        cause: thrown,
      },
    );
  return new ApiError([250102], { cause: thrown });
}

/** Answers for a body that has more than its limits allow. */
const tooMuch = ({ text: { en, zh } }: OverLimit): ApiError =>
  new ApiError(
    [
      250106,
      text(
        `the body cannot be read: ${en}: send a smaller one`,
        `无法读取请求体：${zh}：请减小请求体`,
      ),
    ],
    { status: 413 },
  );

const translated = (message: string): Text =>
  message === MALFORMED.en ? MALFORMED : quoted(message);
