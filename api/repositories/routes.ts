import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { findProject } from "../../db/content/projects.ts";
import {
  findRepository,
  listRepositories,
  pageRepositories,
  type RepositoryRow,
  secretOwner,
} from "../../db/content/repositories.ts";
import { usedBytes } from "../../db/content/quotas.ts";
import { REPOSITORY_TYPES } from "../../domain/vocabulary.ts";
import { text } from "../../domain/text.ts";
import { unusedOfRepository } from "../../domain/unused/repository.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { by } from "../http/by.ts";
import {
  answers,
  because,
  bodyAnswers,
  flag,
  jsonBody,
  nothing,
  offsetOf,
  ok,
  page,
  pageQuery,
  toPage,
} from "../http/envelope.ts";
import { fail } from "../http/errors.ts";
import { keepingRealm } from "../keys/realms.ts";
import { languageIn } from "../http/messages.ts";
import { warn } from "../http/warnings.ts";
import { repositoryOf } from "../http/repository.ts";
import { linkedAccess } from "./linked.ts";
import { changeRepository, createRepository, removeRepository } from "./actions.ts";
import {
  LinkedCheck,
  RepositoryCreate,
  RepositoryInfo,
  RepositoryUpdate,
  toLinkedCheck,
  toRepositoryInfo,
} from "./shapes.ts";

const tags = ["repositories"];
const named = z.object({ projectId: z.string(), repoName: z.string() });
const filter = z.object({
  name: z.string().optional().openapi({ description: "How the name begins" }),
  type: z.enum(REPOSITORY_TYPES).optional(),
});
const unknown = [251004, 251006] as const;

const create = createRoute({
  method: "post",
  path: "/create",
  tags,
  summary: "Create a repository, hosted here or linked to a registry elsewhere",
  request: { body: jsonBody(RepositoryCreate) },
  responses: {
    ...bodyAnswers(RepositoryInfo, [250103, 250104, 250105, 251004], "The repository"),
    409: because("251007: the name is taken"),
  },
});

const update = createRoute({
  method: "post",
  path: "/update/{projectId}/{repoName}",
  tags,
  summary: "Change a repository",
  description:
    "Credentials that are not sent are kept only while the url keeps its host.",
  request: { params: named, body: jsonBody(RepositoryUpdate) },
  responses: bodyAnswers(nothing, [250103, 250104, 250105, ...unknown]),
});

const remove = createRoute({
  method: "delete",
  path: "/delete/{projectId}/{repoName}",
  tags,
  summary: "Delete a repository",
  description:
    "Refused while tasks use it; the message names them. A repository with content goes only when forced.",
  request: { params: named, query: z.object({ forced: flag.prefault("false") }) },
  responses: answers(nothing, [250112, 251008, ...unknown]),
});

const info = createRoute({
  method: "get",
  path: "/info/{projectId}/{repoName}",
  tags,
  summary: "One repository",
  request: { params: named },
  responses: answers(RepositoryInfo, unknown, "The repository"),
});

const typedInfo = createRoute({
  method: "get",
  path: "/info/{projectId}/{repoName}/{type}",
  tags,
  summary: "One repository, if it has that type",
  request: { params: named.extend({ type: z.enum(REPOSITORY_TYPES) }) },
  responses: answers(RepositoryInfo, unknown, "The repository"),
});

const exist = createRoute({
  method: "get",
  path: "/exist/{projectId}/{repoName}",
  tags,
  summary: "Whether a repository exists",
  request: { params: named },
  responses: answers(z.boolean(), [], "Whether it exists"),
});

const list = createRoute({
  method: "get",
  path: "/list/{projectId}",
  tags,
  summary: "All repositories of a project",
  request: { params: named.pick({ projectId: true }), query: filter },
  responses: answers(z.array(RepositoryInfo), [251004], "The repositories by name"),
});

