import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import {
  insertProject,
  listProjects,
  type ProjectRow,
} from "../../db/content/projects.ts";
import { projectQuotas } from "../../db/content/quotas.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { by } from "../http/by.ts";
import { answers, bodyAnswers, jsonBody, nothing, ok } from "../http/envelope.ts";
import { fail } from "../http/errors.ts";
import { checkProjectName } from "./actions.ts";
import { ProjectCreate, ProjectInfo, toProjectInfo } from "./shapes.ts";

const tags = ["projects"];

const create = createRoute({
  method: "post",
  path: "/create",
  tags,
  summary: "Create a project",
  request: { body: jsonBody(ProjectCreate) },
  responses: bodyAnswers(nothing, [250105, 251005]),
});

const list = createRoute({
  method: "get",
  path: "/list",
  tags,
  summary: "All projects",
  responses: answers(z.array(ProjectInfo), [], "The projects by name"),
});

export function projectRoutes(deps: ApiDeps) {
  const { db } = deps;
  return new OpenAPIHono<Env>()
    .openapi(create, (c) => {
      const { name, displayName, description, quota } = c.req.valid("json");
      checkProjectName(name);
      const made = insertProject(
        db,
        { name, displayName: displayName || name, description, quota },
        by(c, deps),
      );
      if (!made) fail(251005, name);
      return ok(c, null);
    })
    .openapi(list, (c) => {
      const quotas = projectQuotas(db);
      const write = (row: ProjectRow) =>
        toProjectInfo(row, quotas.get(row.name) ?? { quota: row.quota, used: 0 });
      return ok(c, listProjects(db).map(write));
    });
}
