import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Env } from "../../deps.ts";
import { BYTES, READ_HEADERS, readAnswers, readSummary, textAnswer } from "../../http/documented.ts";
import { type NativeMethod, REFUSED } from "../../http/native-answers.ts";

const params = z.object({
  projectId: z.string(),
  repoName: z.string(),
  path: z.string().openapi({
    description: "Path in Maven's layout, each segment percent-encoded; it may have slashes",
    example: "org/example/app/1.0/app-1.0.jar",
  }),
});
const path = "/{projectId}/{repoName}/{path}";
const tags = ["maven"];
const refused = (method: NativeMethod) => ({
  ...Object.fromEntries(
    Object.entries(REFUSED[method]).map(([status, description]) => [status, textAnswer(description)]),
  ),
  400: textAnswer("The path or the body is invalid, or a checksum is not that of its file"),
  404: textAnswer("No such project, hosted MAVEN repository or file"),
});

/** What Maven's clients ask, in OpenAPI. */
export function documentMaven({ openAPIRegistry: registry }: OpenAPIHono<Env>): void {
  registry.registerPath({
    method: "put",
    path,
    tags,
    summary: "Deploy a file, or say its checksum",
    description:
      "Checksums (.md5, .sha1, .sha256, .sha512) are compared with their file. Of maven-metadata.xml only the plugins of a group are kept: the server makes the rest.",
    request: { params, body: { required: true, content: BYTES } },
    responses: {
      ...refused("put"),
      200: { description: "The file was there: it has the same content, or was replaced" },
      201: { description: "It is there now" },
      409: textAnswer(
        "A released file must not change, unless configuration.settings.allowOverwrite of the repository is true",
      ),
      413: textAnswer("The file is larger than MAX_UPLOAD"),
      507: textAnswer("The disk is full"),
    },
  });
  for (const method of ["get", "head"] as const) {
    registry.registerPath({
      method,
      path,
      tags,
      summary: readSummary(method, "Read a file, a checksum or metadata"),
      request: { params, headers: READ_HEADERS },
      responses: {
        ...refused(method),
        ...readAnswers(textAnswer),
      },
    });
  }
  registry.registerPath({
    method: "delete",
    path,
    tags,
    summary: "Delete a file, or a folder with all below it",
    request: { params },
    responses: { ...refused("delete"), 204: { description: "It is gone, and maven-metadata.xml says so" } },
  });
}
