import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import {
  FILES_MEDIA_TYPE,
  OFFSET_HEADER,
  SYNC_FEATURES,
  SYNC_LIMITS,
  SYNC_PRODUCT,
  SYNC_VERSION,
} from "../../domain/sync.ts";
import { HOSTED_TYPES } from "../../domain/repository-types.ts";
import { VERSIONS_MEDIA_TYPE } from "../../domain/sync-versions.ts";
import { text } from "../../domain/text.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { by } from "../http/by.ts";
import { BYTES } from "../http/documented.ts";
import {
  answers,
  because,
  bodyAnswers,
  jsonBody,
  nothing,
  ok,
} from "../http/envelope.ts";
import { fail } from "../http/errors.ts";
import { matching } from "../http/fields.ts";
import {
  SyncCapabilities,
  SyncContent,
  SyncEnsured,
  SyncFiles,
  SyncRepository,
  SyncStatement,
  SyncUpload,
  SyncUploaded,
  SyncVersions,
  SyncVersionsStatement,
} from "./shapes.ts";
import { bodyOf, lengthOf, wholeBody } from "../http/body.ts";
import { hostedRepository } from "../http/repository.ts";
import { saying } from "../http/saying.ts";
import { sendAs } from "../http/details.ts";
import { ensureRepository } from "../repositories/ensure.ts";
import { PROJECT_NAME, REPOSITORY_NAME } from "../repositories/shapes.ts";
import { inApiTerms } from "./failures.ts";
import { receiveFiles } from "./receive.ts";
import { LONGEST_BODY } from "./statement.ts";
import {
  appendUpload,
  expectedOf,
  finishUpload,
  startUpload,
  uploadStatus,
} from "./uploads.ts";
import { receiveVersions, statableRepository } from "./versions.ts";
import { LONGEST_VERSIONS_BODY } from "./versions-statement.ts";

const tags = ["between instances"];
const CONFIRMED = text(
  "must be the number of bytes that the upload has confirmed",
  "必须是上传已确认的字节数",
);

const projectName = matching(
  PROJECT_NAME,
  text(
    "must be 2 to 100 letters, digits, - or _, and must not begin with a digit or -",
    "必须是 2 到 100 个字母、数字、- 或 _，且不能以数字或 - 开头",
  ),
);
const repositoryName = matching(
  REPOSITORY_NAME,
  text(
    "must be 2 to 64 letters, digits, ., - or _, and must not begin with a digit, . or -",
    "必须是 2 到 64 个字母、数字、.、- 或 _，且不能以数字、. 或 - 开头",
  ),
);
const named = z.object({ projectId: projectName, repoName: repositoryName });
const session = z.object({ id: z.string() });
const tooLarge = { 413: because("The body is larger than the limits of capabilities") };
const full = { 507: because("The disk is full") };
const noSession = {
  404: because("The upload does not exist (any more): begin a new one"),
};

const capabilities = createRoute({
  method: "get",
  path: "/capabilities",
  tags,
  summary: "What this instance accepts from another one",
  description: "docs/instance-protocol.md describes the whole protocol.",
  responses: answers(SyncCapabilities),
});

const ensure = createRoute({
  method: "post",
  path: "/repositories/{projectId}/{repoName}",
  tags,
  summary: "Create a hosted repository, and its project, where they are missing",
  request: { params: named, body: jsonBody(SyncRepository) },
  responses: {
    ...bodyAnswers(SyncEnsured, [250105]),
    409: because("251007: a repository of another kind has that name"),
  },
});

const files = createRoute({
  method: "post",
  path: "/files/{projectId}/{repoName}",
  tags,
  summary: "Declare many files of a repository at once, with the contents of some",
  description:
    "The body: length of the statement's JSON (4 bytes, big-endian), the statement (UTF-8), " +
    "the bytes of the attached files. The answers come in the order of the files.",
  request: {
    params: named,
    body: { required: true, content: { [FILES_MEDIA_TYPE]: { schema: SyncStatement } } },
  },
  responses: {
    ...answers(SyncFiles, [250106, 250112, 251004, 251006]),
    ...tooLarge,
    415: because(`Not ${FILES_MEDIA_TYPE}`),
    ...full,
  },
});

const versions = createRoute({
  method: "post",
  path: "/versions/{projectId}/{repoName}",
  tags,
  summary:
    "Declare many versions of packages of a MAVEN or NPM repository at once, with the contents of some of their files",
  description:
    "The body: length of the statement's JSON (4 bytes, big-endian), the statement (UTF-8), " +
    "the bytes of its contents. The answers come in the order of the versions.",
  request: {
    params: named,
    body: {
      required: true,
      content: { [VERSIONS_MEDIA_TYPE]: { schema: SyncVersionsStatement } },
    },
  },
  responses: {
    ...answers(SyncVersions, [250106, 250112, 251004, 251006]),
    ...tooLarge,
    415: because(`Not ${VERSIONS_MEDIA_TYPE}`),
    ...full,
  },
});

