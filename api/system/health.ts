import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { text, type Text } from "../../domain/text.ts";
import type { ApiDeps, Env, Processes } from "../deps.ts";
import { jsonAnswer } from "../http/documented.ts";
import { envelope, ok } from "../http/envelope.ts";
import { languageIn } from "../http/messages.ts";

const Live = z.object({ status: z.literal("UP") }).openapi("Live");
const Ready = z
  .object({
    status: z.enum(["UP", "DOWN"]),
    missing: z
      .array(z.string())
      .openapi({ description: "The parts that do not work yet" }),
    reasons: z.array(z.object({ part: z.string(), reason: z.string() })).openapi({
      description: "Why each part in `missing` does not work, and what to do",
    }),
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
    503: readiness("Those in `missing` are not up; `reasons` says why"),
  },
});

const AFTER_TEMPORAL = text("it waits for Temporal", "正在等待 Temporal");
const REASONS = {
  temporal: text(
    "Temporal does not answer: check the log of the service",
    "Temporal 未应答：请查看服务日志",
  ),
  orchestrator: text(
    "it is starting, or has ended and starts again: if this lasts, check the log of the service",
    "正在启动，或已结束并将重新启动：如果持续出现，请查看服务日志",
  ),
  "transfer worker": text(
    "none takes work: start one (npm run worker), or set TRANSFER_WORKERS to 1 or more; one that was just started " +
      "takes some seconds",
    "没有 worker 接收任务：请启动一个（npm run worker），或将 TRANSFER_WORKERS 设为 1 或更大；刚启动的 worker 需要几秒钟",
  ),
} as const satisfies Record<string, Text>;
type Part = keyof typeof REASONS;

/** Returns why a part does not work; what needs Temporal works only after it. */
function reasonOf(part: Part, { temporal, temporalProblem }: Processes): Text {
  if (temporal) return REASONS[part];
  return part === "temporal" ? (temporalProblem ?? REASONS.temporal) : AFTER_TEMPORAL;
}

export function healthRoutes({ processes, hasTransferWorker }: ApiDeps) {
  return new OpenAPIHono<Env>()
    .openapi(live, (c) => ok(c, { status: "UP" as const }))
    .openapi(ready, async (c) => {
      const now = processes();
      const works = now.workers > 0 || (now.temporal && (await hasTransferWorker()));
      const missing: Part[] = [
        ...(now.temporal ? [] : ["temporal" as const]),
        ...(now.orchestrator ? [] : ["orchestrator" as const]),
        ...(works ? [] : ["transfer worker" as const]),
      ];
      const up = missing.length === 0;
      const language = languageIn(c);
      const data = {
        status: up ? ("UP" as const) : ("DOWN" as const),
        missing,
        reasons: missing.map((part) => ({ part, reason: reasonOf(part, now)[language] })),
      };
      return c.json(
        { code: 0 as const, message: null, data, traceId: c.get("traceId") },
        up ? 200 : 503,
      );
    });
}
