import type { Context } from "hono";
import { chineseOf } from "../../domain/chinese/reason.ts";
import type { Env } from "../deps.ts";
import { languageIn } from "./messages.ts";

/** Fields of answers with a reason that is stored, or was said by a connector, in English. */
const REASONS: ReadonlySet<string> = new Set([
  "errorReason",
  "problem",
  "message",
  "hint",
  "note",
]);

/**
 * Returns data of an answer with its reasons in the language of the request. It is for records,
 * clusters and problems: other data may have fields of these names that users wrote.
 */
export function spoken<T>(c: Context<Env>, data: T): T {
  if (languageIn(c) === "en") return data;
  // Safe: only texts are replaced, by texts.
  return inChinese(data) as T;
}

function inChinese(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inChinese);
  if (!(value instanceof Object)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inside]) => [
      name,
      typeof inside === "string" && REASONS.has(name)
        ? chineseOf(inside)
        : inChinese(inside),
    ]),
  );
}
