import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { getPath } from "hono/utils/url";
import { advanceNextTimes } from "../db/tasks/upkeep.ts";
import { SYNC_PREFIX } from "../domain/sync.ts";
import { holdBodies } from "./http/body-budget.ts";
import { accessLog } from "./http/access-log.ts";
import { knowClient } from "./http/client.ts";
import { authenticate, createLogin, type Login } from "./http/auth.ts";
import type { ApiDeps, Env } from "./deps.ts";
import { docsRoutes } from "./docs/routes.ts";
import { startPage } from "./docs/start-page.ts";
import { notOffered } from "./http/details.ts";
import { errorAnswer } from "./http/error-answer.ts";
import { ApiError } from "./http/errors.ts";
import { harmless } from "./http/harmless.ts";
import { spareWrite } from "./http/spare-write.ts";
import { refuseInvalid } from "./http/invalid.ts";
import { boundedBody, isJson } from "./http/bounded-body.ts";
import { sameSite } from "./http/same-site.ts";
import { createUnknownFields } from "./http/unknown-fields.ts";
import type { HostedDeps } from "./hosted/endpoint.ts";
import { endpointOf, ENDPOINTS } from "./hosted/index.ts";
import { metricsRoutes } from "./metrics/routes.ts";
import { clusterRoutes } from "./clusters/routes.ts";
import { distributionRoutes } from "./distributions/routes.ts";
import { healthRoutes } from "./system/health.ts";
import { nodeRoutes } from "./files/routes.ts";
import { packageRoutes } from "./packages/routes.ts";
import { projectRoutes } from "./repositories/project-routes.ts";
import {
  projectQuotaRoutes,
  repositoryQuotaRoutes,
} from "./repositories/quota-routes.ts";
import { recordRoutes } from "./records/routes.ts";
import { repositoryRoutes } from "./repositories/routes.ts";
import { syncRoutes } from "./sync/routes.ts";
import { systemRoutes } from "./system/routes.ts";
import { storeRoutes } from "./upkeep/routes.ts";
import { taskRoutes } from "./tasks/routes.ts";
import { workerRoutes } from "./workers/routes.ts";

/** Creates the HTTP application of the control plane with all its routes. */
export function createApp(deps: ApiDeps) {
  const login = createLogin(deps);
  const app = createRoot(deps, login);
  const api = app
    .route("/health", healthRoutes(deps))
    .route("/internal/v1", deps.internal)
    .route("/replication/api/task", taskRoutes(deps))
    .route("/replication/api/task/record", recordRoutes(deps))
    .route("/replication/api/cluster", clusterRoutes(deps))
    .route("/replication/api/worker", workerRoutes(deps))
    .route("/replication/api/system", systemRoutes(deps))
    .route("/replication/api/remote/distribution", distributionRoutes(deps))
    .route(SYNC_PREFIX, syncRoutes(deps))
    .route("/repository/api/project", projectRoutes(deps))
    .route("/repository/api/project", projectQuotaRoutes(deps))
    .route("/repository/api/store", storeRoutes(deps))
    .route("/repository/api/repo", repositoryRoutes(deps))
    .route("/repository/api/repo", repositoryQuotaRoutes(deps))
    .route("/repository/api/node", nodeRoutes(deps))
    .route("/repository/api", packageRoutes(deps));
  mountHosted(app, { ...deps, login });
  return api.route("/", metricsRoutes({ ...deps, login })).route(
    "/",
    docsRoutes(() => app),
  );
}

/** Mounts the endpoints for native clients of hosted types, with their documentation. */
function mountHosted(app: OpenAPIHono<Env>, deps: HostedDeps): void {
  for (const { at, routes, document } of ENDPOINTS) {
    const native = routes(deps);
    document(native);
    app.route(at, native);
  }
}

/**
 * Creates the app without routes: with error answers, trace, access log, login and a limit for JSON
 * bodies.
 */
function createRoot(deps: ApiDeps, login: Login): OpenAPIHono<Env> {
  const unknown = createUnknownFields(() => app);
  const app: OpenAPIHono<Env> = new OpenAPIHono<Env>({
    getPath: collapsed,
    defaultHook: async (result, c) => {
      if (result.target === "json") await unknown.inBody(c);
      refuseInvalid(result, c);
    },
  });
  const bounded = boundedBody(deps.maxJsonBody);
  const { traced } = deps;
  if (traced) app.use((c, next) => (QUIET.test(c.req.path) ? next() : traced(c, next)));
  app.use(harmless());
  app.use(knowClient(deps.isTrustedProxy, deps.publicUrl));
  app.use(holdBodies(deps.maxBuffered));
  app.use(accessLog(deps.logger, (path) => QUIET.test(path)));
  app.use((c, next) => {
    if (c.env?.refused) throw c.env.refused;
    return next();
  });
  app.use(sameSite());
  app.use("/", startPage(deps));
  app.use(authenticate(login, { hasOwnLogin }));
  // Next execution times that have passed are replaced by the next ones before the route of a
  // request reads tasks.
  app.use("/replication/api/*", (_, next) => {
    advance(deps);
    return next();
  });
  app.use((c, next) => (isSafe(c) || hasOwnBody(c) ? next() : bounded(c, next)));
  app.use((c, next) => {
    unknown.inQuery(c);
    return next();
  });

  app.onError((error, c) =>
    inForm(c)(error, c, (cause) =>
      deps.logger.error({ traceId: c.get("traceId"), err: cause }, "request failed"),
    ),
  );
  app.notFound((c) => {
    const methods = allowedMethods(app, c.req.path);
    const error =
      methods.length > 0
        ? new ApiError([250112, notOffered(c.req.method, methods)], {
            status: 405,
            headers: { allow: methods.join(", ") },
          })
        : new ApiError([250130, c.req.path]);
    return inForm(c)(error, c, () => undefined);
  });
  return app;
}

const advance = (deps: Pick<ApiDeps, "db" | "zone" | "now" | "logger">) =>
  spareWrite(deps, "the next execution times", () =>
    advanceNextTimes(deps.db, deps.zone, deps.now()),
  );

const inForm = (c: Context<Env>) => endpointOf(c.req.path)?.errorAnswer ?? errorAnswer;
const hasOwnLogin = (path: string): boolean =>
  path === "/metrics" || endpointOf(path)?.login === "OWN";

/** Paths whose requests are frequent by design: they are logged at debug level and not traced. */
const QUIET = /^\/(?:(?:health|internal)\/|metrics$)/;
/** Requests of these methods have no body that hono can read. */
const isSafe = ({ req }: Context<Env>) => req.method === "GET" || req.method === "HEAD";

/**
 * Whether the route limits the body of a request itself: a report of a worker, a content, or a statement of another
 * instance.
 */
const hasOwnBody = ({ req }: Context<Env>): boolean =>
  req.path.startsWith("/internal/") ||
  (endpointOf(req.path)?.streams ?? false) ||
  (req.path.startsWith("/replication/sync/") && !isJson(req.header("content-type")));

/**
 * Merges repeated slashes right after `/replication`: old documentation writes
 * `/replication//api/…`, and a proxy used to merge them. No other path is changed.
 */
function collapsed(request: Request): string {
  return getPath(request).replace(/^\/replication\/{2,}/, "/replication/");
}

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

function allowedMethods(app: OpenAPIHono<Env>, path: string): string[] {
  const has = (method: string) =>
    app.router.match(method, path)[0].some(([[, route]]) => route.method === method);
  return METHODS.filter(has).flatMap((method) =>
    method === "GET" ? ["GET", "HEAD"] : [method],
  );
}
