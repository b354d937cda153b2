import type { OpenAPIHono } from "@hono/zod-openapi";
import { Hono } from "hono";
import type { Env } from "../deps.ts";
import { createFew } from "./few.ts";
import { PAGE_HEADERS } from "./headers.ts";
import { type ApiDocument, docsPage } from "./page.ts";

const INFO = {
  openapi: "3.1.0",
  info: {
    title: "Artifact replication",
    version: "1",
    description:
      "Replicates repositories, packages and files to other instances and to registries. " +
      "Every answer is {code, message, data, traceId}; code 0 is success. `warnings` beside them names unknown " +
      "fields, and settings that will not be used. Times are local to the configured zone.",
  },
  security: [{ basic: [] }],
};

/**
 * Serves the API contract as an OpenAPI 3.1 document and as an HTML page. `api` is called at the
 * first request, when all routes are known.
 */
export function docsRoutes(api: () => OpenAPIHono<Env>) {
  let known: { json: string; page: string } | undefined;
  const few = createFew();
  const documents = () => (known ??= describe(api()));
  return new Hono<Env>()
    .use("/openapi.json", few)
    .use("/docs", few)
    .get("/openapi.json", (c) =>
      c.body(documents().json, 200, { "content-type": "application/json" }),
    )
    .get("/docs", (c) => c.html(documents().page, 200, PAGE_HEADERS));
}

function describe(api: OpenAPIHono<Env>): { json: string; page: string } {
  api.openAPIRegistry.registerComponent("securitySchemes", "basic", {
    type: "http",
    scheme: "basic",
  });
  // Safe: the generator writes OpenAPI 3.1, of which ApiDocument names the parts that the page shows.
  const document = api.getOpenAPI31Document(INFO) as ApiDocument;
  return { json: JSON.stringify(document), page: docsPage(document) };
}
