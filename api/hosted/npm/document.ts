import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Env } from "../../deps.ts";
import { jsonAnswer, optionalText } from "../../http/documented.ts";
import { type NativeMethod, REFUSED } from "../../http/native-answers.ts";

const tags = ["npm"];
const failure = z.object({ error: z.string(), reason: z.string() }).openapi("NpmError");
const because = jsonAnswer(failure);
const anything = { "application/json": { schema: z.record(z.string(), z.unknown()) } };

const PARAMETERS: Record<string, string> = {
  projectId: "Project",
  repoName: "Repository of type NPM",
  name: "name or @scope/name; the slash may be written as %2f",
  version: "A version or a dist-tag",
  file: "Name of the tarball, as in dist.tarball",
  tag: "A dist-tag",
  rev: "_rev of the document that is changed",
};

type Answers = Partial<Record<number, string>>;
type Path = {
  method: NativeMethod;
  path: string;
  summary: string;
  done: Answers;
  refused?: Answers;
  query?: z.ZodObject;
  body?: z.ZodType;
};

const missing = {
  404: "The repository, package, version, dist-tag or tarball does not exist",
};
const full = {
  413: "The tarball is larger than MAX_UPLOAD, or the metadata is too large",
  507: "The disk is full",
};
const taken = {
  409: "The version exists already, or the document was changed meanwhile",
};
const people = { 403: "Owners and stars of packages are not kept" };
const tarball = "/{name}/-/{file}";
const packument = z
  .object({ name: z.string(), versions: z.record(z.string(), z.unknown()) })
  .loose();

const PATHS: Path[] = [
  {
    method: "get",
    path: "/-/ping",
    summary: "Whether the repository exists and the login is right",
    done: { 200: "Both are so" },
  },
  {
    method: "get",
    path: "/-/whoami",
    summary: "The name of the logged-in user",
    done: { 200: "username" },
  },
  {
    method: "get",
    path: "/-/v1/search",
    summary: "Packages whose name, description or keywords contain all words",
    done: { 200: "objects, total, time" },
    query: z.object({
      text: optionalText("Words"),
      size: optionalText("Number of results: 20 by default, at most 250"),
      from: optionalText("Number of results to skip"),
    }),
  },
  {
    method: "get",
    path: "/{name}",
    summary: "All versions of a package",
    done: {
      200: "The packument; abbreviated for Accept: application/vnd.npm.install-v1+json",
      304: "The client has it already",
    },
    query: z.object({ write: optionalText("true: the whole document, to change it") }),
  },
  {
    method: "put",
    path: "/{name}",
    summary: "Publish a version, or deprecate versions",
    done: {
      200: "The deprecations are as in the document",
      201: "The version is published",
    },
    refused: {
      400: "The body is not a publication, or its content is not as announced",
      ...people,
      ...taken,
      ...full,
    },
    body: packument,
  },
  {
    method: "put",
    path: "/{name}/-rev/{rev}",
    summary: "Unpublish the versions that the document lacks",
    done: { 200: "The versions are unpublished" },
    refused: { ...people, ...taken, ...full },
    body: packument,
  },
  {
    method: "delete",
    path: "/{name}/-rev/{rev}",
    summary: "Unpublish a package",
    done: { 200: "The package is unpublished" },
    refused: taken,
  },
  {
    method: "get",
    path: "/{name}/{version}",
    summary: "One version",
    done: { 200: "Its document" },
  },
  {
    method: "get",
    path: tarball,
    summary: "A tarball",
    done: {
      200: "Its bytes",
      206: "The part that Range names",
      304: "The client has it already",
    },
    refused: { 416: "The tarball has no such bytes" },
  },
  {
    method: "head",
    path: tarball,
    summary: "Size and digests of a tarball",
    done: {
      200: "The tarball exists",
      206: "The part that Range names exists",
      304: "The client has it already",
    },
    refused: { 416: "The tarball has no such bytes" },
  },
  {
    method: "delete",
    path: `${tarball}/-rev/{rev}`,
    summary: "The last step of unpublishing a version",
    done: { 200: "The tarball is deleted" },
    refused: taken,
  },
  {
    method: "get",
    path: "/-/package/{name}/dist-tags",
    summary: "Dist-tags of a package",
    done: { 200: "Versions by tag" },
  },
  {
    method: "put",
    path: "/-/package/{name}/dist-tags/{tag}",
    summary: "Point a dist-tag at a version",
    done: { 201: "The dist-tag points to the version" },
    refused: { 400: "The name is not a valid dist-tag" },
    body: z.string(),
  },
  {
    method: "delete",
    path: "/-/package/{name}/dist-tags/{tag}",
    summary: "Remove a dist-tag",
    done: { 200: "The dist-tag is removed" },
    refused: { 403: "latest cannot be removed" },
  },
];

export function document({ openAPIRegistry: registry }: OpenAPIHono<Env>): void {
  for (const { method, path, summary, done, refused = {}, query, body } of PATHS) {
    const whole = `/{projectId}/{repoName}${path}`;
    const names = [...whole.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
    const params = z.object(
      Object.fromEntries(
        names.map((name) => [
          name,
          z.string().openapi({ description: PARAMETERS[name] ?? name }),
        ]),
      ),
    );
    const answered = Object.entries(done).map(([status, description = ""]) => [
      status,
      status === "304" ? { description } : { description, content: anything },
    ]);
    const failures = Object.entries({ ...REFUSED[method], ...missing, ...refused });
    const failed = failures.map(([status, description = ""]) => [
      status,
      because(description),
    ]);
    const json = body && {
      required: true,
      content: { "application/json": { schema: body } },
    };
    const request = {
      params,
      ...(query ? { query } : {}),
      ...(json ? { body: json } : {}),
    };
    registry.registerPath({
      method,
      path: whole,
      tags,
      summary,
      request,
      responses: Object.fromEntries([...answered, ...failed]),
    });
  }
}
