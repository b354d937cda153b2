import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { projectQuota, setProjectQuota, usedBytes } from "../../db/content/quotas.ts";
import { updateRepository } from "../../db/content/repositories.ts";
import { text } from "../../domain/text.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { by } from "../http/by.ts";
import { answers, nothing, ok } from "../http/envelope.ts";
import { fail } from "../http/errors.ts";
import { repositoryOf } from "../http/repository.ts";
import { saying } from "../http/saying.ts";
import { ONLY_HOSTED } from "./actions.ts";
import { QuotaInfo } from "./shapes.ts";

/** The value with which a quota is removed. */
const NONE = "-1";
const BYTES = text(
  `must be a number of bytes, or ${NONE} for no limit`,
  `必须是字节数，或 ${NONE} 表示不限`,
);
const wanted = z.object({
  quota: z
    .string()
    .refine((given) => given === NONE || /^\d{1,15}$/.test(given), saying(BYTES))
    .openapi({
      description: `Most bytes of all files together; ${NONE}: no limit`,
      example: "10737418240",
    }),
});
const quotaOf = (given: string) => (given === NONE ? null : Number(given));

const ofProject = z.object({ projectId: z.string() });
const ofRepository = ofProject.extend({ repoName: z.string() });
const MORE =
  "What is stored stays, even if it is more than a new quota; only what would make it more is refused then.";

const showProject = createRoute({
  method: "get",
  path: "/quota/{projectId}",
  tags: ["projects"],
  summary: "The quota of a project, and how many bytes its hosted repositories have",
  request: { params: ofProject },
  responses: answers(QuotaInfo, [251004], "The quota"),
});

const changeProject = createRoute({
  method: "post",
  path: "/quota/{projectId}",
  tags: ["projects"],
  summary: "Change the quota of a project",
  description: MORE,
  request: { params: ofProject, query: wanted },
  responses: answers(nothing, [250103, 250131, 251004]),
});

const showRepository = createRoute({
  method: "get",
  path: "/quota/{projectId}/{repoName}",
  tags: ["repositories"],
  summary: "The quota of a hosted repository, and how many bytes its files have",
  request: { params: ofRepository },
  responses: answers(QuotaInfo, [251004, 251006], "The quota"),
});

const changeRepository = createRoute({
  method: "post",
  path: "/quota/{projectId}/{repoName}",
  tags: ["repositories"],
  summary: "Change the quota of a hosted repository",
  description: MORE,
  request: { params: ofRepository, query: wanted },
  responses: answers(nothing, [250103, 250105, 250131, 251004, 251006]),
});

/** Quotas of projects; mounted beside the other routes of projects. */
export function projectQuotaRoutes({ db }: ApiDeps) {
  return new OpenAPIHono<Env>()
    .openapi(showProject, (c) => {
      const { projectId } = c.req.valid("param");
      return ok(c, projectQuota(db, projectId) ?? fail(251004, projectId));
    })
    .openapi(changeProject, (c) => {
      const { projectId } = c.req.valid("param");
      if (!projectQuota(db, projectId)) fail(251004, projectId);
      setProjectQuota(db, projectId, quotaOf(c.req.valid("query").quota));
      return ok(c, null);
    });
}

/** Quotas of repositories; mounted beside the other routes of repositories. */
export function repositoryQuotaRoutes(deps: ApiDeps) {
  const { db } = deps;
  return new OpenAPIHono<Env>()
    .openapi(showRepository, (c) => {
      const { id, quota } = repositoryOf(db, c.req.valid("param"));
      return ok(c, { quota, used: usedBytes(db, [id]).get(id) ?? 0 });
    })
    .openapi(changeRepository, (c) => {
      const { id, category } = repositoryOf(db, c.req.valid("param"));
      if (category !== "LOCAL") fail(250105, "quota", ONLY_HOSTED);
      const quota = quotaOf(c.req.valid("query").quota);
      updateRepository(db, id, { quota }, by(c, deps));
      return ok(c, null);
    });
}
