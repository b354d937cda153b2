import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { getNode } from "../../../db/content/nodes.ts";
import type { RepositoryRow } from "../../../db/content/repositories.ts";
import { type Checksum, checksumOf, isMetadata } from "../../../domain/maven/layout.ts";
import { text } from "../../../domain/text.ts";
import type { ApiDeps, Env } from "../../deps.ts";
import { fail } from "../../http/errors.ts";
import { requestPath } from "../../http/request-path.ts";
import { type FileRow, sendFile } from "../../http/send-file.ts";
import { mavenMemory } from "./memory.ts";
import { checksumOfMetadata, metadataAt, sendMetadata } from "./metadata.ts";
import { receiveMaven } from "./receive.ts";
import { removeMaven } from "./remove.ts";
import { hostedMaven } from "./repository.ts";

/** Number of path segments before the file's path: maven, {projectId}, {repoName}. */
const SKIPPED = 3;

/**
 * Serves hosted repositories to Maven's clients, in Maven's layout, with checksums and metadata that the server makes.
 */
export function mavenRoutes(deps: ApiDeps) {
  const { db } = deps;
  const app = new OpenAPIHono<Env>();
  app
    .put("/:projectId/:repoName/*", async (c) => {
      const path = requestPath(c, SKIPPED);
      const { created, file } = await receiveMaven(
        c,
        deps,
        hostedMaven(db, c.req.param()),
        path,
      );
      return c.body(
        null,
        created ? 201 : 200,
        file?.sha256 ? { etag: `"${file.sha256}"` } : {},
      );
    })
    .get("/:projectId/:repoName/*", async (c) => {
      const path = requestPath(c, SKIPPED, { folder: true });
      const repository = hostedMaven(db, c.req.param());
      if (isMetadata(path))
        return sendMetadata(
          c,
          (await metadataAt(deps, repository, path)) ?? fail(251010, path),
        );
      const subject = checksumOf(path);
      if (subject) return sendChecksum(c, await findChecksum(deps, repository, subject));
      return sendFile(c, deps, findFile(deps, repository, path));
    })
    .delete("/:projectId/:repoName/*", async (c) => {
      const path = requestPath(c, SKIPPED, { folder: true });
      await removeMaven(deps, hostedMaven(db, c.req.param()), path, c.get("user"));
      return c.body(null, 204);
    });
  return app;
}

const FOLDER = text(
  "it is a folder, not a file: list it with GET /repository/api/node/page/{projectId}/{repoName}/{path}",
  "它是目录，不是文件：请用 GET /repository/api/node/page/{projectId}/{repoName}/{path} 列出内容",
);

function findFile({ db, now }: ApiDeps, { id }: RepositoryRow, path: string): FileRow {
  const file = path === "/" ? null : getNode(db, id, path, now());
  if (file?.sha256) return { ...file, sha256: file.sha256 };
  return file || path === "/" ? fail(251010, path, FOLDER) : fail(251010, path);
}

async function findChecksum(
  deps: ApiDeps,
  repository: RepositoryRow,
  { of, checksum }: { of: string; checksum: Checksum },
): Promise<string> {
  if (!isMetadata(of))
    return mavenMemory(deps.store).checksumOf(findFile(deps, repository, of), checksum);
  return checksumOfMetadata(
    (await metadataAt(deps, repository, of)) ?? fail(251010, of),
    checksum,
  );
}

function sendChecksum(c: Context<Env>, hex: string): Response {
  return c.body(hex, 200, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": String(hex.length),
    "cache-control": "no-cache",
    etag: `"${hex}"`,
  });
}
