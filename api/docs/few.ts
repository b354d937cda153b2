import type { MiddlewareHandler } from "hono";
import { text } from "../../domain/text.ts";
import type { Env } from "../deps.ts";
import { ApiError } from "../http/errors.ts";

/** Answers under way at a time. Strangers may ask, and leave an answer unread while it takes memory. */
const MOST_AT_ONCE = 50;

const BUSY = text(
  "too many clients read the documentation: try again after Retry-After seconds",
  "读取文档的客户端过多：请在 Retry-After 秒后重试",
);

/** Creates the middleware that refuses a request with 503 while many such answers have not reached their clients. */
export function createFew(most = MOST_AT_ONCE): MiddlewareHandler<Env> {
  let underWay = 0;
  return async (c, next) => {
    if (underWay >= most)
      throw new ApiError([250124, BUSY], {
        status: 503,
        headers: { "retry-after": "5" },
      });
    const outgoing = c.env?.outgoing;
    if (outgoing && !outgoing.destroyed) {
      underWay += 1;
      outgoing.once("close", () => (underWay -= 1));
    }
    await next();
  };
}