const begin = createRoute({
  method: "post",
  path: "/uploads",
  tags,
  summary: "Begin the upload of a content, whether its sha256 is known or not",
  request: { body: jsonBody(SyncContent) },
  responses: {
    ...bodyAnswers(SyncUpload),
    429: because("250124: too many uploads are open; try again after Retry-After"),
    ...full,
  },
});

const status = createRoute({
  method: "get",
  path: "/uploads/{id}",
  tags,
  summary: "The confirmed offset of an upload",
  request: { params: session },
  responses: { ...answers(SyncUpload), ...noSession },
});

const append = createRoute({
  method: "patch",
  path: "/uploads/{id}",
  tags,
  summary: "Add bytes to an upload",
  description: `At most ${SYNC_LIMITS.chunkBytes} bytes. Bytes that arrived before a request was cut off are kept.`,
  request: {
    params: session,
    headers: z.object({
      [OFFSET_HEADER.toLowerCase()]: z
        .string()
        .refine((given) => /^\d{1,16}$/.test(given), saying(CONFIRMED))
        .openapi({ type: "integer", minimum: 0 }),
    }),
    body: {
      required: true,
      content: BYTES,
    },
  },
  responses: {
    ...answers(SyncUpload),
    ...noSession,
    409: because("The upload is at another offset: request it and go on from there"),
    ...tooLarge,
    ...full,
  },
});

const finish = createRoute({
  method: "put",
  path: "/uploads/{id}",
  tags,
  summary: "End an upload; each given size and digest must match",
  request: { params: session, body: jsonBody(SyncUploaded) },
  responses: { ...bodyAnswers(SyncUpload, [251003]), ...noSession, ...full },
});

const drop = createRoute({
  method: "delete",
  path: "/uploads/{id}",
  tags,
  summary: "Give an upload up",
  request: { params: session },
  responses: { ...answers(nothing), ...noSession },
});

/**
 * Serves the instance that receives a replication from another instance; mounted at SYNC_PREFIX.
 */
export function syncRoutes(
  deps: Pick<ApiDeps, "db" | "store" | "now" | "logger" | "localClusterName">,
) {
  const { db, store } = deps;
  return new OpenAPIHono<Env>()
    .openapi(capabilities, (c) => ok(c, capabilitiesOf(deps.localClusterName)))
    .openapi(ensure, (c) => {
      const { type } = c.req.valid("json");
      return ok(c, ensureRepository(db, c.req.valid("param"), type, by(c, deps)));
    })
    .openapi(files, async (c) => {
      requireMediaType(c, FILES_MEDIA_TYPE);
      const named = c.req.valid("param");
      hostedRepository(db, named);
      const body = await inApiTerms(wholeBody(c, LONGEST_BODY));
      const sent = { user: c.get("user"), body };
      return ok(c, { files: await inApiTerms(receiveFiles(deps, named, sent)) });
    })
    .openapi(versions, async (c) => {
      requireMediaType(c, VERSIONS_MEDIA_TYPE);
      const named = c.req.valid("param");
      statableRepository(db, named);
      const body = await inApiTerms(wholeBody(c, LONGEST_VERSIONS_BODY));
      const sent = { user: c.get("user"), body };
      return ok(c, await inApiTerms(receiveVersions(deps, named, sent)));
    })
    .openapi(begin, async (c) =>
      ok(c, await inApiTerms(startUpload(deps, c.req.valid("json")))),
    )
    .openapi(status, async (c) =>
      ok(c, await inApiTerms(uploadStatus(deps, c.req.valid("param").id))),
    )
    .openapi(append, async (c) => {
      const { id } = c.req.valid("param");
      const offset = Number(c.req.header(OFFSET_HEADER));
      const length = lengthOf(c);
      return ok(c, await inApiTerms(appendUpload(deps, id, offset, bodyOf(c), length)));
    })
    .openapi(finish, async (c) => {
      const { id } = c.req.valid("param");
      const expected = expectedOf(c.req.valid("json"));
      const finished = finishUpload(deps, id, expected);
      return ok(c, await inApiTerms(finished, Object.keys(expected)));
    })
    .openapi(drop, async (c) => {
      await inApiTerms(store.sessions.abort(c.req.valid("param").id));
      return ok(c, null);
    });
}

const capabilitiesOf = (name: string): z.output<typeof SyncCapabilities> => ({
  product: SYNC_PRODUCT,
  version: SYNC_VERSION,
  limits: SYNC_LIMITS,
  features: [...SYNC_FEATURES],
  name,
  repositoryTypes: [...HOSTED_TYPES],
});

/**
 * Refuses a body whose media type is not exactly this one: throws 250119 with the type that was
 * sent.
 */
function requireMediaType(c: Context<Env>, mediaType: string): void {
  const sent = c.req.header("content-type") ?? "none";
  if (sent !== mediaType) fail(250119, sent, sendAs(mediaType));
}
