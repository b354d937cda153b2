import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Env } from "../../deps.ts";
import {
  BYTES,
  READ_HEADERS,
  readAnswers,
  readSummary,
  textAnswer,
} from "../../http/documented.ts";
import { type NativeMethod, REFUSED } from "../../http/native-answers.ts";

const params = z.object({
  projectId: z.string(),
  repoName: z.string(),
  path: z.string().openapi({
    description:
      "Path in Maven's layout, each segment percent-encoded; it may have slashes",
    example: "org/example/app/1.0/app-1.0.jar",
  }),
});
const path = "/{projectId}/{repoName}/{path}";
const tags = ["maven"];
const refused = (method: NativeMethod) => ({
  ...Object.fromEntries(
    Object.entries(REFUSED[method]).map(([status, description]) => [
      status,
      textAnswer(description),
    ]),
  ),
  400: textAnswer(
    "The path or the body is invalid, or a checksum does not match its file",
  ),
  404: textAnswer("The project, hosted MAVEN repository or file does not exist"),
});

/** Documents the routes below /maven in OpenAPI. */
export function documentMaven({ openAPIRegistry: registry }: OpenAPIHono<Env>): void {
  registry.registerPath({
    method: "put",
    path,
    tags,
    summary: "Deploy a file, or send its checksum",
    description:
      "Checksums (.md5, .sha1, .sha256, .sha512) are compared with their file. Only the plugins of a group are kept " +
      "of maven-metadata.xml: the server makes the rest.",
    request: { params, body: { required: true, content: BYTES } },
    responses: {
      ...refused("put"),
      200: { description: "The file existed: it has the same content, or was replaced" },
      201: { description: "The file was created" },
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
    responses: {
      ...refused("delete"),
      204: {
        description: "The file or folder is deleted, and maven-metadata.xml follows",
      },
    },
  });
}
