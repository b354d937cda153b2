import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { ApiDeps, Env } from "../deps.ts";
import { jsonAnswer } from "../http/documented.ts";
import { envelope, ok } from "../http/envelope.ts";

const Live = z.object({ status: z.literal("UP") }).openapi("Live");
const Ready = z
  .object({
    status: z.enum(["UP", "DOWN"]),
    missing: z
      .array(z.string())
      .openapi({ description: "The parts that do not work yet" }),
  })
  .openapi("Ready");

const live = createRoute({
  method: "get",
  path: "/live",
  tags: ["health"],
  security: [],
  summary: "Whether the API answers",
  responses: { 200: jsonAnswer(envelope(Live))("The API answers") },
});

const readiness = jsonAnswer(envelope(Ready));

const ready = createRoute({
  method: "get",
  path: "/ready",
  tags: ["health"],
  security: [],
  summary: "Whether the API, Temporal and each kind of worker are up",
  responses: {
    200: readiness("All are up"),
    503: readiness("Those in `missing` are not up"),
  },
});

export function healthRoutes({ processes, hasTransferWorker }: ApiDeps) {
  return new OpenAPIHono<Env>()
    .openapi(live, (c) => ok(c, { status: "UP" as const }))
    .openapi(ready, async (c) => {
      const { temporal, orchestrator, workers } = processes();
      const works = workers > 0 || (temporal && (await hasTransferWorker()));
      const missing = [
        ...(temporal ? [] : ["temporal"]),
        ...(orchestrator ? [] : ["orchestrator"]),
        ...(works ? [] : ["transfer worker"]),
      ];
      const up = missing.length === 0;
      const data = { status: up ? ("UP" as const) : ("DOWN" as const), missing };
      return c.json(
        { code: 0 as const, message: null, data, traceId: c.get("traceId") },
        up ? 200 : 503,
      );
    });
}
