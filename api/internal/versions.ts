import { Hono } from "hono";
import { readSourceVersions } from "../../db/packages/stated-facts.ts";
import type { Db } from "../../db/open.ts";
import type { VersionKey } from "../../domain/sync-versions.ts";

/**
 * Serves the descriptions of hosted package versions that workers replicate; mounted at
 * /internal/v1/versions, behind the internal signature.
 */
export function versionRoutes(db: Db, now: () => number): Hono {
  return new Hono().post("/:repositoryId", async (c) => {
    const { keys } = await c.req.json<{ keys: VersionKey[] }>();
    const versions = readSourceVersions(
      db,
      Number(c.req.param("repositoryId")),
      keys,
      now(),
    );
    return c.body(`{"versions":[${versions.join(",")}]}`, 200, {
      "content-type": "application/json",
    });
  });
}
