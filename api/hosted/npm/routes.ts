import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { type Login, loginByBasic } from "../../http/auth.ts";
import type { ApiDeps, Env } from "../../deps.ts";
import { notOffered } from "../../http/details.ts";
import { type Address, placeOf } from "./address.ts";
import { deleteRevision, deleteTarball, putPackage, putRevision } from "./change.ts";
import { LOGIN_HINT, NpmError } from "./errors.ts";
import { createPackuments } from "./packuments.ts";
import { getPackument, getTarball, getVersion } from "./read.ts";
import { npmRepository } from "./repository.ts";
import { baseOf, type NpmRequest } from "./request.ts";
import { search } from "./search.ts";
import { deleteTag, getTags, putTag } from "./tags.ts";

type Handler = () => Promise<Response> | Response;

/** Serves hosted NPM repositories as npm registries, at `/npm/{projectId}/{repoName}/`. */
export function npmRoutes(deps: ApiDeps & { login: Login }) {
  const packuments = createPackuments(deps.db);
  const app = new OpenAPIHono<Env>();
  app.all("/*", async (c) => {
    const { projectId, repoName, address } = placeOf(c);
    refuseLogin(c.req.method, address);
    await loginByBasic(c, deps.login);
    const repository = npmRepository(deps.db, { projectId, repoName });
    const request: NpmRequest = {
      c,
      deps,
      repository,
      packuments,
      base: baseOf(c, repository),
    };
    return choose(c, handlersOf(request, address))();
  });
  return app;
}

/**
 * Throws 403 for the requests of `npm login`, which npm sends without credentials, and for other
 * changes of users. npm shows the message to the user.
 */
function refuseLogin(method: string, address: Address): void {
  if (
    address.kind === "service" &&
    method !== "GET" &&
    (address.path === "v1/login" || address.path.startsWith("user/"))
  ) {
    throw new NpmError(
      403,
      `logins and tokens cannot be made here, use the administrator's name and password: ${LOGIN_HINT}`,
    );
  }
}

/**
 * Returns the handlers of an address, by method; HEAD is GET without a body. Throws NpmError for a
 * service that does not exist here.
 */
function handlersOf(request: NpmRequest, address: Address): Record<string, Handler> {
  switch (address.kind) {
    case "root":
      return {
        GET: () =>
          request.c.json({
            db_name: `${request.repository.projectId}/${request.repository.name}`,
          }),
      };
    case "service":
      return serviceOf(request, address.path);
    case "tags":
      return { GET: () => getTags(request, address.name) };
    case "tag":
      return {
        PUT: () => putTag(request, address.name, address.tag),
        POST: () => putTag(request, address.name, address.tag),
        DELETE: () => deleteTag(request, address.name, address.tag),
      };
    case "package":
      return {
        GET: () => getPackument(request, address.name),
        PUT: () => putPackage(request, address.name),
      };
    case "revision":
      return {
        PUT: () => putRevision(request, address.name, address.rev),
        DELETE: () => deleteRevision(request, address.name, address.rev),
      };
    case "version":
      return { GET: () => getVersion(request, address.name, address.version) };
    case "tarball":
      return { GET: () => getTarball(request, address.name, address.file) };
    case "tarballRevision":
      return { DELETE: () => deleteTarball(request, address.name, address.file) };
  }
}

function serviceOf(request: NpmRequest, path: string): Record<string, Handler> {
  const { c } = request;
  switch (path) {
    case "ping":
      return { GET: () => c.json({}) };
    case "whoami":
      return { GET: () => c.json({ username: c.get("user") }) };
    case "v1/search":
      return { GET: () => search(request) };
    default:
      if (PEOPLE.test(path))
        throw new NpmError(
          403,
          "there are no users, owners, teams and tokens here: the administrator owns everything",
        );
      // Requests of `npm audit` get this answer as well: npm goes on without the audit after a 404.
      throw new NpmError(404, `/-/${path.slice(0, 250)} is not supported here`);
  }
}

/** Paths that npm requests for `owner`, `access`, `team`, `org`, `token` and `profile`. */
const PEOPLE = /^(?:user|org|team|package)\/|^npm\/v1\/(?:tokens|user)/;

function choose(c: Context<Env>, handlers: Record<string, Handler>): Handler {
  const method = c.req.method === "HEAD" ? "GET" : c.req.method;
  const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined;
  if (handler) return handler;
  const methods = Object.keys(handlers).flatMap((each) =>
    each === "GET" ? ["GET", "HEAD"] : [each],
  );
  c.header("allow", methods.join(", "));
  throw new NpmError(405, notOffered(c.req.method, methods).en);
}
