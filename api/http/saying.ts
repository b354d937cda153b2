import type { z } from "@hono/zod-openapi";
import type { Text } from "../../domain/text.ts";

/**
 * Builds the second argument of zod's `refine`: the reason in both languages, which `reasonOf`
 * finds in the issue.
 */
export const saying = (reason: Text) => ({ error: reason.en, params: { reason } });

/**
 * Returns the reason of a refinement that was made with `saying`; null for an issue of zod itself.
 */
export function reasonOf(issue: z.core.$ZodIssue): Text | null {
  if (issue.code !== "custom") return null;
  const reason: unknown = issue.params?.["reason"];
  return isText(reason) ? reason : null;
}

const isText = (value: unknown): value is Text =>
  value instanceof Object && "en" in value && "zh" in value;
