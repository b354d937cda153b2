import { trace } from "@opentelemetry/api";
import type { Context, MiddlewareHandler } from "hono";
import { newKey } from "../../domain/ids.ts";
import { shortened } from "../../domain/shortened.ts";
import type { Env, Logger } from "../deps.ts";
import { createFewLines } from "./few-lines.ts";
import { elapsed } from "../../domain/elapsed.ts";

/** How many lines a minute requests without a login may make, and as many again those that are refused. */
const MOST_OF_STRANGERS = 120;
const LONGEST_NAME = 64;
const LONGEST_PATH = 500;

const REFUSALS = [401, 403, 429];

/**
 * Gives each request its trace id, and writes a line about its answer, with the client's address and user. A
 * refusal is a warning and has the user name that was given; a request that only learns that a login is needed is
 * no refusal. `isQuiet`: paths whose requests are frequent by design.
 */
export function accessLog(
  logger: Logger,
  isQuiet: (path: string) => boolean,
): MiddlewareHandler<Env> {
  const ofStranger = createFewLines(MOST_OF_STRANGERS, (count) =>
    logger.warn({ count }, "more requests without a login were answered in this minute"),
  );
  const ofRefused = createFewLines(MOST_OF_STRANGERS, (count) =>
    logger.warn({ count }, "more requests were refused in this minute"),
  );
  return async (c, next) => {
    c.set("traceId", trace.getActiveSpan()?.spanContext().traceId ?? newKey());
    const start = elapsed();
    await next();
    c.header("X-Trace-Id", c.get("traceId"));
    const facts = factsOf(c, elapsed() - start);
    if (isRefusal(c)) ofRefused(() => logger.warn(facts, "refused"));
    else if (isQuiet(c.req.path)) logger.debug(facts, "answered");
    else if (facts.user === undefined) ofStranger(() => logger.info(facts, "answered"));
    else logger.info(facts, "answered");
  };
}

/** Internal requests that are refused have lines of their own (api/internal/workers.ts). */
const isRefusal = (c: Context<Env>): boolean =>
  REFUSALS.includes(c.res.status) &&
  (c.res.status !== 401 || c.get("claimed") !== undefined);

function factsOf(c: Context<Env>, ms: number) {
  const query = c.req.url.includes("?") ? "?…" : "";
  const claimed = c.get("claimed");
  const user =
    c.get("user") ??
    (claimed === undefined ? undefined : shortened(claimed, LONGEST_NAME));
  return {
    traceId: c.get("traceId"),
    method: c.req.method,
    path: shortened(c.req.path, LONGEST_PATH) + query,
    status: c.res.status,
    ms: Math.round(ms),
    address: c.get("client").address,
    ...(user !== undefined && { user }),
  };
}
