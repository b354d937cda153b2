import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { durable } from "../../db/durable.ts";
import type { Db } from "../../db/open.ts";
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
import { hostedRepository, type RepositoryName } from "../http/repository.ts";

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
const packageQuery = pageQuery.extend({ packageName: beginning("package's name") });
const versionQuery = pageQuery.extend({
  packageKey,
  version: beginning("version's name"),
});
const unknown = [250105, 250112, 251004, 251006] as const;

const packagePage = createRoute({
  method: "get",
  path: "/package/page/{projectId}/{repoName}",
  tags,
  summary: "Packages of a hosted repository, page by page",
  request: { params: named, query: packageQuery },
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
  request: { params: named, query: versionQuery },
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

/**
 * Serves the API routes for packages of hosted repositories, whichever native client published
 * them.
 */
export function packageRoutes(deps: ApiDeps) {
  const { db, zone, now } = deps;
  return new OpenAPIHono<Env>()
    .openapi(packagePage, (c) =>
      ok(c, listPackages(deps, c.req.valid("param"), c.req.valid("query"))),
    )
    .openapi(packageInfo, (c) => {
      const { packageKey: key } = c.req.valid("query");
      const { repository, named } = findNamed(db, c.req.valid("param"), key);
      const found = readPackage(db, repository, named.packageName) ?? fail(251017, key);
      return ok(c, toPackageInfo(found, repository, zone));
    })
    .openapi(versionPage, (c) =>
      ok(c, listVersions(deps, c.req.valid("param"), c.req.valid("query"))),
    )
    .openapi(packageDelete, async (c) => {
      const { packageKey: key } = c.req.valid("query");
      const { repository, named } = findNamed(db, c.req.valid("param"), key);
      await deletePackage(db, repository, named, now());
      await durable(db);
      return ok(c, null);
    })
    .openapi(versionDelete, async (c) => {
      const { packageKey: key, version } = c.req.valid("query");
      if (version === "") fail(250104, "version");
      const { repository, named } = findNamed(db, c.req.valid("param"), key);
      await deleteVersion(db, repository, named, version, now());
      await durable(db);
      return ok(c, null);
    });
}

/**
 * Finds the hosted repository and the name of the package that a request names; the package may not
 * exist. Throws 250105 if the key does not fit the type of the repository.
 */
function findNamed(db: Db, place: RepositoryName, key: string) {
  const repository = hostedRepository(db, place);
  const problem = packageKeyProblem(key, repository.type);
  if (problem !== null) fail(250105, "packageKey", problem);
  return { repository, named: { key, packageName: packageNameOf(key) } };
}

function listPackages(
  { db, zone }: ApiDeps,
  place: RepositoryName,
  query: z.output<typeof packageQuery>,
) {
  const { packageName = "", ...at } = query;
  const repository = hostedRepository(db, place);
  const { total, packages } = pagePackages(
    db,
    repository,
    packageName,
    offsetOf(at),
    at.pageSize,
  );
  const infos = packages.map((each) => toPackageInfo(each, repository, zone));
  return toPage(at, total, infos);
}

function listVersions(
  { db, zone, now }: ApiDeps,
  place: RepositoryName,
  query: z.output<typeof versionQuery>,
) {
  const { packageKey: key, version: name = "", ...at } = query;
  const { repository, named } = findNamed(db, place, key);
  const wanted = { offset: offsetOf(at), limit: at.pageSize, now: now() };
  const found =
    pageVersions(db, repository, { ...named, name }, wanted) ?? fail(251017, key);
  const infos = found.versions.map((each) => toVersionInfo(each, zone));
  return toPage(at, found.total, infos);
}
