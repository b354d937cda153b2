import type { Context } from "hono";
import { parseUrlPath, PathError } from "../../domain/path.ts";
import type { Env } from "../deps.ts";
import { fail } from "./errors.ts";

const SHOWN = 200;

/**
 * The full path that the URL of a request names after `skip` segments ("/generic/p/r/a/b" and 3 give "/a/b"). Read from
 * the bytes of the request line: on the way to the handler dot segments are resolved and `%2F` is decoded. 251011 for
 * every path that no file may have.
 */
export function requestPath(
  c: Context<Env>,
  skip: number,
  options: { folder?: boolean } = {},
): string {
  const path = rawPath(c);
  try {
    // A dot among the skipped segments would shift the others.
    for (const segment of path.split("/").slice(1, skip + 1)) parseUrlPath(segment);
    return parseUrlPath(
      path
        .split("/")
        .slice(skip + 1)
        .join("/"),
      options,
    );
  } catch (error) {
    if (error instanceof PathError) return fail(251011, path.slice(0, SHOWN), error.text);
    throw error;
  }
}

/** The path of the request line, as it was sent. */
export function rawPath(c: Context<Env>): string {
  const target = c.env?.incoming?.url ?? new URL(c.req.url).pathname;
  const [path = ""] = target.replace(/^https?:\/\/[^/?#]*/i, "").split(/[?#]/, 1);
  return path;
}
