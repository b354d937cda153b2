import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { ALERTS, SEVERITIES } from "../../domain/alerts.ts";
import { formatTime } from "../../domain/time.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { answers, ok } from "../http/envelope.ts";
import { spoken } from "../http/spoken.ts";

const Problem = z
  .object({
    alert: z
      .enum(ALERTS)
      .openapi({ description: "Name of the alert in docs/monitoring/alerts.yml" }),
    severity: z.enum(SEVERITIES),
    subject: z.string().openapi({
      description:
        "The task, cluster, worker or part of the service that has the problem",
    }),
    since: z.string().openapi({
      description:
        "Local time of its beginning; where that is not known, when it was first noticed",
    }),
    message: z.string().openapi({ description: "What is wrong, in words" }),
    hint: z.string().openapi({ description: "What to do" }),
  })
  .openapi("Problem");

const problems = createRoute({
  method: "get",
  path: "/problems",
  tags: ["system"],
  summary: "What is wrong now",
  description:
    "The conditions of alerts that hold at this moment, the worst first; an empty list when nothing is wrong.",
  responses: answers(z.array(Problem), [], "The problems"),
});

export function systemRoutes({ watch, zone }: Pick<ApiDeps, "watch" | "zone">) {
  return new OpenAPIHono<Env>().openapi(problems, async (c) => {
    const found = await watch.problems();
    const shown = found.map(({ since, ...problem }) => ({
      ...problem,
      since: formatTime(since, zone),
    }));
    return ok(c, spoken(c, shown));
  });
}
