import { OpenAPIHono } from "@hono/zod-openapi";
import { trace } from "@opentelemetry/api";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { getPath } from "hono/utils/url";
import { advanceNextTimes } from "../db/tasks/upkeep.ts";
import { newKey } from "../domain/ids.ts";
import { SYNC_PREFIX } from "../domain/sync.ts";
import { authenticate, createLogin, type Login } from "./http/auth.ts";
import type { ApiDeps, Env } from "./deps.ts";
import { docsRoutes } from "./docs/routes.ts";
import { startPage } from "./docs/start-page.ts";
import { notOffered, tooLongJson } from "./http/details.ts";
import { errorAnswer } from "./http/error-answer.ts";
import { ApiError, failWith } from "./http/errors.ts";
import { spareWrite } from "./http/spare-write.ts";
import { refuseInvalid } from "./http/invalid.ts";
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
  const limit = bodyLimit({
    maxSize: deps.maxJsonBody,
    onError: () => failWith(413, 250106, tooLongJson(deps.maxJsonBody)),
  });

  const { traced } = deps;
  if (traced) app.use((c, next) => (QUIET.test(c.req.path) ? next() : traced(c, next)));
  app.use(async (c, next) => {
    c.set("traceId", trace.getActiveSpan()?.spanContext().traceId ?? newKey());
    const start = performance.now();
    await next();
    c.header("X-Trace-Id", c.get("traceId"));
    const query = c.req.url.includes("?") ? "?…" : "";
    const facts = {
      traceId: c.get("traceId"),
      method: c.req.method,
      path: c.req.path + query,
      status: c.res.status,
      ms: Math.round(performance.now() - start),
    };
    if (QUIET.test(c.req.path)) deps.logger.debug(facts, "answered");
    else deps.logger.info(facts, "answered");
  });
  app.use((c, next) => {
    if (c.env?.refused) throw c.env.refused;
    return next();
  });
  app.use("/", startPage(deps));
  app.use(authenticate(login, { ...deps, hasOwnLogin }));
  // Next execution times that have passed are replaced by the next ones before the route of a
  // request reads tasks.
  app.use("/replication/api/*", (_, next) => {
    advance(deps);
    return next();
  });
  app.use((c, next) =>
    isBodiless(c) || isStreamed(c.req.path) ? next() : limit(c, next),
  );
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
/**
 * Whether a request is a GET or HEAD without a body, judged by its headers alone (RFC 9112 section
 * 6.3): a look at the body would make hono create a whole Request.
 */
const isBodiless = ({ req }: Context<Env>) =>
  (req.method === "GET" || req.method === "HEAD") &&
  req.header("content-length") === undefined &&
  req.header("transfer-encoding") === undefined;
/**
 * Paths for other instances and workers: their routes limit their bodies themselves, some to more
 * than a JSON body may have.
 */
const STREAMED = /^\/internal\/|^\/replication\/sync\//;
const isStreamed = (path: string): boolean =>
  STREAMED.test(path) || (endpointOf(path)?.streams ?? false);

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
