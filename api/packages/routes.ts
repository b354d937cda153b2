import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { durable } from "../../db/durable.ts";
import { pagePackages, pageVersions, readPackage } from "../../db/packages/pages.ts";
import { packageKeyProblem, packageNameOf } from "../../domain/package-key.ts";
import type { ApiDeps, Env } from "../deps.ts";
import {
  answers,
  nothing,
  offsetOf,
  ok,
  page,
  pageQuery,
  toPage,
} from "../http/envelope.ts";
import { fail } from "../http/errors.ts";
import { deletePackage, deleteVersion } from "./actions.ts";
import { PackageInfo, toPackageInfo, toVersionInfo, VersionInfo } from "./shapes.ts";
import { hostedRepository } from "../http/repository.ts";

const tags = ["packages"];
const named = z.object({ projectId: z.string(), repoName: z.string() });
const packageKey = z.string().openapi({
  description: "`gav://group:artifact`, `npm://name`, `docker://name`, `oci://name`",
  example: "gav://com.alibaba:fastjson",
});
const keyed = z.object({ packageKey });
const beginning = (of: string) =>
  z
    .string()
    .optional()
    .openapi({ description: `How the ${of} begins` });
const unknown = [250105, 250112, 251004, 251006] as const;

const packagePage = createRoute({
  method: "get",
  path: "/package/page/{projectId}/{repoName}",
  tags,
  summary: "Packages of a hosted repository, page by page",
  request: {
    params: named,
    query: pageQuery.extend({ packageName: beginning("package's name") }),
  },
  responses: answers(page(PackageInfo), unknown, "A page of packages by name"),
});

const packageInfo = createRoute({
  method: "get",
  path: "/package/info/{projectId}/{repoName}",
  tags,
  summary: "One package",
  request: { params: named, query: keyed },
  responses: answers(PackageInfo, [...unknown, 251017], "The package"),
});

const versionPage = createRoute({
  method: "get",
  path: "/version/page/{projectId}/{repoName}",
  tags,
  summary: "Versions of a package, page by page",
  request: {
    params: named,
    query: pageQuery.extend({ packageKey, version: beginning("version's name") }),
  },
  responses: answers(
    page(VersionInfo),
    [...unknown, 251017],
    "A page of versions, the newest first",
  ),
});

const packageDelete = createRoute({
  method: "delete",
  path: "/package/delete/{projectId}/{repoName}",
  tags,
  summary: "Delete a package with all its versions",
  request: { params: named, query: keyed },
  responses: answers(nothing, [...unknown, 251017]),
});

const versionDelete = createRoute({
  method: "delete",
  path: "/version/delete/{projectId}/{repoName}",
  tags,
  summary: "Delete a version of a package; the package goes with its last version",
  request: { params: named, query: keyed.extend({ version: z.string() }) },
  responses: answers(nothing, [250104, ...unknown, 251017, 251019]),
});

/** Packages of hosted repositories, published by any native client. */
export function packageRoutes(deps: ApiDeps) {
  const { db, zone, now } = deps;

  /** The hosted repository and the package that a request names. */
  function find(place: { projectId: string; repoName: string }, key: string) {
    const repository = hostedRepository(db, place);
    const problem = packageKeyProblem(key, repository.type);
    if (problem !== null) fail(250105, "packageKey", problem);
    return { repository, named: { key, packageName: packageNameOf(key) } };
  }

  return new OpenAPIHono<Env>()
    .openapi(packagePage, (c) => {
      const { packageName = "", ...at } = c.req.valid("query");
      const repository = hostedRepository(db, c.req.valid("param"));
      const { total, packages } = pagePackages(
        db,
        repository,
        packageName,
        offsetOf(at),
        at.pageSize,
      );
      return ok(
        c,
        toPage(
          at,
          total,
          packages.map((each) => toPackageInfo(each, repository, zone)),
        ),
      );
    })
    .openapi(packageInfo, (c) => {
      const { repository, named } = find(
        c.req.valid("param"),
        c.req.valid("query").packageKey,
      );
      return ok(
        c,
        toPackageInfo(
          readPackage(db, repository, named.packageName) ?? fail(251017, named.key),
          repository,
          zone,
        ),
      );
    })
    .openapi(versionPage, (c) => {
      const { packageKey: key, version: name = "", ...at } = c.req.valid("query");
      const { repository, named } = find(c.req.valid("param"), key);
      const found =
        pageVersions(
          db,
          repository,
          { ...named, name },
          { offset: offsetOf(at), limit: at.pageSize, now: now() },
        ) ?? fail(251017, key);
      return ok(
        c,
        toPage(
          at,
          found.total,
          found.versions.map((each) => toVersionInfo(each, zone)),
        ),
      );
    })
    .openapi(packageDelete, async (c) => {
      const { repository, named } = find(
        c.req.valid("param"),
        c.req.valid("query").packageKey,
      );
      await deletePackage(db, repository, named, now());
      await durable(db);
      return ok(c, null);
    })
    .openapi(versionDelete, async (c) => {
      const { packageKey: key, version } = c.req.valid("query");
      if (version === "") fail(250104, "version");
      const { repository, named } = find(c.req.valid("param"), key);
      await deleteVersion(db, repository, named, version, now());
      await durable(db);
      return ok(c, null);
    });
}
