import type { MiddlewareHandler } from "hono";
import { limitsOfBody } from "../../domain/foreign/limits.ts";
import { createMeter } from "../../domain/foreign/meter.ts";
import type { Env } from "../deps.ts";
import { wholeBody, withBody } from "./body.ts";
import { tooLongJson } from "./details.ts";

/** The media types whose bodies routes read as JSON. */
const JSON_TYPE = /^\s*application\/(?:[a-z-.]+\+)?json\s*(?:;|$)/i;

/**
 * Creates the middleware that reads a body for its route, and refuses one of more than `limit` bytes with 413. JSON
 * beyond `limitsOfBody` is refused before a route parses it.
 */
export function boundedBody(limit: number): MiddlewareHandler<Env> {
  const limits = limitsOfBody(limit);
  return async (c, next) => {
    const body = await wholeBody(c, limit, tooLongJson(limit));
    if (isJson(c.req.header("content-type"))) createMeter(limits).feed(body);
    if (body.length > 0) withBody(c, body);
    return next();
  };
}

export const isJson = (mediaType = ""): boolean => JSON_TYPE.test(mediaType);
