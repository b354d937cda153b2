import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { getNode, pageNodes } from "../../db/content/nodes.ts";
import type { RepositoryRow } from "../../db/content/repositories.ts";
import type { ApiDeps, Env } from "../deps.ts";
import {
  answers,
  flag,
  nothing,
  offsetOf,
  ok,
  page,
  pageQuery,
  toPage,
} from "../http/envelope.ts";
import { fail } from "../http/errors.ts";
import { refuseInvalid } from "../http/invalid.ts";
import { requestPath } from "../http/request-path.ts";
import { NodeInfo, rootInfo, toNodeInfo } from "../hosted/node-shapes.ts";
import { hostedRepository } from "../http/repository.ts";
import { FILES } from "../hosted/index.ts";
import { writable } from "../hosted/writable.ts";

/**
 * Number of path segments before the file's path: repository, api, node, detail (or page, delete),
 * {projectId}, {repoName}.
 */
const SKIPPED = 6;

const query = pageQuery.extend({
  includeFolder: flag
    .prefault("true")
    .openapi({ description: "Whether folders are shown" }),
  includeMetadata: flag
    .prefault("false")
    .openapi({ description: "Whether metadata is shown; else it is {}" }),
  deep: flag
    .prefault("false")
    .openapi({ description: "Whether the content of folders below is shown as well" }),
  sort: flag.prefault("false").openapi({
    description: "With deep: true shows folders first, false sorts by path alone",
  }),
});

/** Serves the API routes for files and folders of hosted repositories. */
export function nodeRoutes(deps: ApiDeps) {
  const { db, now, zone } = deps;
  const app = new OpenAPIHono<Env>();
  document(app);

  const find = (repository: RepositoryRow, path: string) =>
    getNode(db, repository.id, path, now()) ?? fail(251010, path);

  return app
    .get("/detail/:projectId/:repoName/*", (c) => {
      const path = requestPath(c, SKIPPED, { folder: true });
      const repository = hostedRepository(db, c.req.param());
      return ok(
        c,
        path === "/"
          ? rootInfo(repository, zone)
          : toNodeInfo(find(repository, path), repository, zone),
      );
    })
    .get("/page/:projectId/:repoName/*", (c) => {
      const folder = requestPath(c, SKIPPED, { folder: true });
      const { includeMetadata, sort, pageSize, ...wanted } = readQuery(c);
      const repository = hostedRepository(db, c.req.param());
      if (folder !== "/") find(repository, folder);
      const { total, nodes } = pageNodes(db, repository.id, {
        folder,
        ...wanted,
        foldersFirst: sort || !wanted.deep,
        offset: offsetOf({ ...wanted, pageSize }),
        limit: pageSize,
        now: now(),
      });
      const records = nodes.map((node) =>
        toNodeInfo(includeMetadata ? node : { ...node, metadata: {} }, repository, zone),
      );
      return ok(c, toPage({ ...wanted, pageSize }, total, records));
    })
    .delete("/delete/:projectId/:repoName/*", async (c) => {
      const path = requestPath(c, SKIPPED, { folder: true });
      const repository = writable(hostedRepository(db, c.req.param()));
      await FILES[repository.type].remove(deps, repository, path, c.get("user"));
      return ok(c, null);
    });
}

function readQuery(c: Context<Env>): z.output<typeof query> {
  const data = { ...c.req.query() };
  const result = query.safeParse(data);
  if (result.success) return result.data;
  refuseInvalid(
    { ...result, target: "query", data } as Parameters<typeof refuseInvalid>[0],
    c,
  );
  return fail(250131);
}

const params = z.object({
  projectId: z.string(),
  repoName: z.string(),
  fullPath: z.string().openapi({
    description: "Full path, each segment percent-encoded; it may have slashes",
  }),
});
const tags = ["nodes"];
const unknown = [251004, 251006, 251010, 251011, 250112] as const;

function document({ openAPIRegistry: registry }: OpenAPIHono<Env>): void {
  registry.registerPath({
    method: "get",
    path: "/detail/{projectId}/{repoName}/{fullPath}",
    tags,
    summary: "One file or folder",
    request: { params },
    responses: answers(NodeInfo, unknown, "The file or folder"),
  });
  registry.registerPath({
    method: "get",
    path: "/page/{projectId}/{repoName}/{fullPath}",
    tags,
    summary: "Content of a folder, page by page",
    request: { params, query },
    responses: answers(
      page(NodeInfo),
      unknown,
      "A page: folders first, then by path; with deep by path alone, unless sort is true",
    ),
  });
  registry.registerPath({
    method: "delete",
    path: "/delete/{projectId}/{repoName}/{fullPath}",
    tags,
    summary: "Delete a file, or a folder with all below it",
    request: { params },
    responses: answers(nothing, unknown),
  });
}
