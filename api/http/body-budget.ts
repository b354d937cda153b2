import type { MiddlewareHandler } from "hono";
import { text } from "../../domain/text.ts";
import type { Env } from "../deps.ts";
import { ApiError } from "./errors.ts";

/** Bytes of bodies that may be in memory at the same time; bodies that are streamed to the disk do not count. */
const MOST_BYTES = 64 * 1024 ** 2;

const FULL = text(
  "the server holds too many bodies in memory: try again after Retry-After seconds",
  "服务器内存中的请求体过多：请在 Retry-After 秒后重试",
);

/**
 * Creates the middleware that limits what all bodies together take in memory. Whoever keeps bytes of a body calls
 * `hold` of the context, which throws 503 when there is no room; the bytes are free again after the answer.
 */
export function holdBodies(mostBytes = MOST_BYTES): MiddlewareHandler<Env> {
  let held = 0;
  return async (c, next) => {
    let own = 0;
    c.set("hold", (bytes) => {
      if (held + bytes > mostBytes)
        throw new ApiError([250124, FULL], {
          status: 503,
          headers: { "retry-after": "1" },
        });
      held += bytes;
      own += bytes;
    });
    try {
      await next();
    } finally {
      held -= own;
    }
  };
}
