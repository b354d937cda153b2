import type { MiddlewareHandler } from "hono";
import type { Env } from "../deps.ts";

const HEADERS = Object.entries({
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
});

/**
 * Gives every answer the headers by which no browser guesses its type, runs it, shows it in a page of another site, or
 * keeps it. A route may set its own.
 */
export function harmless(): MiddlewareHandler<Env> {
  return async (c, next) => {
    await next();
    for (const [name, value] of HEADERS)
      if (!c.res.headers.has(name)) c.header(name, value);
  };
}
