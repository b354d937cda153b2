import type { Hook } from "@hono/zod-openapi";
import type { z } from "@hono/zod-openapi";
import type { Env } from "../deps.ts";
import { ApiError } from "./errors.ts";

type Issue = z.core.$ZodIssue;

/** Turns a finding of zod into a code of the API: 250106 for a body, 250103 for a missing parameter, else 250131. */
export const refuseInvalid: Hook<unknown, Env, string, void> = (result) => {
  if (result.success) return;
  const { target, data } = result as typeof result & { data: unknown };
  const [first] = result.error.issues;
  if (first === undefined) throw new ApiError(250106);
  const issue = innermost(first);
  const field = fieldOf(issue.path);
  const inBody = target === "json";
  if (field !== "" && isMissing(data, issue))
    throw inBody
      ? new ApiError(250106, [`${field} is missing`])
      : new ApiError(250103, [field]);
  const where = field === "" ? issue.message : `${field}: ${issue.message}`;
  throw new ApiError(inBody ? 250106 : 250131, [where]);
};

/**
 * For a value that may have several forms, finds the issue of the form that came closest: the one that looked into it.
 */
function innermost(issue: Issue): Issue {
  if (issue.code !== "invalid_union") return issue;
  const [inner] = issue.errors.flat().filter(({ path }) => path.length > 0);
  return inner === undefined
    ? issue
    : innermost({ ...inner, path: [...issue.path, ...inner.path] });
}

/** `replicaTaskObjects[0].repoType` */
function fieldOf(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) =>
      typeof part === "number" ? `[${part}]` : `${i > 0 ? "." : ""}${String(part)}`,
    )
    .join("");
}

function isMissing(data: unknown, issue: Issue): boolean {
  let value = data;
  for (const part of issue.path)
    value =
      value instanceof Object ? (value as Record<PropertyKey, unknown>)[part] : undefined;
  return value === undefined || value === null;
}
