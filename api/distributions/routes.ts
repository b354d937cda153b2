import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import {
  distributionParts,
  findTaskByName,
  listConfigs,
} from "../../db/tasks/distributions.ts";
import type { Db } from "../../db/open.ts";
import { pageRecords } from "../../db/records/records.ts";
import type { TaskRow } from "../../db/tasks/tasks.ts";
import { text, type Text } from "../../domain/text.ts";
import { unusedOfDestination, unusedOfOnce } from "../../domain/unused/distribution.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { by } from "../http/by.ts";
import {
  createDistributions,
  createRunOnce,
  taskNameOf,
  updateDistribution,
} from "./actions.ts";
import { answers, bodyAnswers, jsonBody, nothing, ok } from "../http/envelope.ts";
import { fail } from "../http/errors.ts";
import { noDistributionOfName } from "../http/nothing-found.ts";
import { warn } from "../http/warnings.ts";
import { type RepositoryName, repositoryOf } from "../http/repository.ts";
import {
  type Destination,
  DistributionCreate,
  DistributionInfo,
  DistributionUpdate,
  RunOnceCreate,
} from "./shapes.ts";
import { orNull } from "../http/fields.ts";
import { RecordInfo } from "../records/shapes.ts";
import { recordWriter } from "../records/record-writer.ts";
import { toTaskObject } from "../tasks/shapes.ts";
import { unusedInTask } from "../tasks/unused.ts";
import { deleteTaskWholly, executeTask, toggleTask } from "../tasks/actions.ts";

const tags = ["remote distribution"];
const place = z.object({ projectId: z.string(), repoName: z.string() });
const named = place.extend({ name: z.string() });
const query = z.object({ name: z.string() });
const SAVING = [
  250103, 250104, 250105, 250107, 250112, 250303, 250305, 250306, 251004, 251006, 251011,
] as const;

const createOnce = createRoute({
  method: "post",
  path: "/create/runOnceTask/{projectId}/{repoName}",
  tags,
  summary: "Create a task that runs when it is executed",
  description:
    "Sends versions of one package, or paths. Content that differs at the target is overwritten. " +
    "A task with a known name is changed.",
  request: { params: place, body: jsonBody(RunOnceCreate) },
  responses: bodyAnswers(nothing, SAVING),
});

const executeOnce = createRoute({
  method: "post",
  path: "/execute/runOnceTask/{projectId}/{repoName}",
  tags,
  summary: "Execute a run-once task; each execution has its own record",
  request: { params: place, query },
  responses: answers(nothing, [250103, 250108, 250112, 250303, 250304, 251004, 251006]),
});

const statusOnce = createRoute({
  method: "get",
  path: "/get/runOnceTaskStatus/{projectId}/{repoName}",
  tags,
  summary: "The newest execution of a run-once task",
  request: { params: place, query },
  responses: answers(
    orNull(RecordInfo),
    [250103, 250108, 250112, 251004, 251006],
    "The execution; null before the first",
  ),
});

const deleteOnce = createRoute({
  method: "delete",
  path: "/delete/runOnceTask/{projectId}/{repoName}",
  tags,
  summary: "Delete a run-once task that is not running",
  request: { params: place, query },
  responses: answers(nothing, [250103, 250108, 250112, 251004, 251006]),
});

const create = createRoute({
  method: "post",
  path: "/create/{projectId}/{repoName}",
  tags,
  summary: "Distribute a repository: all configurations are saved, or none",
  description:
    "A configuration with a known name is changed: its key and its records stay.",
  request: { params: place, body: jsonBody(DistributionCreate) },
  responses: bodyAnswers(nothing, SAVING),
});

const update = createRoute({
  method: "post",
  path: "/update/{projectId}/{repoName}/{name}",
  tags,
  summary: "Change a configuration",
  request: { params: named, body: jsonBody(DistributionUpdate) },
  responses: bodyAnswers(nothing, [...SAVING, 250310]),
});

const infos = createRoute({
  method: "get",
  path: "/info/{projectId}/{repoName}",
  tags,
  summary: "The configurations of a repository",
  request: { params: place },
  responses: answers(
    z.array(DistributionInfo),
    [251004, 251006],
    "The configurations, by name",
  ),
});

const info = createRoute({
  method: "get",
  path: "/info/{projectId}/{repoName}/{name}",
  tags,
  summary: "One configuration, as a list",
  request: { params: named },
  responses: answers(
    z.array(DistributionInfo),
    [251004, 251006],
    "The configuration; an empty list without one",
  ),
});

const remove = createRoute({
  method: "delete",
  path: "/delete/{projectId}/{repoName}/{name}",
  tags,
  summary: "Delete a configuration with its records and the cluster it owns",
  request: { params: named },
  responses: answers(nothing, [250310, 251004, 251006]),
});

const toggle = createRoute({
  method: "post",
  path: "/toggle/status/{projectId}/{repoName}/{name}",
  tags,
  summary: "Enable or disable a configuration",
  request: { params: named },
  responses: answers(nothing, [250310, 251004, 251006]),
});

