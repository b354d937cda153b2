import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { deleteWorker, insertWorker, listWorkers } from "../../db/secrets/workers.ts";
import { newWorkerSecret, workerToken } from "../../activities/secrets/worker-token.ts";
import { workerOwner } from "../../db/secrets/sealed.ts";
import { checkName } from "../../domain/task-rules.ts";
import { text } from "../../domain/text.ts";
import { formatTime } from "../../domain/time.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { by } from "../http/by.ts";
import { answers, bodyAnswers, jsonBody, nothing, ok } from "../http/envelope.ts";
import { fail } from "../http/errors.ts";
import { time } from "../http/fields.ts";

const tags = ["workers"];

const WorkerCreate = z
  .object({ name: z.string().openapi({ description: "2 to 256 characters, unique" }) })
  .openapi("WorkerCreate", { example: { name: "rack-7" } });

const NewWorker = z
  .object({
    id: z.string(),
    name: z.string(),
    token: z.string().openapi({
      description: "For WORKER_TOKEN of the worker; shown now and never again",
    }),
  })
  .openapi("NewWorker");

const WorkerInfo = z
  .object({
    id: z.string(),
    name: z.string(),
    own: z.boolean().openapi({
      description: "Started by the service itself, which makes its identity",
    }),
    lastSeen: time.nullable().openapi({ description: "Null: not yet" }),
    version: z.string().nullable().openapi({ description: "The release that it has" }),
    createdBy: z.string(),
    createdDate: time.nullable(),
  })
  .openapi("Worker");
type WorkerInfo = z.output<typeof WorkerInfo>;

const create = createRoute({
  method: "post",
  path: "/create",
  tags,
  summary: "Make the identity of a transfer worker on another machine",
  description:
    "The worker there is started with `WORKER_TOKEN` set to the token. It gets the credentials of the ends that it " +
    "sends between, sealed to it, and never the secret key of the instance.",
  request: { body: jsonBody(WorkerCreate) },
  responses: bodyAnswers(NewWorker, [250104, 250105, 250107], "The worker and its token"),
});

const list = createRoute({
  method: "get",
  path: "/list",
  tags,
  summary: "All identities of workers, and when each was last heard",
  responses: answers(z.array(WorkerInfo), [], "The workers, the service's own first"),
});

const remove = createRoute({
  method: "delete",
  path: "/delete/{id}",
  tags,
  summary: "Revoke the identity of a worker",
  description: "Its token ends at once: what it has under way is given to others.",
  request: { params: z.object({ id: z.string() }) },
  responses: answers(nothing, [250108, 250112]),
});

export function workerRoutes(deps: ApiDeps) {
  const { db, sealer, zone, heard, ownWorkers, logger } = deps;
  const told = (id: string) => {
    const last = heard.last(id);
    return {
      lastSeen: last === null ? null : formatTime(last.lastSeen, zone),
      version: last?.version ?? null,
    };
  };
  const own = (): WorkerInfo[] =>
    ownWorkers.map(({ id }) => ({
      id,
      name: id,
      own: true,
      ...told(id),
      createdBy: "system",
      createdDate: null,
    }));

  return new OpenAPIHono<Env>()
    .openapi(create, (c) => {
      const { name } = c.req.valid("json");
      checkName(name);
      const secret = newWorkerSecret();
      const seal = (id: string) => sealer.seal(secret, workerOwner(id));
      const id = insertWorker(db, name, seal, by(c, deps)) ?? fail(250107, name);
      logger.info({ worker: name, id, user: c.get("user") }, "a worker was made");
      c.header("cache-control", "no-store");
      return ok(c, { id, name, token: workerToken({ id, secret }) });
    })
    .openapi(list, (c) => {
      const made = listWorkers(db).map(({ id, name, createdBy, createdDate }) => ({
        id,
        name,
        own: false,
        ...told(id),
        createdBy,
        createdDate: formatTime(createdDate, zone),
      }));
      return ok(c, [...own(), ...made]);
    })
    .openapi(remove, (c) => {
      const { id } = c.req.valid("param");
      if (ownWorkers.some((worker) => worker.id === id)) fail(250112, IS_OWN);
      const name = deleteWorker(db, id) ?? fail(250108, id);
      logger.info({ worker: name, id, user: c.get("user") }, "a worker was revoked");
      return ok(c, null);
    });
}

const IS_OWN = text(
  "the service starts this worker itself: set TRANSFER_WORKERS to have fewer",
  "该 worker 由服务自身启动：要减少数量请设置 TRANSFER_WORKERS",
);
