import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { findProject } from "../../db/content/projects.ts";
import {
  pageTasks,
  readObjects,
  readTask,
  type TaskOrder,
  findTask,
} from "../../db/tasks/tasks.ts";
import { inferObjectType } from "../../domain/task-rules.ts";
import { EXECUTION_STATUSES } from "../../domain/vocabulary.ts";
import { text } from "../../domain/text.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { by } from "../http/by.ts";
import {
  answers,
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
import { noProjectOfName } from "../http/nothing-found.ts";
import { warn } from "../http/warnings.ts";
import {
  copyTask,
  createTask,
  deleteTaskWholly,
  executeTask,
  toggleTask,
  updateTask,
} from "./actions.ts";
import { taskKey } from "../http/fields.ts";
import {
  OlderTaskCreate,
  TaskCopy,
  TaskCreate,
  TaskDetail,
  TaskInfo,
  TaskUpdate,
  toTaskInfo,
  toTaskObject,
} from "./shapes.ts";
import { unusedInTask } from "./unused.ts";
import { noTask, unknownTask } from "./unknown.ts";

const tags = ["tasks"];
const params = z.object({ key: taskKey });
const SAVING = [
  250103, 250104, 250105, 250107, 250112, 250306, 251004, 251006, 251011,
] as const;

const create = createRoute({
  method: "post",
  path: "/create",
  tags,
  summary: "Create a task",
  description:
    "IMMEDIATELY starts at once. The name is unique over all projects; project, repositories and clusters must exist.",
  request: { body: jsonBody(TaskCreate) },
  responses: bodyAnswers(TaskInfo, SAVING, "The task"),
});

const createOlder = createRoute({
  method: "post",
  path: "/cluster",
  tags,
  summary: "Create a task, the older way",
  description:
    "Object type and execution strategy may be absent and are inferred then. " +
    "Slashes right after /replication are collapsed, so /replication//api/task/cluster is the same path.",
  request: { body: jsonBody(OlderTaskCreate) },
  responses: bodyAnswers(nothing, SAVING),
});

const info = createRoute({
  method: "get",
  path: "/info/{key}",
  tags,
  summary: "One task",
  request: { params },
  responses: answers(TaskInfo, [250310], "The task"),
});

const detail = createRoute({
  method: "get",
  path: "/detail/{key}",
  tags,
  summary: "One task with the objects that it replicates",
  request: { params },
  responses: answers(TaskDetail, [250310], "The task and its objects"),
});

const SORT_TYPES = {
  CREATED_TIME: "createdDate",
  CREATE_TIME: "createdDate",
  LAST_EXECUTION_TIME: "lastExecutionTime",
  NEXT_EXECUTION_TIME: "nextExecutionTime",
} as const;

const listQuery = pageQuery.extend({
  name: z.string().optional().openapi({ description: "How the name begins" }),
  lastExecutionStatus: z.enum(EXECUTION_STATUSES).optional(),
  enabled: flag.optional(),
  sortType: z
    .enum(["CREATED_TIME", "CREATE_TIME", "LAST_EXECUTION_TIME", "NEXT_EXECUTION_TIME"])
    .default("CREATED_TIME"),
  sortDirection: z
    .string()
    .default("DESC")
    .openapi({ enum: ["ASC", "DESC"] }),
});

const list = createRoute({
  method: "get",
  path: "/page/{projectId}",
  tags,
  summary: "Tasks of a project",
  request: {
    params: z.object({ projectId: z.string() }),
    query: listQuery,
  },
  responses: answers(
    page(TaskInfo),
    [250105],
    "A page of tasks; none for an unknown project",
  ),
});

const remove = createRoute({
  method: "delete",
  path: "/delete/{key}",
  tags,
  summary: "Delete a task with its schedule and records",
  description: "A run of the task is cancelled first. An unknown key counts as success.",
  request: { params },
  responses: answers(nothing),
});

const toggle = createRoute({
  method: "post",
  path: "/toggle/status/{key}",
  tags,
  summary: "Enable or disable a task",
  description: "Disabling pauses the schedule; a run that is under way goes on.",
  request: { params },
  responses: answers(nothing, [250310]),
});

const copy = createRoute({
  method: "post",
  path: "/copy",
  tags,
  summary: "Copy a task; the copy is disabled",
  request: { body: jsonBody(TaskCopy) },
  responses: bodyAnswers(nothing, [250104, 250105, 250107, 250112, 250310]),
});

const update = createRoute({
  method: "post",
  path: "/update",
  tags,
  summary: "Change a task",
  description:
    "A task that has run can be changed as well. Id, key and records stay; a run under way goes on as it began; " +
    "an absent setting is kept.",
  request: { body: jsonBody(TaskUpdate) },
  responses: bodyAnswers(nothing, [...SAVING, 250310]),
});

const execute = createRoute({
  method: "post",
  path: "/execute/{key}",
  tags,
  summary: "Run a task now",
  description:
    "Refused with 250303 while the task runs, and for an enabled REAL_TIME task; with 250304 while it is disabled.",
  request: { params },
  responses: answers(nothing, [250303, 250304, 250310]),
});

const Stopped = z
  .object({
    stopped: z.boolean().openapi({ description: "Whether there was a run to stop" }),
  })
  .openapi("Stopped");

const stop = createRoute({
  method: "post",
  path: "/stop/{key}",
  tags,
  summary: "Stop the run of a task",
  description:
    "The record ends as FAILED with the reason that it was stopped. The schedule goes on.",
  request: { params },
  responses: answers(Stopped, [250310]),
});

export function taskRoutes(deps: ApiDeps) {
  const { db, zone } = deps;
  const find = (key: string) => readTask(db, key) ?? unknownTask(db, key);
  return new OpenAPIHono<Env>()
    .openapi(create, async (c) => {
      const key = await createTask(deps, c.req.valid("json"), by(c, deps));
      warn(c, ...unusedInTask(db, key));
      return ok(c, toTaskInfo(find(key), zone));
    })
    .openapi(createOlder, async (c) => {
      const body = c.req.valid("json");
      const replicaObjectType =
        body.replicaObjectType ?? inferObjectType(body.replicaTaskObjects);
      const key = await createTask(deps, { ...body, replicaObjectType }, by(c, deps));
      warn(c, ...unusedInTask(db, key));
      return ok(c, null);
    })
    .openapi(info, (c) => ok(c, toTaskInfo(find(c.req.valid("param").key), zone)))
    .openapi(detail, (c) => {
      const task = find(c.req.valid("param").key);
      return ok(c, {
        task: toTaskInfo(task, zone),
        objects: readObjects(db, task.key).map(toTaskObject),
      });
    })
    .openapi(list, (c) => {
      const { projectId } = c.req.valid("param");
      if (findProject(db, projectId) === null) warn(c, noProjectOfName(projectId));
      return ok(c, listTasks(deps, projectId, c.req.valid("query")));
    })
    .openapi(remove, async (c) => {
      const { key } = c.req.valid("param");
      if (findTask(db, key) === null) warn(c, noTask(db, key));
      await deleteTaskWholly(deps, key, by(c, deps));
      return ok(c, null);
    })
    .openapi(toggle, async (c) => {
      await toggleTask(deps, c.req.valid("param").key, by(c, deps));
      return ok(c, null);
    })
    .openapi(copy, (c) => {
      copyTask(deps, c.req.valid("json"), by(c, deps));
      return ok(c, null);
    })
    .openapi(update, async (c) => {
      const body = c.req.valid("json");
      await updateTask(deps, body, by(c, deps));
      warn(c, ...unusedInTask(db, body.key));
      return ok(c, null);
    })
    .openapi(execute, async (c) => {
      await executeTask(deps, find(c.req.valid("param").key));
      return ok(c, null);
    })
    .openapi(stop, async (c) => {
      const { key } = find(c.req.valid("param").key);
      return ok(c, {
        stopped: await deps.executions.stop(key, `stopped by ${c.get("user")}`),
      });
    });
}

function listTasks(
  { db, zone }: ApiDeps,
  projectId: string,
  { sortType, sortDirection, ...query }: z.output<typeof listQuery>,
) {
  if (sortDirection !== "ASC" && sortDirection !== "DESC")
    fail(250105, "sortDirection", text("use ASC or DESC", "请使用 ASC 或 DESC"));
  const order: TaskOrder = {
    by: SORT_TYPES[sortType],
    descending: sortDirection === "DESC",
  };
  const { total, tasks } = pageTasks(
    db,
    { ...query, projectId },
    order,
    offsetOf(query),
    query.pageSize,
  );
  const infos = tasks.map((task) => toTaskInfo(task, zone));
  return toPage(query, total, infos);
}