export function distributionRoutes(deps: ApiDeps) {
  const { db } = deps;
  return new OpenAPIHono<Env>()
    .openapi(createOnce, (c) => {
      const body = c.req.valid("json");
      createRunOnce(deps, c.req.valid("param"), body, by(c, deps));
      warn(c, ...unusedOfOnce(body), ...unusedOfDestination(body));
      return ok(c, null);
    })
    .openapi(executeOnce, async (c) => {
      const { name } = c.req.valid("query");
      await executeTask(deps, findOnce(db, c.req.valid("param"), name));
      return ok(c, null);
    })
    .openapi(statusOnce, (c) => {
      const task = findOnce(db, c.req.valid("param"), c.req.valid("query").name);
      const newest = pageRecords(db, task.key, undefined, 0, 1).records[0];
      return ok(c, newest ? recordWriter(deps, c)(newest) : null);
    })
    .openapi(deleteOnce, async (c) => {
      const task = findOnce(db, c.req.valid("param"), c.req.valid("query").name);
      if (task.lastExecutionStatus === "RUNNING")
        fail(
          250112,
          text(
            `task ${task.name} is running: wait for the end of its run, or stop it`,
            `任务 ${task.name} 正在运行：请等待运行结束，或停止它`,
          ),
        );
      await deleteTaskWholly(deps, task.key, by(c, deps));
      return ok(c, null);
    })
    .openapi(create, async (c) => {
      const { configs } = c.req.valid("json");
      const at = c.req.valid("param");
      await createDistributions(deps, at, configs, by(c, deps));
      warn(c, ...configs.flatMap((each, i) => unusedIn(db, at, each, `configs[${i}].`)));
      return ok(c, null);
    })
    .openapi(update, async (c) => {
      const { name, ...at } = c.req.valid("param");
      const config = { ...c.req.valid("json"), name };
      await updateDistribution(deps, at, config, by(c, deps));
      warn(c, ...unusedIn(db, at, config));
      return ok(c, null);
    })
    .openapi(infos, (c) => {
      const at = c.req.valid("param");
      repositoryOf(db, at);
      const infosOf = (task: TaskRow) => toInfo(deps, at, task);
      return ok(c, listConfigs(db, taskNameOf(at, "")).map(infosOf));
    })
    .openapi(info, (c) => {
      const { name, ...at } = c.req.valid("param");
      repositoryOf(db, at);
      const task = findTaskByName(db, taskNameOf(at, name));
      if (task?.kind === "config") return ok(c, [toInfo(deps, at, task)]);
      warn(c, noDistributionOfName(name));
      return ok(c, []);
    })
    .openapi(remove, async (c) => {
      await deleteTaskWholly(deps, findConfig(db, c.req.valid("param")).key, by(c, deps));
      return ok(c, null);
    })
    .openapi(toggle, async (c) => {
      await toggleTask(deps, findConfig(db, c.req.valid("param")).key, by(c, deps));
      return ok(c, null);
    });
}

function unusedIn(
  db: Db,
  place: RepositoryName,
  config: Destination & { name: string },
  at = "",
): Text[] {
  const task = findTaskByName(db, taskNameOf(place, config.name));
  return [
    ...unusedOfDestination(config, at),
    ...(task ? unusedInTask(db, task.key, at) : []),
  ];
}

/**
 * Returns the distribution configuration of a name. Throws 250310 if there is none, 251004 or
 * 251006 if its project or repository does not exist.
 */
function findConfig(db: Db, params: RepositoryName & { name: string }): TaskRow {
  repositoryOf(db, params);
  const task = findTaskByName(db, taskNameOf(params, params.name));
  return task?.kind === "config" ? task : fail(250310, params.name);
}

/**
 * Returns the run-once task of a name. Throws 250108 if there is none, 250112 if the name belongs
 * to another kind of task, 251004 or 251006 if its project or repository does not exist.
 */
function findOnce(db: Db, params: RepositoryName, name: string): TaskRow {
  repositoryOf(db, params);
  const task = findTaskByName(db, taskNameOf(params, name)) ?? fail(250108, name);
  return task.kind === "runOnce"
    ? task
    : fail(
        250112,
        text(
          `task ${name} is not a run-once task: name one that was created as run-once`,
          `任务 ${name} 不是一次性任务：请指定一次性任务`,
        ),
      );
}

function toInfo(
  { db }: ApiDeps,
  { projectId, repoName }: RepositoryName,
  task: TaskRow,
): DistributionInfo {
  const { object, cluster } = distributionParts(db, task.key);
  const owned = cluster?.ownerTaskKey === task.key;
  const {
    packageConstraints = null,
    pathConstraints = null,
    remoteProjectId = null,
    remoteRepoName = null,
  } = object ? toTaskObject(object) : {};
  return {
    projectId,
    repoName,
    name: task.name.slice(taskNameOf({ projectId, repoName }, "").length),
    clusterId: owned ? null : (cluster?.id ?? null),
    registry: owned ? cluster.url : null,
    protocol: owned ? cluster.protocol : null,
    certificate: owned ? cluster.certificate : null,
    username: owned ? cluster.username : null,
    password: null,
    remoteProjectId,
    remoteRepoName,
    packageConstraints,
    pathConstraints,
    replicaType: task.replicaType,
    setting: task.setting,
    description: task.description,
    enable: task.enabled,
  };
}
