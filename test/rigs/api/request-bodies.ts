import type { TestApi } from "./api-fixture.ts";

type Schema = {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  pattern?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  example?: unknown;
};
type Parameter = { in: string; name: string };
type Operation = {
  requestBody?: { content?: Record<string, { schema: Schema }> };
  parameters?: Parameter[];
};

/** The way to a field: names of fields and places in lists. */
type Way = (string | number)[];

/** Paths of native endpoints (OCI, npm, Maven), whose errors have other formats. */
const NATIVE = /^\/(?:v2|npm|maven)\//;

/** Reads the requests of all routes from the OpenAPI document. */
export async function readRequests(api: TestApi) {
  const { text } = await api.call("GET", "/openapi.json", { login: null });
  const document = JSON.parse(text) as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, Schema> };
  };
  const operations = Object.entries(document.paths)
    .filter(([path]) => !NATIVE.test(path))
    .flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        parameters: operation.parameters ?? [],
        schema: operation.requestBody?.content?.["application/json"]?.schema,
      })),
    );
  const bodies = operations.flatMap(({ schema, ...at }) =>
    schema === undefined ? [] : [{ ...at, schema }],
  );
  return { operations, bodies, ...createReader(document.components.schemas) };
}

function createReader(schemas: Record<string, Schema>) {
  const resolved = (schema: Schema): Schema => {
    const name = schema.$ref?.split("/").at(-1);
    const found = name === undefined ? schema : (schemas[name] ?? {});
    const alternatives = found.anyOf ?? found.oneOf ?? found.allOf;
    if (alternatives === undefined) return found;
    const forms = alternatives.map(resolved);
    if (found.allOf) return merged([...forms, { ...found, allOf: [] }]);
    return (
      forms.find(({ properties }) => properties !== undefined) ??
      forms.find(({ type }) => type !== "null") ??
      {}
    );
  };

  /** Builds a valid value of an OpenAPI schema, with every field present. */
  function valueOf(schema: Schema): unknown {
    const { type, enum: words, pattern, properties, items } = resolved(schema);
    if (properties)
      return Object.fromEntries(
        Object.entries(properties).map(([name, each]) => [name, valueOf(each)]),
      );
    const [kind] = [type ?? "string"].flat();
    if (words) return words[0];
    if (kind === "array") return [valueOf(items ?? {})];
    if (kind === "integer" || kind === "number") return 1;
    if (kind === "boolean") return true;
    // The only pattern that request bodies have is that of a digest.
    return pattern === undefined ? "text" : "0".repeat(64);
  }

  /** Returns the ways to all objects of a schema that have fields, at every depth. */
  function objectsIn(schema: Schema, at: Way = []): { way: Way; fields: string[] }[] {
    const { properties = {}, items } = resolved(schema);
    const fields = Object.keys(properties);
    return [
      ...(fields.length > 0 ? [{ way: at, fields }] : []),
      ...Object.entries(properties).flatMap(([name, each]) =>
        objectsIn(each, [...at, name]),
      ),
      ...(items ? objectsIn(items, [...at, 0]) : []),
    ];
  }

  /** Returns the ways to all required fields of a schema, at every depth. */
  function requiredIn(schema: Schema, at: Way = []): Way[] {
    const { properties = {}, required = [], items } = resolved(schema);
    const deeper = Object.entries(properties).flatMap(([name, each]) =>
      requiredIn(each, [...at, name]),
    );
    return [
      ...required.map((name) => [...at, name]),
      ...deeper,
      ...(items ? requiredIn(items, [...at, 0]) : []),
    ];
  }
  return { valueOf, objectsIn, requiredIn };
}

const merged = (parts: Schema[]): Schema => ({
  properties: Object.assign(
    {},
    ...parts.map(({ properties = {} }) => properties),
  ) as Record<string, Schema>,
  required: parts.flatMap(({ required = [] }) => required),
});

/** Writes the way to a field as the API's messages do. */
export const nameOf = (way: Way): string =>
  way
    .map((part, i) =>
      typeof part === "number" ? `[${part}]` : `${i > 0 ? "." : ""}${part}`,
    )
    .join("");

/** Returns a copy of a body with another value in one place. */
export function changedAt(body: unknown, way: Way, put: unknown): unknown {
  const copy = structuredClone(body) as Record<string | number, unknown>;
  const owner = way
    .slice(0, -1)
    .reduce((value, part) => value[part] as Record<string | number, unknown>, copy);
  owner[way.at(-1) ?? ""] = put;
  return copy;
}

/** Returns a path with a value for each of its parameters. */
export const pathOf = (path: string): string => path.replaceAll(/\{\w+\}/g, "demo");
