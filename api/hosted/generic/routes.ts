import { OpenAPIHono, z } from "@hono/zod-openapi";
import { getNode } from "../../../db/content/nodes.ts";
import { text } from "../../../domain/text.ts";
import type { ApiDeps, Env } from "../../deps.ts";
import {
  BYTES,
  optionalText,
  READ_HEADERS,
  readAnswers,
  readSummary,
} from "../../http/documented.ts";
import { answers, because, nothing, ok } from "../../http/envelope.ts";
import { fail } from "../../http/errors.ts";
import { requestPath } from "../../http/request-path.ts";
import { sendFile } from "../../http/send-file.ts";
import { NodeInfo, toNodeInfo } from "../node-shapes.ts";
import { hostedRepository } from "../../http/repository.ts";
import type { FileEndpoints } from "../endpoint.ts";
import { writable } from "../writable.ts";

/** Number of path segments before the file's path: generic, {projectId}, {repoName}. */
const SKIPPED = 3;

/**
 * Serves files of hosted repositories unchanged. `files`: for each repository type, how a file is
 * stored and deleted.
 */
export function genericRoutes(deps: ApiDeps, files: FileEndpoints) {
  const { db, now, zone } = deps;
  const app = new OpenAPIHono<Env>();
  app
    .put("/:projectId/:repoName/*", async (c) => {
      const path = requestPath(c, SKIPPED);
      const repository = writable(hostedRepository(db, c.req.param()));
      const file = await files[repository.type].receive(c, deps, repository, path);
      if (!file) return ok(c, null);
      c.header("X-Checksum-Sha256", file.sha256 ?? "");
      c.header("X-Checksum-Md5", file.md5 ?? "");
      return ok(c, toNodeInfo(file, repository, zone));
    })
    .get("/:projectId/:repoName/*", async (c) => {
      const path = requestPath(c, SKIPPED);
      const repository = hostedRepository(db, c.req.param());
      const file = getNode(db, repository.id, path, now());
      if (!file) return fail(251010, path);
      const { sha256 } = file;
      if (sha256 === null)
        return fail(
          251010,
          path,
          text(
            `it is a folder, not a file: list it with GET /repository/api/node/page/{projectId}/{repoName}/{path}`,
            `它是目录，不是文件：请用 GET /repository/api/node/page/{projectId}/{repoName}/{path} 列出内容`,
          ),
        );
      return sendFile(c, deps, { ...file, sha256 });
    })
    .delete("/:projectId/:repoName/*", async (c) => {
      const path = requestPath(c, SKIPPED, { folder: true });
      const repository = writable(hostedRepository(db, c.req.param()));
      await files[repository.type].remove(deps, repository, path, c.get("user"));
      return ok(c, null);
    });
  return app;
}

const params = z.object({
  projectId: z.string(),
  repoName: z.string(),
  path: z.string().openapi({
    description: "Full path, each segment percent-encoded; it may have slashes",
  }),
});
const path = "/{projectId}/{repoName}/{path}";
const tags = ["files"];

const uploadHeaders = z.object({
  "X-BKREPO-SHA256": optionalText(
    "Digest to verify: on a mismatch (251003) nothing is kept",
  ),
  "X-BKREPO-MD5": optionalText("Digest to verify as well"),
  "X-BKREPO-OVERWRITE": z.enum(["true", "false"]).optional().openapi({
    description: "Whether an existing file is replaced; if not, it is 251012",
  }),
  "X-BKREPO-EXPIRES": optionalText("Days after which the file expires; 0 = never"),
  "X-BKREPO-META": optionalText(
    "Metadata: base64 of k=v&k2=v2. X-BKREPO-META-{key}: value sets one, its key in lower case",
  ),
});
const download = z.object({
  download: z
    .enum(["true", "false"])
    .optional()
    .openapi({ description: "true: the file is sent as an attachment" }),
});

/** Documents the routes below /generic in OpenAPI. */
export function documentGeneric({ openAPIRegistry: registry }: OpenAPIHono<Env>): void {
  registry.registerPath({
    method: "put",
    path,
    tags,
    summary: "Upload a file",
    request: { params, headers: uploadHeaders, body: { required: true, content: BYTES } },
    responses: {
      ...answers(
        NodeInfo,
        [250105, 250106, 250112, 251003, 251004, 251006, 251011, 251012],
        "The file",
      ),
      413: because("The file is larger than MAX_UPLOAD"),
      507: because("The disk is full"),
    },
  });
  for (const method of ["get", "head"] as const) {
    registry.registerPath({
      method,
      path,
      tags,
      summary: readSummary(method, "Download a file"),
      request: { params, headers: READ_HEADERS, query: download },
      responses: {
        ...answers(nothing, [250112, 251004, 251006, 251010, 251011]),
        ...readAnswers(because),
      },
    });
  }
  registry.registerPath({
    method: "delete",
    path,
    tags,
    summary: "Delete a file, or a folder with all below it",
    request: { params },
    responses: {
      ...answers(nothing, [250112, 251004, 251006, 251010, 251011]),
      507: because("The disk is full"),
    },
  });
}
