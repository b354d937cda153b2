import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { sameSecret } from "../../activities/secrets/seal.ts";
import { basicCredentials, CHALLENGE, type Login } from "../http/auth.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { admit } from "../http/admit.ts";
import { textAnswer } from "../http/documented.ts";
import { ApiError } from "../http/errors.ts";

const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

const scrape = createRoute({
  method: "get",
  path: "/metrics",
  tags: ["system"],
  summary: "The metrics, for Prometheus",
  description:
    "In Prometheus' text format. With `METRICS_TOKEN` as Bearer, or the admin's login.",
  responses: {
    200: textAnswer("The metrics, at most a second old"),
    401: textAnswer("No credentials, or wrong ones"),
    429: textAnswer("Too many wrong logins; Retry-After says when to try again"),
  },
});

type MetricsDeps = Pick<ApiDeps, "watch" | "metricsToken"> & { login: Login };

/**
 * Serves the metrics. Refused logins are answered in plain text, too, because programs that read
 * metrics know no envelope.
 */
export function metricsRoutes({ watch, metricsToken, login }: MetricsDeps) {
  return new OpenAPIHono<Env>().openapi(scrape, async (c) => {
    const refusal = await refusalOf(c, metricsToken, login);
    if (refusal !== null) {
      const status = refusal.status === 429 ? 429 : 401;
      return c.text(`${refusal.message}\n`, status, { ...refusal.headers });
    }
    return c.text(await watch.metrics(), 200, { "content-type": CONTENT_TYPE });
  });
}

/**
 * Returns why a request is refused; null admits it. A wrong token counts as a wrong login, and is
 * delayed like one.
 */
async function refusalOf(
  c: Context<Env>,
  token: string | null,
  login: Login,
): Promise<ApiError | null> {
  const header = c.req.header("authorization");
  if (header === undefined) return new ApiError([250114], { headers: CHALLENGE });
  const [, given] = /^bearer +(\S+) *$/i.exec(header) ?? [];
  if (token !== null && given !== undefined && sameSecret(given, token)) {
    admit(c, "METRICS_TOKEN");
    return null;
  }
  try {
    await login(c, basicCredentials(header));
    return null;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}
