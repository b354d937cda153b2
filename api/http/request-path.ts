import type { Context } from "hono";
import { parseUrlPath, PathError } from "../../domain/path.ts";
import type { Env } from "../deps.ts";
import { fail } from "./errors.ts";

const SHOWN = 200;

/**
 * Returns the full path that a request's URL names after `skip` segments ("/generic/p/r/a/b" and 3
 * give "/a/b"). Reads the raw request line, because URL parsers resolve dot segments and decode
 * `%2F`. Throws 251011 for every path that no file may have.
 */
export function requestPath(
  c: Context<Env>,
  skip: number,
  options: { folder?: boolean } = {},
): string {
  const path = rawPath(c);
  try {
    // A `.` or `..` among the skipped segments would shift the rest, so they are parsed (and
    // refused) as well.
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

/**
 * Returns the path in the request line, without host and query, still percent-encoded; without a
 * socket (in tests) that of the parsed URL.
 */
export function rawPath(c: Context<Env>): string {
  const target = c.env?.incoming?.url ?? new URL(c.req.url).pathname;
  const [path = ""] = target.replace(/^https?:\/\/[^/?#]*/i, "").split(/[?#]/, 1);
  return path;
}
