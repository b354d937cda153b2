import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import {
  findCenter,
  findCluster,
  findClusterByName,
  listClusters,
  pageClusters,
} from "../../db/tasks/clusters.ts";
import { CLUSTER_TYPES } from "../../domain/vocabulary.ts";
import { text } from "../../domain/text.ts";
import { unusedOfCluster } from "../../domain/unused/cluster.ts";
import { changeCluster, createCluster, removeCluster, tryConnect } from "./actions.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { by } from "../http/by.ts";
import {
  answers,
  bodyAnswers,
  jsonBody,
  nothing,
  offsetOf,
  ok,
  page,
  pageQuery,
  toPage,
} from "../http/envelope.ts";
import { MALFORMED } from "../http/details.ts";
import { NOT_JSON, parseJson } from "../../domain/foreign/json.ts";
import { limitsOfBody } from "../../domain/foreign/limits.ts";
import { noClusterOfId, noClusterOfName } from "../http/cluster.ts";
import { fail } from "../http/errors.ts";
import { readRawBody } from "../http/raw-body.ts";
import { FIELD, warnOfUnknown } from "../http/unknown-fields.ts";
import { spoken } from "../http/spoken.ts";
import { warn } from "../http/warnings.ts";
import { orNull } from "../http/fields.ts";
import {
  ClusterCreate,
  ClusterInfo,
  ClusterUpdate,
  localClusterInfo,
  toClusterInfo,
} from "./shapes.ts";

const tags = ["clusters"];
const one = "The cluster; null when it does not exist";
const CONNECTED = "No step of the test failed";
const STEPS =
  "Tested are the steps of a run: whether the cluster is reachable, is the right product, accepts the credentials, " +
  "and allows to write there (an upload to an image registry is begun and given up). The message says which step " +
  "failed. ";
const byName = z.object({ name: z.string() });
const filter = {
  name: z.string().optional().openapi({ description: "How the name begins" }),
  type: z.enum(CLUSTER_TYPES).optional(),
};

const create = createRoute({
  method: "post",
  path: "/create",
  tags,
  summary: "Attach a cluster",
  description: `With \`ping\` it is tested at once, and refused if a step fails. ${STEPS}`,
  request: { body: jsonBody(ClusterCreate) },
  responses: bodyAnswers(nothing, [250104, 250105, 250301, 250305, 250309]),
});

const update = createRoute({
  method: "post",
  path: "/update",
  tags,
  summary: "Change the cluster with that name",
  request: { body: jsonBody(ClusterUpdate) },
  responses: bodyAnswers(
    ClusterInfo,
    [250104, 250105, 250301, 250306],
    "The cluster as it is now",
  ),
});

const tryConnectGet = createRoute({
  method: "get",
  path: "/tryConnect",
  tags,
  summary: "Test the connection to a cluster",
  description: `${STEPS}The name may also be sent in a JSON body \`{name}\`, as the older document says.`,
  request: { query: byName.partial() },
  responses: answers(nothing, [250103, 250104, 250301, 250306], CONNECTED),
});

const nameBody = { type: "object", properties: { name: { type: "string" } } } as const;
const tryConnectPost = createRoute({
  ...tryConnectGet,
  method: "post",
  path: "/tryConnect",
  description: `${STEPS}The name is sent as a parameter or in the body.`,
  request: {
    query: byName.partial(),
    body: { content: { "application/json": { schema: nameBody } } },
  },
  responses: bodyAnswers(nothing, [250103, 250104, 250301, 250306], CONNECTED),
});

const remove = createRoute({
  method: "delete",
  path: "/delete/{id}",
  tags,
  summary: "Detach a cluster",
  description: "Refused while tasks use it; the message names them.",
  request: { params: z.object({ id: z.string() }) },
  responses: answers(nothing, [250112, 250306]),
});

const exist = createRoute({
  method: "get",
  path: "/exist",
  tags,
  summary: "Whether a name is taken",
  request: { query: byName },
  responses: answers(z.boolean(), [250103], "Whether the name is taken"),
});

const center = createRoute({
  method: "get",
  path: "/info/center",
  tags,
  summary: "The CENTER cluster, else the local instance",
  responses: answers(ClusterInfo, [], "The cluster"),
});

const info = createRoute({
  method: "get",
  path: "/info/{id}",
  tags,
  summary: "A cluster by id",
  request: { params: z.object({ id: z.string() }) },
  responses: answers(orNull(ClusterInfo), [], one),
});