const pages = createRoute({
  method: "get",
  path: "/page/{projectId}/{pageNumber}/{pageSize}",
  tags,
  summary: "Repositories of a project, page by page",
  request: { params: pageQuery.extend({ projectId: z.string() }), query: filter },
  responses: answers(page(RepositoryInfo), [251004], "A page of repositories by name"),
});

const tryConnect = createRoute({
  method: "get",
  path: "/tryConnect/{projectId}/{repoName}",
  tags,
  summary: "Test the registry behind a linked repository",
  description:
    "Whether it is reachable, speaks the protocol of the repository (`product`), accepts the credentials, and allows " +
    "to list its content: four separate answers, and the address at which the registry demands the password.",
  request: { params: named },
  responses: answers(LinkedCheck, [250112, ...unknown], "The four answers"),
});

function writeAll({ db, zone }: ApiDeps, rows: RepositoryRow[]) {
  const used = usedBytes(
    db,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => toRepositoryInfo(row, used.get(row.id) ?? 0, zone));
}

/** Tests a linked repository; `realm`: the token server that demands the password, null if none does. */
async function checkLink(deps: ApiDeps, row: RepositoryRow) {
  const keep = keepingRealm(deps, secretOwner(row), row.url ?? "");
  let realm: string | null = null;
  const found = await deps.checkLinked(linkedAccess(deps.sealer, row), (met) => {
    realm = met.realm;
    keep(met);
  });
  return { found, realm };
}

export function repositoryRoutes(deps: ApiDeps) {
  const { db, zone } = deps;
  const write = (row: RepositoryRow) =>
    toRepositoryInfo(row, usedBytes(db, [row.id]).get(row.id) ?? 0, zone);

  return new OpenAPIHono<Env>()
    .openapi(create, (c) => {
      const body = c.req.valid("json");
      const row = createRepository(deps, body, by(c, deps));
      warn(c, ...unusedOfRepository(body));
      return ok(c, write(row));
    })
    .openapi(update, (c) => {
      const body = c.req.valid("json");
      const row = changeRepository(deps, c.req.valid("param"), body, by(c, deps));
      warn(c, ...unusedOfRepository({ ...row, ...body }));
      return ok(c, null);
    })
    .openapi(remove, async (c) => {
      await removeRepository(deps, c.req.valid("param"), c.req.valid("query").forced);
      return ok(c, null);
    })
    .openapi(info, (c) => ok(c, write(repositoryOf(db, c.req.valid("param")))))
    .openapi(typedInfo, (c) => {
      const { type, ...name } = c.req.valid("param");
      const row = repositoryOf(db, name);
      return row.type === type
        ? ok(c, write(row))
        : fail(
            251006,
            `${row.projectId}/${row.name}`,
            text(
              `its type is ${row.type}, not ${type}: request it with its type`,
              `它的类型是 ${row.type}，不是 ${type}：请按该类型请求`,
            ),
          );
    })
    .openapi(exist, (c) => {
      const { projectId, repoName } = c.req.valid("param");
      return ok(c, findRepository(db, projectId, repoName) !== null);
    })
    .openapi(list, (c) => {
      const { projectId } = c.req.valid("param");
      if (!findProject(db, projectId)) fail(251004, projectId);
      return ok(
        c,
        writeAll(deps, listRepositories(db, { projectId, ...c.req.valid("query") })),
      );
    })
    .openapi(pages, (c) => {
      const { projectId, ...at } = c.req.valid("param");
      if (!findProject(db, projectId)) fail(251004, projectId);
      const { total, repositories } = pageRepositories(
        db,
        { projectId, ...c.req.valid("query") },
        offsetOf(at),
        at.pageSize,
      );
      return ok(c, toPage(at, total, writeAll(deps, repositories)));
    })
    .openapi(tryConnect, async (c) => {
      const row = repositoryOf(db, c.req.valid("param"));
      const { found, realm } = await checkLink(deps, row);
      return ok(c, toLinkedCheck(found, realm, languageIn(c)));
    });
}
