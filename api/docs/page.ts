import { html, raw } from "hono/html";
import { exampleOf, type Schema, typeOf } from "./schema.ts";

type Content = { content?: Record<string, { schema?: Schema }> };
type Parameter = {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
};
type Operation = {
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: Content & { required?: boolean };
  responses: Record<string, Content & { description?: string }>;
};

/** The parts of an OpenAPI document that the page shows. */
export type ApiDocument = {
  info: { title: string; description?: string };
  paths: Record<string, Partial<Record<(typeof METHODS)[number], Operation>>>;
  components?: { schemas?: Record<string, Schema> };
};

const METHODS = ["get", "head", "post", "put", "patch", "delete"] as const;

type Route = { id: string; method: string; path: string; operation: Operation };

/**
 * Writes the API documentation as one HTML page without scripts and without files of other servers:
 * the routes by group with parameters, bodies, examples and failures, then the shapes.
 */
export function docsPage({ info, paths, components = {} }: ApiDocument): string {
  const schemas = components.schemas ?? {};
  const routes = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method): Route[] => {
      const operation = item[method];
      return operation
        ? [
            {
              id: `${method}-${path.replaceAll(/[^A-Za-z0-9]+/g, "-")}`,
              method: method.toUpperCase(),
              path,
              operation,
            },
          ]
        : [];
    }),
  );
  const groups = [...new Set(routes.map(groupOf))];
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${info.title}</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <nav>
          ${groups.map(
            (group) =>
              html`<h2>${group}</h2>
                <ul>
                  ${routes.filter((route) => groupOf(route) === group).map(link)}
                </ul>`,
          )}
          <h2>shapes</h2>
          <ul>
            ${Object.keys(schemas).map((name) => html`<li><a href="#${name}">${name}</a></li>`)}
          </ul>
        </nav>
        <main>
          <h1>${info.title}</h1>
          <p>${info.description}</p>
          <p>The same as <a href="/openapi.json">OpenAPI 3.1</a>.</p>
          ${groups.map(
            (group) =>
              html`<h2>${group}</h2>
                ${routes.filter((route) => groupOf(route) === group).map((route) => section(route, schemas))}`,
          )}
          <h2>shapes</h2>
          ${Object.entries(schemas).map(
            ([name, schema]) =>
              html`<section id="${name}">
                <h3>${name}</h3>
                ${shape(schema)}
              </section>`,
          )}
        </main>
      </body>
    </html>`.toString();
}

const groupOf = ({ operation }: Route): string => operation.tags?.[0] ?? "other";

const link = ({ id, method, path }: Route) =>
  html`<li>
    <a href="#${id}"><b>${method}</b> ${path}</a>
  </li>`;

function section(
  { id, method, path, operation }: Route,
  schemas: Record<string, Schema>,
) {
  const { parameters = [], requestBody, responses } = operation;
  const body = requestBody?.content?.["application/json"]?.schema;
  return html`<section id="${id}">
    <h3><b>${method}</b> <code>${path}</code></h3>
    <p><strong>${operation.summary ?? ""}</strong> ${operation.description ?? ""}</p>
    ${
      parameters.length === 0
        ? ""
        : html`<h4>Parameters</h4>
            ${table(parameters.map(parameterRow))}`
    }
    ${
      body
        ? html`<h4>Body</h4>
            ${shape(body)}
            <pre>${pretty(exampleOf(body, schemas))}</pre>`
        : ""
    }
    <h4>Answers</h4>
    ${Object.entries(responses).map(([status, response]) => answer(status, response, schemas))}
  </section>`;
}

function parameterRow({
  name,
  in: place,
  required = false,
  description = "",
  schema = {},
}: Parameter): Row {
  return {
    name,
    type: `${typeOf(schema)} (${place})`,
    need: required ? "required" : "",
    text: description || (schema.description ?? ""),
  };
}

function answer(
  status: string,
  { description = "", content }: Content & { description?: string },
  schemas: Record<string, Schema>,
) {
  const [first = "", ...codes] = description.split("\n- ");
  const schema = content?.["application/json"]?.schema;
  const example =
    status.startsWith("2") && schema
      ? html`<pre>${pretty(exampleOf(schema, schemas))}</pre>`
      : "";
  return html`<p><b>${status}</b> ${first}</p>
    ${
      codes.length === 0
        ? ""
        : html`<ul>
            ${codes.map((code) => html`<li>${code}</li>`)}
          </ul>`
    }${example}`;
}

type Row = { name: string; type: string; need: string; text: string };

function shape(schema: Schema) {
  const { properties, required = [] } = schema;
  if (properties === undefined)
    return html`<p><code>${typeOf(schema)}</code> ${schema.description ?? ""}</p>`;
  return table(
    Object.entries(properties).map(([name, field]) => ({
      name,
      type: typeOf(field),
      need: required.includes(name)
        ? "required"
        : field.default === undefined
          ? ""
          : `default ${JSON.stringify(field.default)}`,
      text: field.description ?? "",
    })),
  );
}

const table = (rows: Row[]) =>
  html`<table>
    ${rows.map(
      ({ name, type, need, text }) =>
        html`<tr>
          <td><code>${name}</code></td>
          <td>${type}</td>
          <td>${need}</td>
          <td>${text}</td>
        </tr>`,
    )}
  </table>`;

const pretty = (value: unknown) => JSON.stringify(value, null, 2) ?? "";

const STYLE = `
body {
  margin: 0; font: 15px/1.5 system-ui, sans-serif; display: grid; grid-template-columns: 22rem minmax(0, 1fr);
  color: #222; background: #fff; overflow-wrap: anywhere
}
nav {
  position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem; border-right: 1px solid #8884;
  box-sizing: border-box; font-size: 13px
}
nav ul { list-style: none; padding: 0 } nav h2 { font-size: 1rem }
main { padding: 1rem 2rem; max-width: 60rem; min-width: 0; box-sizing: border-box }
section { border-top: 1px solid #8884; padding: .5rem 0 1rem }
pre { background: #8882; padding: .75rem; overflow: auto; font-size: 13px }
table { border-collapse: collapse; width: 100%; table-layout: fixed }
td { border: 1px solid #8884; padding: .25rem .5rem; vertical-align: top }
td:nth-child(1) { width: 27% } td:nth-child(2) { width: 26% } td:nth-child(3) { width: 5.5rem }
a { color: inherit } b { font-size: .85em }
:root { color-scheme: light dark }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } }
@media (max-width: 60rem) { body { display: block } nav { position: static; height: auto; max-height: 40vh } }
@media (max-width: 40rem) {
  main { padding: 1rem } tr { display: block; border: 1px solid #8884; padding: .25rem .5rem; margin: 0 0 .25rem }
  tr td { display: block; width: auto; border: 0; padding: 0 } td:empty { display: none }
}
`;
