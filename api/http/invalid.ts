import { type Hook, z } from "@hono/zod-openapi";
import { named, text, type Text } from "../../domain/text.ts";
import type { Env } from "../deps.ts";
import { ApiError } from "./errors.ts";
import { reasonOf } from "./saying.ts";

type Issue = z.core.$ZodIssue;
const { localeError: inChinese } = z.locales.zhCN();

/**
 * Throws the first issue of zod as an API error: 250106 for a body, 250103 for a missing parameter,
 * else 250131. Does nothing for a valid value.
 */
export const refuseInvalid: Hook<unknown, Env, string, void> = (result) => {
  if (result.success) return;
  const { target, data } = result as typeof result & { data: unknown };
  const [first] = result.error.issues;
  if (first === undefined) throw new ApiError([250106]);
  const issue = innermost(first);
  const field = fieldOf(issue.path);
  const inBody = target === "json";
  const value = valueAt(data, issue.path);
  if (field !== "" && (value === undefined || value === null))
    throw inBody
      ? new ApiError([250106, text(`${field} is missing`, `缺少 ${field}`)])
      : new ApiError([250103, field]);
  const why = reasonOf(issue) ?? ofLibrary(issue, value);
  throw new ApiError([inBody ? 250106 : 250131, field === "" ? why : named(field, why)]);
};

/**
 * Returns the issue to report. For a value that may have one of several shapes it is that of the
 * shape that came closest: the first that checked the value's fields.
 */
function innermost(issue: Issue): Issue {
  if (issue.code !== "invalid_union") return issue;
  const [inner] = issue.errors.flat().filter(({ path }) => path.length > 0);
  return inner === undefined
    ? issue
    : innermost({ ...inner, path: [...issue.path, ...inner.path] });
}

/**
 * Writes the path of a field as text, such as `replicaTaskObjects[0].repoType`; "" for the whole
 * value.
 */
function fieldOf(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) =>
      typeof part === "number" ? `[${part}]` : `${i > 0 ? "." : ""}${String(part)}`,
    )
    .join("");
}

function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let value = data;
  for (const part of path)
    value =
      value instanceof Object ? (value as Record<PropertyKey, unknown>)[part] : undefined;
  return value;
}

/**
 * Returns zod's message in English and Chinese. `input`: the value at the path of the issue, which the
 * Chinese message needs and zod leaves out of the issue.
 */
function ofLibrary(issue: Issue, input: unknown): Text {
  // The cast is safe: the value at the path of an issue is its input.
  const said = inChinese({ ...issue, input } as z.core.$ZodRawIssue);
  const zh = typeof said === "string" ? said : said?.message;
  return text(issue.message, zh ?? "无效输入");
}
