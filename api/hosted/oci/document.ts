import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Env } from "../../deps.ts";
import { BYTES, jsonAnswer, optionalText } from "../../http/documented.ts";
import { type NativeMethod, REFUSED } from "../../http/native-answers.ts";

const tags = ["images"];
const name = "/{projectId}/{repoName}/{image}";
const image = z.object({
  projectId: z.string(),
  repoName: z.string(),
  image: z.string().openapi({ description: "Lower-case; it may have slashes" }),
});
const failure = z
  .object({
    errors: z.array(
      z.object({ code: z.string(), message: z.string(), detail: z.unknown().optional() }),
    ),
  })
  .openapi("OciErrors");
const because = jsonAnswer(failure);
const paging = z.object({
  n: optionalText("Most entries of the page; a Link header leads to the rest"),
  last: optionalText("Begin after this entry"),
});

type Path = {
  path: string;
  summary: string;
  done: Partial<Record<number, string>>;
  refused?: Partial<Record<number, string>>;
  query?: z.ZodObject;
  body?: true;
};

const blob = `${name}/blobs/{digest}`;
const manifest = `${name}/manifests/{reference}`;
const upload = `${name}/blobs/uploads/{upload}`;
const missing = { 404: "The repository, image, manifest, blob or upload does not exist" };
const full = { 413: "Larger than MAX_UPLOAD", 507: "The disk is full" };

const PATHS: Partial<Record<NativeMethod, Path[]>> = {
  get: [
    {
      path: "/",
      summary: "Whether this is a registry and the login is right",
      done: { 200: "Both are so" },
    },
    {
      path: "/token",
      summary: "A token for scopes, with Basic credentials",
      done: { 200: "token, access_token, expires_in, issued_at" },
      query: z.object({
        scope: optionalText(
          "repository:{name}:pull,push,delete; repeated, or separated by blanks",
        ),
      }),
    },
    {
      path: "/_catalog",
      summary: "Images of all hosted repositories",
      done: { 200: "Their names" },
      query: paging,
    },
    {
      path: `${name}/tags/list`,
      summary: "Tags of an image",
      done: { 200: "Its tags, in the order of their bytes" },
      query: paging,
    },
    {
      path: manifest,
      summary: "A manifest, by tag or digest",
      done: { 200: "Its bytes as they were pushed", 304: "The client has it already" },
    },
    {
      path: blob,
      summary: "A blob",
      done: {
        200: "The blob",
        206: "The part that Range names",
        304: "The client has it already",
      },
      refused: { 416: "The blob has no such bytes" },
    },
    {
      path: upload,
      summary: "How much of an upload has arrived",
      done: { 204: "Range names the bytes that are here" },
    },
    {
      path: `${name}/referrers/{digest}`,
      summary: "The attachments of a manifest",
      done: { 200: "An image index of the attachments" },
      query: z.object({
        artifactType: optionalText("Only attachments of this type"),
        last: optionalText("Of the Link to the next page"),
      }),
    },
  ],
  head: [
    {
      path: manifest,
      summary: "Digest, size and type of a manifest",
      done: { 200: "The manifest exists", 304: "The client has it already" },
    },
    {
      path: blob,
      summary: "Whether a blob exists",
      done: {
        200: "The blob exists",
        206: "The part that Range names exists",
        304: "The client has it already",
      },
      refused: { 416: "The blob has no such bytes" },
    },
  ],
  post: [
    {
      path: "/token",
      summary: "A token with OAuth 2, grant_type=password",
      done: { 200: "token, access_token, expires_in, issued_at" },
    },
    {
      path: `${name}/blobs/uploads/`,
      summary: "Begin an upload, send a whole blob, or mount one of another image",
      done: {
        201: "The blob is here",
        202: "The upload has begun; Location is its address",
      },
      refused: {
        400: "The digest is not valid, or does not match the body",
        ...missing,
        ...full,
      },
      query: z.object({
        digest: optionalText("Digest of the blob, whose bytes are the body"),
        mount: optionalText("Digest of the blob to mount"),
        from: optionalText("The image that has the blob"),
      }),
      body: true,
    },
  ],
  patch: [
    {
      path: upload,
      summary: "Send the next chunk",
      done: { 202: "Range names the bytes that are here" },
      refused: { 416: "The chunk does not begin at the offset of the upload", ...full },
      body: true,
    },
  ],
  put: [
    {
      path: upload,
      summary: "End an upload",
      done: { 201: "The blob is here" },
      refused: {
        400: "The digest does not match the sent bytes; nothing is kept",
        ...missing,
        416: "The chunk does not begin at the offset of the upload",
        ...full,
      },
      query: z.object({ digest: z.string() }),
      body: true,
    },
    {
      path: manifest,
      summary: "Push a manifest, by tag or digest",
      done: { 201: "The manifest is here" },
      refused: {
        400: "The manifest is refused, or names content that the image does not have",
        ...missing,
        413: "The manifest is larger than 4 MiB",
        414: "More than 100 tags",
      },
      query: z.object({
        tag: optionalText(
          "For a push by digest: a tag for the manifest; may be repeated",
        ),
      }),
      body: true,
    },
  ],
  delete: [
    {
      path: manifest,
      summary: "Delete a tag, or a manifest with its tags",
      done: { 202: "It is deleted" },
    },
    { path: blob, summary: "Delete a blob", done: { 202: "It is deleted" } },
    { path: upload, summary: "Give up an upload", done: { 204: "It is deleted" } },
  ],
};

export function document({ openAPIRegistry: registry }: OpenAPIHono<Env>): void {
  // Safe: Object.entries loses the type of the keys of PATHS.
  for (const [method, paths] of Object.entries(PATHS) as [NativeMethod, Path[]][]) {
    for (const { path, summary, done, refused = {}, query, body } of paths) {
      const own = [...path.matchAll(/\{(reference|digest|upload)\}/g)].map(
        ([, word = ""]) => [word, z.string()] as const,
      );
      const ofImage = path.startsWith(name);
      const failures = {
        ...REFUSED[method],
        401: "Log in first: WWW-Authenticate says how",
        ...(ofImage && missing),
        ...refused,
      };
      const params = ofImage ? image.extend(Object.fromEntries(own)) : undefined;
      registry.registerPath({
        method,
        path,
        tags,
        summary,
        request: {
          ...(params && { params }),
          ...(query && { query }),
          ...(body && { body: { content: BYTES } }),
        },
        responses: Object.fromEntries([
          ...Object.entries(done).map(
            ([status, description = ""]) => [status, { description }] as const,
          ),
          ...Object.entries(failures).map(
            ([status, description = ""]) => [status, because(description)] as const,
          ),
        ]),
      });
    }
  }
}
