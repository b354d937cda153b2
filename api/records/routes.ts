import type { Context } from "hono";
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import {
  detailContext,
  detailPages,
  pageDetails,
  searchDetails,
} from "../../db/records/details.ts";
import { findRecord, pageRecords, recordPages } from "../../db/records/records.ts";
import { findTask } from "../../db/tasks/tasks.ts";
import { EXECUTION_STATUSES } from "../../domain/vocabulary.ts";
import { type DetailQuery, toFilter } from "./detail-filter.ts";
import type { ApiDeps, Env } from "../deps.ts";
import {
  answers,
  offsetOf,
  ok,
  okStream,
  page,
  pageQuery,
  toPage,
} from "../http/envelope.ts";
import { fail } from "../http/errors.ts";
import { noRecordOfId } from "../http/nothing-found.ts";
import { spoken } from "../http/spoken.ts";
import { warn } from "../http/warnings.ts";
import { orNull, recordId, taskKey } from "../http/fields.ts";
import {
  detailWriter,
  Overview,
  RecordDetail,
  RecordInfo,
  RecordOfTask,
} from "./shapes.ts";
import { recordWriter } from "./record-writer.ts";
import { noTask } from "../tasks/unknown.ts";

const tags = ["records"];
const byRecord = z.object({ recordId });
const byTask = z.object({ key: taskKey });
const status = z.enum(EXECUTION_STATUSES).optional();
const beginning = (what: string) =>
  z
    .string()
    .optional()
    .openapi({ description: `How ${what} begins` });

const one = createRoute({
  method: "get",
  path: "/{recordId}",
  tags,
  summary: "One execution",
  request: { params: byRecord },
  responses: answers(RecordOfTask, [250310], "The execution and the types of its task"),
});

const list = createRoute({
  method: "get",
  path: "/list/{key}",
  tags,
  summary: "All executions of a task, the newest first",
  request: { params: byTask },
  responses: answers(
    z.array(RecordInfo),
    [],
    "The executions; an empty list for an unknown task",
  ),
});

const pages = createRoute({
  method: "get",
  path: "/page/{key}",
  tags,
  summary: "Executions of a task, the newest first",
  request: { params: byTask, query: pageQuery.extend({ status }) },
  responses: answers(page(RecordInfo), [], "A page of executions"),
});

const detailList = createRoute({
  method: "get",
  path: "/detail/list/{recordId}",
  tags,
  summary: "All artifacts of an execution, the newest first",
  request: { params: byRecord },
  responses: answers(
    z.array(RecordDetail),
    [],
    "One entry for each artifact and cluster; streamed",
  ),
});

const detailQuery = pageQuery.extend({
  packageName: beginning("a package's name"),
  repoName: beginning("the local repository's name"),
  clusterName: beginning("the remote cluster's name"),
  path: beginning("a file's full path"),
  status,
  artifactName: beginning("a package's name or a file's full path"),
  version: z.string().optional().openapi({ description: "A package's version" }),
});

const detailPage = createRoute({
  method: "get",
  path: "/detail/page/{recordId}",
  tags,
  summary: "Artifacts of an execution, the newest first",
  description:
    "With the key of a task instead of the id of a record the answer is a page of the task's executions, " +
    "as the older document says.",
  request: { params: byRecord, query: detailQuery },
  responses: answers(
    z.union([page(RecordDetail), page(RecordInfo)]),
    [],
    "A page of artifacts",
  ),
});

const overview = createRoute({
  method: "get",
  path: "/overview/{recordId}",
  tags,
  summary: "Counts of an execution",
  request: { params: byRecord },
  responses: answers(orNull(Overview), [], "The counts; null for an unknown execution"),
});

type RecordDeps = Pick<ApiDeps, "db" | "zone" | "now" | "away" | "turnSince">;

export function recordRoutes(deps: RecordDeps) {
  const { db, zone } = deps;
  return new OpenAPIHono<Env>()
    .openapi(list, (c) => {
      const { key } = c.req.valid("param");
      if (findTask(db, key) === null) warn(c, noTask(db, key));
      const records = recordPages(db, key);
      const write = recordWriter(deps, c);
      return okStream(c, mapPages(records, write));
    })
    .openapi(pages, (c) => {
      const { key } = c.req.valid("param");
      if (findTask(db, key) === null) warn(c, noTask(db, key));
      return ok(c, listRecords(deps, c, key, c.req.valid("query")));
    })
    .openapi(detailList, (c) => {
      const { recordId } = c.req.valid("param");
      const context = detailContext(db, recordId);
      if (context === null) {
        warn(c, noRecordOfId(recordId));
        return ok(c, []);
      }
      const write = detailWriter(context.snapshot, zone);
      return okStream(
        c,
        mapPages(detailPages(db, recordId), (row) => spoken(c, write(row))),
      );
    })
    .openapi(detailPage, async (c) => {
      const { recordId } = c.req.valid("param");
      const query = c.req.valid("query");
      if (findTask(db, recordId) !== null)
        return ok(c, listRecords(deps, c, recordId, query));
      if (detailContext(db, recordId) === null) warn(c, noRecordOfId(recordId));
      return ok(c, spoken(c, await listDetails(deps, recordId, query)));
    })
    .openapi(overview, (c) =>
      ok(c, findRecord(db, c.req.valid("param").recordId)?.overview ?? null),
    )
    .openapi(one, (c) => {
      const { recordId } = c.req.valid("param");
      const record = findRecord(db, recordId) ?? fail(250310, recordId);
      const { replicaObjectType, replicaType } =
        findTask(db, record.taskKey) ?? fail(250310, record.taskKey);
      const said = recordWriter(deps, c)(record);
      return ok(c, { replicaObjectType, replicaType, record: said });
    });
}

async function listDetails({ db, zone }: RecordDeps, id: string, query: DetailQuery) {
  const context = detailContext(db, id);
  if (context === null || !context.kept) return toPage(query, 0, []);
  const filter = toFilter(query, context.snapshot);
  const [offset, limit] = [offsetOf(query), query.pageSize];
  const found =
    filter === null
      ? pageDetails(db, id, query.status, offset, limit)
      : await searchDetails(db, id, filter, offset, limit);
  const details = found.rows.map(detailWriter(context.snapshot, zone));
  return toPage(query, found.total, details);
}

function listRecords(
  deps: RecordDeps,
  c: Context<Env>,
  key: string,
  query: z.output<typeof pageQuery> & { status?: z.output<typeof status> },
) {
  const { total, records } = pageRecords(
    deps.db,
    key,
    query.status,
    offsetOf(query),
    query.pageSize,
  );
  const write = recordWriter(deps, c);
  return toPage(query, total, records.map(write));
}

async function* mapPages<Row, Shape>(
  source: AsyncIterable<Row[]>,
  write: (row: Row) => Shape,
): AsyncGenerator<Shape[]> {
  for await (const rows of source) yield rows.map(write);
}
