import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";

let api: TestApi;
let schemas: Record<string, Schema> = {};
let bodies: { method: string; path: string; schema: Schema }[] = [];

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
type Operation = { requestBody?: { content?: Record<string, { schema: Schema }> } };

/** Paths of native endpoints (OCI, npm, Maven). Their errors have other formats, so they are not tested here. */
const NATIVE = /^\/(?:v2|npm|maven)\//;

beforeAll(async () => {
  api = createTestApi();
  const { text } = await api.call("GET", "/openapi.json", { login: null });
  const document = JSON.parse(text) as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, Schema> };
  };
  schemas = document.components.schemas;
  bodies = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, { requestBody }]) => {
      const schema = requestBody?.content?.["application/json"]?.schema;
      return schema === undefined || NATIVE.test(path)
        ? []
        : [{ method: method.toUpperCase(), path, schema }];
    }),
  );
});
afterAll(() => api.close());

const merged = (parts: Schema[]): Schema => ({
  properties: Object.assign(
    {},
    ...parts.map(({ properties = {} }) => properties),
  ) as Record<string, Schema>,
  required: parts.flatMap(({ required = [] }) => required),
});

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

type Way = (string | number)[];

/** Returns the paths of all required fields of a schema, at every depth. */
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

const nameOf = (way: Way): string =>
  way
    .map((part, i) =>
      typeof part === "number" ? `[${part}]` : `${i > 0 ? "." : ""}${part}`,
    )
    .join("");

function without(body: unknown, way: Way, put: null | undefined): unknown {
  const copy = structuredClone(body) as Record<string | number, unknown>;
  const owner = way
    .slice(0, -1)
    .reduce((value, part) => value[part] as Record<string | number, unknown>, copy);
  owner[way.at(-1) ?? ""] = put;
  return copy;
}

const pathOf = (path: string): string => path.replaceAll(/\{\w+\}/g, "demo");

test("every route answers 250106 with the field's full name if a required field is missing", async () => {
  const seen: string[] = [];
  for (const { method, path, schema } of bodies) {
    const whole = valueOf(schema);
    for (const way of requiredIn(schema)) {
      for (const put of [undefined, null]) {
        const { status, code, message } = await api.call(method, pathOf(path), {
          body: without(whole, way, put),
        });
        expect([method, path, status, code, message]).toEqual([
          method,
          path,
          400,
          250106,
          `request content is invalid: ${nameOf(way)} is missing`,
        ]);
      }
      seen.push(`${method} ${path} ${nameOf(way)}`);
    }
  }
  expect(seen).toEqual(
    expect.arrayContaining([
      "POST /replication/api/task/create replicaTaskObjects[0].localRepoName",
      "POST /replication/api/task/update replicaTaskObjects[0].packageConstraints[0].packageKey",
      "POST /replication/api/task/copy key",
      "POST /replication/api/cluster/update url",
      "POST /replication/api/remote/distribution/create/{projectId}/{repoName} " +
        "configs[0].packageConstraints[0].packageKey",
      "POST /replication/api/remote/distribution/create/{projectId}/{repoName} configs[0].name",
      "POST /repository/api/project/create name",
      "POST /repository/api/repo/create type",
    ]),
  );
});

test.each([
  ["no body", undefined, /Malformed JSON|object/],
  ["the body null", "null", /object/],
  ["a list as its body", "[]", /object|missing/],
])(
  "every route with required fields answers 250106 to a request that has %s",
  async (_what, body, sentence) => {
    for (const { method, path, schema } of bodies) {
      if (requiredIn(schema).length === 0) continue;
      const answer = await api.call(method, pathOf(path), {
        headers: { "content-type": "application/json" },
        ...(body === undefined ? {} : { body }),
      });
      expect([path, answer.code, answer.message]).toEqual([
        path,
        250106,
        expect.stringMatching(sentence),
      ]);
    }
  },
);

test.each([
  ["GET", "/replication/api/cluster/exist", "name"],
  ["GET", "/replication/api/cluster/info", "name"],
  ["POST", "/replication/api/cluster/tryConnect", "name"],
])(
  "%s %s without its required parameter is refused with 250103 and the parameter's name",
  async (method, path, name) => {
    expect(await api.call(method, path)).toMatchObject({
      status: 400,
      code: 250103,
      message: `parameter [${name}] is missing`,
    });
  },
);
