import type { Context } from "hono";
import type { Text } from "../../domain/text.ts";
import type { Env } from "../deps.ts";
import { languageIn } from "./messages.ts";

/** Adds sentences about the request to its answer, whether that is a success or a failure. */
export function warn(c: Context<Env>, ...warnings: Text[]): void {
  c.set("warnings", [...(c.get("warnings") ?? []), ...warnings]);
}

/**
 * Returns the field `warnings` of an envelope, in the language of the request; nothing if there is
 * nothing to warn of, so that the envelope is the original's.
 */
export function warningsOf(c: Context<Env>): { warnings?: string[] } {
  const warnings = c.get("warnings");
  if (warnings === undefined || warnings.length === 0) return {};
  const language = languageIn(c);
  return { warnings: [...new Set(warnings.map((warning) => warning[language]))] };
}