const infoByName = createRoute({
  method: "get",
  path: "/info",
  tags,
  summary: "A cluster by name",
  request: { query: byName },
  responses: answers(orNull(ClusterInfo), [250103], one),
});

const edges = createRoute({
  method: "get",
  path: "/list/edge",
  tags,
  summary: "All EDGE clusters",
  responses: answers(z.array(ClusterInfo), [], "The clusters by name"),
});

const list = createRoute({
  method: "get",
  path: "/list",
  tags,
  summary: "All clusters",
  request: { query: z.object(filter) },
  responses: answers(z.array(ClusterInfo), [], "The clusters by name"),
});

const pages = createRoute({
  method: "get",
  path: "/page",
  tags,
  summary: "Clusters, the newest first",
  request: { query: pageQuery.extend(filter) },
  responses: answers(page(ClusterInfo), [], "A page of clusters"),
});

export function clusterRoutes(deps: ApiDeps) {
  const { db, zone, localClusterName } = deps;
  const write = (row: Parameters<typeof toClusterInfo>[0]) => toClusterInfo(row, zone);
  const local = (c: Context<Env>) =>
    localClusterInfo(localClusterName, c.get("client").origin);

  async function connect(c: Context<Env>, name = "") {
    const wanted = name === "" ? await nameInBody(c, deps.maxJsonBody) : name;
    if (wanted.trim() === "") fail(250104, "name");
    await tryConnect(deps, wanted);
    return ok(c, null);
  }

  return new OpenAPIHono<Env>()
    .openapi(create, async (c) => {
      const body = c.req.valid("json");
      await createCluster(deps, body, by(c, deps));
      warn(c, ...unusedOfCluster(body));
      return ok(c, null);
    })
    .openapi(update, async (c) => {
      const body = c.req.valid("json");
      const row = await changeCluster(deps, body, by(c, deps));
      warn(c, ...unusedOfCluster({ ...body, username: row.username }));
      return ok(c, spoken(c, write(row)));
    })
    .openapi(tryConnectGet, (c) => connect(c, c.req.valid("query").name))
    .openapi(tryConnectPost, (c) => connect(c, c.req.valid("query").name))
    .openapi(remove, (c) => {
      removeCluster(deps, c.req.valid("param").id);
      return ok(c, null);
    })
    .openapi(exist, (c) => {
      const { name } = c.req.valid("query");
      return ok(c, name === localClusterName || findClusterByName(db, name) !== null);
    })
    .openapi(center, (c) => {
      const row = findCenter(db);
      return ok(c, row === null ? local(c) : spoken(c, write(row)));
    })
    .openapi(info, (c) => {
      const { id } = c.req.valid("param");
      const row = findCluster(db, id);
      if (row === null) warn(c, noClusterOfId(db, id));
      return ok(c, row && spoken(c, write(row)));
    })
    .openapi(infoByName, (c) => {
      const { name } = c.req.valid("query");
      if (name === localClusterName) return ok(c, local(c));
      const row = findClusterByName(db, name);
      if (row === null) warn(c, noClusterOfName(name));
      return ok(c, row && spoken(c, write(row)));
    })
    .openapi(edges, (c) =>
      ok(c, spoken(c, listClusters(db, { type: "EDGE" }).map(write))),
    )
    .openapi(list, (c) =>
      ok(c, spoken(c, listClusters(db, c.req.valid("query")).map(write))),
    )
    .openapi(pages, (c) => {
      const query = c.req.valid("query");
      const { total, clusters } = pageClusters(
        db,
        query,
        offsetOf(query),
        query.pageSize,
      );
      return ok(c, spoken(c, toPage(query, total, clusters.map(write))));
    });
}

/**
 * Reads `{name}` from the JSON body of a request; throws 250103 if the body has none, 250106 if it
 * is not valid. The body of a GET is read from Node's own request
 * (docs/decisions.md#cluster-names).
 */
async function nameInBody(c: Context<Env>, limit: number): Promise<string> {
  const { incoming } = c.env;
  const sent =
    c.req.method === "GET"
      ? incoming
        ? await readRawBody(incoming, limit, c.get("hold"))
        : ""
      : await c.req.text();
  if (sent.trim() === "") return fail(250103, "name");
  const body = parseJson(sent, limitsOfBody(limit));
  if (body === NOT_JSON) return fail(250106, MALFORMED);
  if (!(body instanceof Object) || !("name" in body) || body.name === null)
    return fail(250103, "name");
  warnOfUnknown(c, FIELD, byName, body);
  return typeof body.name === "string"
    ? body.name
    : fail(250106, text("name: Invalid input: expected string", "name：应为字符串"));
}
