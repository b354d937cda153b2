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
  .object({ errors: z.array(z.object({ code: z.string(), message: z.string(), detail: z.unknown().optional() })) })
  .openapi("OciErrors");
const because = jsonAnswer(failure);
const paging = z.object({
  n: optionalText("How many at most; a Link header leads to the rest"),
  last: optionalText("Begin after this one"),
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
const missing = { 404: "There is no such repository, image, manifest, blob or upload" };
const full = { 413: "Larger than MAX_UPLOAD", 507: "The disk is full" };

const PATHS: Partial<Record<NativeMethod, Path[]>> = {
  get: [
    { path: "/", summary: "Whether this is a registry, and the login is right", done: { 200: "It is" } },
    {
      path: "/token",
      summary: "A token for scopes, by Basic",
      done: { 200: "token, access_token, expires_in, issued_at" },
      query: z.object({ scope: optionalText("repository:{name}:pull,push,delete; several times, or with blanks") }),
    },
    { path: "/_catalog", summary: "Images of all hosted repositories", done: { 200: "Their names" }, query: paging },
    {
      path: `${name}/tags/list`,
      summary: "Tags of an image",
      done: { 200: "Its tags, in the order of their bytes" },
      query: paging,
    },
    {
      path: manifest,
      summary: "A manifest, by tag or digest",
      done: { 200: "Its very bytes", 304: "The client has it" },
    },
    {
      path: blob,
      summary: "A blob",
      done: { 200: "The blob", 206: "The part that Range names", 304: "The client has it" },
      refused: { 416: "It has no such bytes" },
    },
    { path: upload, summary: "How much of an upload is here", done: { 204: "Range says it" } },
    {
      path: `${name}/referrers/{digest}`,
      summary: "What is attached to a manifest",
      done: { 200: "An image index of it" },
      query: z.object({ artifactType: optionalText("Only those of this type") }),
    },
  ],
  head: [
    {
      path: manifest,
      summary: "Digest, size and type of a manifest",
      done: { 200: "It is here", 304: "The client has it" },
    },
    {
      path: blob,
      summary: "Whether a blob is here",
      done: { 200: "It is", 206: "The part that Range names is", 304: "The client has it" },
      refused: { 416: "It has no such bytes" },
    },
  ],
  post: [
    {
      path: "/token",
      summary: "A token by OAuth 2, grant_type=password",
      done: { 200: "token, access_token, expires_in, issued_at" },
    },
    {
      path: `${name}/blobs/uploads/`,
      summary: "Begin an upload, send a whole blob, or take one over from another image",
      done: { 201: "The blob is here", 202: "Location is the upload" },
      refused: { 400: "The digest is none, or not that of the body", ...missing, ...full },
      query: z.object({
        digest: optionalText("The body is the whole blob"),
        mount: optionalText("Digest of a blob"),
        from: optionalText("The image that has it"),
      }),
      body: true,
    },
  ],
  patch: [
    {
      path: upload,
      summary: "The next chunk",
      done: { 202: "Range says how much is here" },
      refused: { 416: "The chunk does not begin where the upload stands", ...full },
      body: true,
    },
  ],
  put: [
    {
      path: upload,
      summary: "End an upload",
      done: { 201: "The blob is here" },
      refused: {
        400: "The digest is not that of what was sent; nothing is kept",
        ...missing,
        416: "The chunk does not begin where the upload stands",
        ...full,
      },
      query: z.object({ digest: z.string() }),
      body: true,
    },
    {
      path: manifest,
      summary: "Push a manifest, by tag or digest",
      done: { 201: "It is here" },
      refused: {
        400: "It is refused, or names what is not here",
        ...missing,
        413: "Larger than 4 MiB",
        414: "More than 100 tags",
      },
      query: z.object({ tag: optionalText("By digest: a tag for it; several times") }),
      body: true,
    },
  ],
  delete: [
    { path: manifest, summary: "Delete a tag, or a manifest with its tags", done: { 202: "It is gone" } },
    { path: blob, summary: "Delete a blob", done: { 202: "It is gone" } },
    { path: upload, summary: "Give an upload up", done: { 204: "It is gone" } },
  ],
};

export function document({ openAPIRegistry: registry }: OpenAPIHono<Env>): void {
  // Safe: Object.entries forgets the type of the keys of PATHS.
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
        request: { ...(params && { params }), ...(query && { query }), ...(body && { body: { content: BYTES } }) },
        responses: Object.fromEntries([
          ...Object.entries(done).map(([status, description = ""]) => [status, { description }] as const),
          ...Object.entries(failures).map(([status, description = ""]) => [status, because(description)] as const),
        ]),
      });
    }
  }
}
