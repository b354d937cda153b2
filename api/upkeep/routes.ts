import { setTimeout as sleep } from "node:timers/promises";
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { formatTime } from "../../domain/time.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { answers, ok } from "../http/envelope.ts";
import type { Collection } from "./collection.ts";

/** How long (ms) the answer waits for the end of the collection. */
const WAIT_MS = 10_000;

const freed = z.object({ contents: z.int(), bytes: z.int() });
const CollectionInfo = z
  .object({
    state: z.enum(["RUNNING", "DONE", "FAILED"]),
    begun: z.string().openapi({ description: "Local time" }),
    ended: z.string().nullable(),
    reason: z.string().nullable().openapi({ description: "Why it failed" }),
    freed: freed.openapi({ description: "What is gone from the disk" }),
    reusable: freed.openapi({
      description:
        "Small contents that are gone from blobs.db, which uses their space again and does not shrink",
    }),
    waiting: freed.openapi({
      description: "Not used by any file, but for less than 5 minutes: collect again",
    }),
    disk: z.object({ free: z.int(), size: z.int(), reserve: z.int() }),
  })
  .openapi("Collection");

const collect = createRoute({
  method: "post",
  path: "/collect",
  tags: ["store"],
  summary: "Free the space of what no file uses",
  description:
    "Collects at once what no file has used for 5 minutes, and ends uploads that got no bytes for an hour. Answers " +
    "after 10 s at most; while `state` is RUNNING, GET has the progress.",
  responses: answers(CollectionInfo, [], "The collection"),
});

const show = createRoute({
  method: "get",
  path: "/collect",
  tags: ["store"],
  summary: "The collection that is under way, or the last one since the start",
  responses: answers(CollectionInfo.nullable(), [], "The collection; null: none yet"),
});

export function storeRoutes({ collections, store, zone }: ApiDeps) {
  const write = async ({ begun, ended, ...counted }: Collection) => ({
    ...counted,
    begun: formatTime(begun, zone),
    ended: ended === null ? null : formatTime(ended, zone),
    disk: await store.disk(),
  });
  return new OpenAPIHono<Env>()
    .openapi(collect, async (c) => {
      const begun = collections.begin();
      const waited = new AbortController();
      const enough = sleep(WAIT_MS, undefined, { signal: waited.signal });
      await Promise.race([begun.ended, enough.catch(() => undefined)]);
      waited.abort();
      return ok(c, await write(begun.counted));
    })
    .openapi(show, async (c) => {
      const last = collections.look();
      return ok(c, last && (await write(last)));
    });
}
