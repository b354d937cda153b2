import type { Context } from "hono";
import type { Env } from "../../deps.ts";
import { toApiError } from "../../http/error-answer.ts";
import { languageOf, messageOf } from "../../http/messages.ts";

const TAKEN = 251012;

/**
 * Answers an error thrown below /maven in plain text: Maven's clients show only the status, and
 * people read the text. The status is 409 for an upload to a path that is taken (251012).
 */
export function plainErrorAnswer(
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
  return c.text(`${message}\n`, error.code === TAKEN ? 409 : error.status, error.headers);
}
