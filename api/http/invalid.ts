import type { Hook, z } from "@hono/zod-openapi";
import { named, text, type Text } from "../../domain/text.ts";
import type { Env } from "../deps.ts";
import { ApiError } from "./errors.ts";
import { joinedTexts } from "./messages.ts";
import { reasonOf } from "./saying.ts";
import { shapeReason } from "./shape-reasons.ts";

type Issue = z.core.$ZodIssue;

/** Maximum number of issues that one answer tells. */
const MOST_TOLD = 20;

/**
 * Throws all issues of zod as one API error: 250106 for a body, 250103 for a missing parameter, else
 * 250131. Does nothing for a valid value.
 */
export const refuseInvalid: Hook<unknown, Env, string, void> = (result) => {
  if (result.success) return;
  const { target, data } = result as typeof result & { data: unknown };
  const issues = result.error.issues.slice(0, MOST_TOLD).map(innermost);
  if (target === "json")
    throw new ApiError([250106, joinedTexts(issues.map((issue) => told(issue, data)))]);
  const [first, ...others] = issues.map((issue) => ofParameter(issue, data));
  if (first !== undefined) throw first.with(others);
};

/** Says which field is missing, or why it is invalid. */
function told(issue: Issue, data: unknown): Text {
  const field = fieldOf(issue.path);
  const value = valueAt(data, issue.path);
  if (field !== "" && (value === undefined || value === null))
    return text(`${field} is missing`, `缺少 ${field}`);
  const why = reasonOf(issue) ?? shapeReason(issue, value);
  return field === "" ? why : named(field, why);
}

function ofParameter(issue: Issue, data: unknown): ApiError {
  const isMissing = valueAt(data, issue.path) === undefined;
  return new ApiError(
    isMissing ? [250103, fieldOf(issue.path)] : [250131, told(issue, data)],
  );
}

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
