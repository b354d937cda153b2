import { type OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { matchedRoutes } from "hono/route";
import { nearest } from "../../domain/nearest.ts";
import { isNotOffered } from "../../domain/original-fields.ts";
import { shortened } from "../../domain/shortened.ts";
import { text, type Text } from "../../domain/text.ts";
import type { Env } from "../deps.ts";
import { fieldPaths, type UnknownField, unknownFields } from "./known-fields.ts";
import { warn } from "./warnings.ts";

/** Maximum number of unknown fields that one answer names. */
const MOST_NAMED = 20;
/** Maximum length (characters) of a field's path that a sentence quotes. */
const LONGEST_PATH = 200;

type Schema = z.core.$ZodType;
type Kind = { en: string; zh: string };
export const FIELD: Kind = { en: "field", zh: "字段" };
const PARAMETER: Kind = { en: "parameter", zh: "参数" };

/** The paths of the API for people; native endpoints, other instances and workers have contracts of their own. */
const WATCHED = /^\/(?:replication|repository)\/api\//;

/**
 * Creates the functions that warn of what a request has and its route does not know. The routes' own schemas decide, as
 * the app's OpenAPI registry has them; they are read at the first request, when all routes are known.
 */
export function createUnknownFields(app: () => OpenAPIHono<Env>) {
  let known: Map<string, RouteConfig> | undefined;
  const routeOf = (c: Context<Env>) => {
    const all = (known ??= routesOf(app()));
    // Several routes may match a path; the first one answers.
    return matchedRoutes(c)
      .map(({ method, path }) => all.get(shapeOf(method, path)))
      .find((route) => route !== undefined);
  };
  return {
    /** Warns of parameters that the route does not have. */
    inQuery(c: Context<Env>): void {
      if (!c.req.url.includes("?") || !WATCHED.test(c.req.path)) return;
      const route = routeOf(c);
      if (route === undefined) return;
      const query = route.request?.query;
      warnOfUnknown(c, PARAMETER, query ?? NO_FIELDS, c.req.query());
    },
    /** Warns of fields of the JSON body, which has been read before, that the route does not have. */
    async inBody(c: Context<Env>): Promise<void> {
      if (!WATCHED.test(c.req.path)) return;
      const media = routeOf(c)?.request?.body?.content["application/json"];
      const schema = media !== undefined && "schema" in media ? media.schema : undefined;
      if (schema instanceof z.ZodType)
        warnOfUnknown(c, FIELD, schema, await c.req.json());
    },
  };
}

const NO_FIELDS = z.object({});

function routesOf(app: OpenAPIHono<Env>): Map<string, RouteConfig> {
  return new Map(
    app.openAPIRegistry.definitions.flatMap((definition) =>
      definition.type === "route"
        ? [[shapeOf(definition.route.method, definition.route.path), definition.route]]
        : [],
    ),
  );
}

/** Writes a method and a path in one form, whether the path is hono's or OpenAPI's. */
const shapeOf = (method: string, path: string): string =>
  `${method.toUpperCase()} ${path.replaceAll(/:\w+|\{[^}]*\}|\*/g, "{}")}`;

/** Warns of the fields of a value that its schema does not have. */
export function warnOfUnknown(
  c: Context<Env>,
  kind: Kind,
  schema: Schema,
  value: unknown,
): void {
  let named = 0;
  for (const unknown of unknownFields(schema, value)) {
    if (isNotOffered(unknown.name) && unknown.value === null) continue;
    if (named === MOST_NAMED) return warn(c, MORE);
    warn(c, sentence(kind, schema, unknown));
    named += 1;
  }
}

const MORE = text(
  "there are more fields that are unknown and were ignored",
  "还有其他未知字段，均已被忽略",
);

function sentence(kind: Kind, schema: Schema, unknown: UnknownField): Text {
  const { name, siblings } = unknown;
  const path = JSON.stringify(shortened(unknown.path, LONGEST_PATH));
  if (isNotOffered(name))
    return text(
      `the ${kind.en} ${path} has no effect: the original API has it, this service does not offer it`,
      `${kind.zh} ${path} 不起作用：原 API 有此${kind.zh}，本服务不提供`,
    );
  const en = `the ${kind.en} ${path} is unknown and was ignored`;
  const zh = `${kind.zh} ${path} 未知，已被忽略`;
  const near = nearest(name, siblings);
  if (near !== null)
    return text(`${en}: did you mean "${near}"?`, `${zh}：是否应为 "${near}"？`);
  const elsewhere = placeOf(schema, name);
  if (elsewhere !== null)
    return text(`${en}: its place is "${elsewhere}"`, `${zh}：它的位置是 "${elsewhere}"`);
  return text(
    `${en}: leave it out, /docs has every ${kind.en} of this request`,
    `${zh}：请去掉，/docs 列出了此请求的所有${kind.zh}`,
  );
}

/** Returns the path at which the schema has a field of that name, whatever its letter case; null if it has none. */
function placeOf(schema: Schema, name: string): string | null {
  const wanted = name.toLowerCase();
  for (const path of fieldPaths(schema))
    if (path.slice(path.lastIndexOf(".") + 1).toLowerCase() === wanted) return path;
  return null;
}
