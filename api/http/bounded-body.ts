import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { limitsOfBody } from "../../domain/foreign/limits.ts";
import { createMeter } from "../../domain/foreign/meter.ts";
import type { Env } from "../deps.ts";
import { wholeBody } from "./body.ts";
import { tooLongJson } from "./details.ts";
import { failWith } from "./errors.ts";

/** The media types whose bodies routes read as JSON. */
const JSON_TYPE = /^\s*application\/(?:[a-z-.]+\+)?json\s*(?:;|$)/i;

/**
 * Creates the middleware that refuses a body of more than `limit` bytes with 413. It reads a body of JSON for its
 * route, and refuses one beyond `limitsOfBody` before the route parses it.
 */
export function boundedBody(limit: number): MiddlewareHandler<Env> {
  const limits = limitsOfBody(limit);
  const others = bodyLimit({
    maxSize: limit,
    onError: () => failWith(413, 250106, tooLongJson(limit)),
  });
  return async (c, next) => {
    if (!isJson(c.req.header("content-type"))) return others(c, next);
    const body = await wholeBody(c, limit, tooLongJson(limit));
    createMeter(limits).feed(body);
    // hono keeps the promise of a body here, whatever the type of its cache says.
    Object.assign(c.req.bodyCache, { text: Promise.resolve(body.toString("utf8")) });
    return next();
  };
}

export const isJson = (mediaType = ""): boolean => JSON_TYPE.test(mediaType);
