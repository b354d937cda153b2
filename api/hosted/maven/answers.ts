import type { Context } from "hono";
import type { Env } from "../../deps.ts";
import { toApiError } from "../../http/error-answer.ts";
import { isFault } from "../../http/failure-status.ts";
import { languageIn, messageOf } from "../../http/messages.ts";

const TAKEN = 251012;

/** Reason phrases are ASCII, and some clients and proxies give up on long status lines. */
const LONGEST_REASON = 200;

/**
 * Answers an error thrown below /maven in plain text, and in the reason phrase of the status line in
 * English: Maven shows its users the status line alone. The status is 409 for an upload to a path
 * that is taken (251012).
 */
export function plainErrorAnswer(
  thrown: unknown,
  c: Context<Env>,
  log: (error: unknown) => void,
): Response {
  const error = toApiError(thrown, c);
  if (isFault(error.status)) log(error.cause ?? error);
  const say = (language: "en" | "zh") => messageOf(error.code, error.args, language);
  const statusText = reasonPhrase(say("en"));
  // @hono/node-server does not pass on the status text of a response.
  if (c.env?.outgoing) c.env.outgoing.statusMessage = statusText;
  const { status, headers, body } = c.text(
    `${say(languageIn(c))}\n`,
    error.code === TAKEN ? 409 : error.status,
    error.headers,
  );
  return new Response(body, { status, statusText, headers });
}

/** Makes a sentence fit for a status line (RFC 9112 §4): one line of ASCII, `?` for every other character. */
function reasonPhrase(sentence: string): string {
  const line = sentence.replace(/[\p{Cc}\s]+/gu, " ").trim();
  const short =
    line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON - 3)}...` : line;
  return short.replace(/[^\x20-\x7e]/gu, "?");
}
