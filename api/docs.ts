import { OpenAPIHono } from "@hono/zod-openapi";
import type { Env } from "./deps.ts";

const INFO = {
  openapi: "3.1.0",
  info: {
    title: "Artifact replication",
    version: "1",
    description:
      "Replicates repositories, packages and files to other instances and to registries. Every answer is `{code, message, data, traceId}`; `code` 0 is success. Times are local to the configured zone.",
  },
  security: [{ basic: [] }],
};

/** The contract in OpenAPI 3.1. `app` is asked when all routes are known. */
export function docsRoutes(app: () => Pick<OpenAPIHono<Env>, "getOpenAPI31Document" | "openAPIRegistry">) {
  let document: ReturnType<typeof describe> | undefined;
  return new OpenAPIHono<Env>().get("/openapi.json", (c) => c.json((document ??= describe(app()))));
}

function describe(app: Pick<OpenAPIHono<Env>, "getOpenAPI31Document" | "openAPIRegistry">) {
  app.openAPIRegistry.registerComponent("securitySchemes", "basic", { type: "http", scheme: "basic" });
  return app.getOpenAPI31Document(INFO);
}
