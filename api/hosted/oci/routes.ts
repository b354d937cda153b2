import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Login } from "../../http/auth.ts";
import type { ApiDeps, Env } from "../../deps.ts";
import { notOffered } from "../../http/details.ts";
import { getBlob, removeBlob } from "./blobs.ts";
import { OciError } from "./errors.ts";
import { catalog, referrerList, tagList } from "./lists.ts";
import { getManifest, putManifest, removeManifest } from "./manifests.ts";
import { type ImageRequest, placeOf } from "./place.ts";
import { rightsOf } from "./rights.ts";
import { type Target, targetOf } from "./target.ts";
import { giveToken } from "./token.ts";
import {
  abortUpload,
  appendUpload,
  beginUpload,
  closeUpload,
  uploadStatus,
} from "./uploads.ts";

type Handler = (request: ImageRequest) => Promise<Response>;

const IMAGES: Partial<Record<Target["kind"], Record<string, Handler>>> = {
  manifest: { GET: getManifest, PUT: putManifest, DELETE: removeManifest },
  blob: { GET: getBlob, DELETE: removeBlob },
  uploads: { POST: beginUpload },
  upload: {
    GET: uploadStatus,
    PATCH: appendUpload,
    PUT: closeUpload,
    DELETE: abortUpload,
  },
  tags: { GET: tagList },
  referrers: { GET: referrerList },
};

/**
 * Serves the registry of hosted DOCKER and OCI repositories (OCI distribution-spec 1.1), at
 * `/v2/{projectId}/{repoName}/{image}`.
 */
export function ociRoutes(deps: ApiDeps & { login: Login }) {
  const app = new OpenAPIHono<Env>();
  app.all("/*", (c) => {
    c.header("Docker-Distribution-Api-Version", "registry/2.0");
    return answer(c, deps);
  });
  return app;
}

async function answer(
  c: Context<Env>,
  deps: ApiDeps & { login: Login },
): Promise<Response> {
  const target = targetOf(c);
  if (target.kind === "token")
    return choose(c, { GET: () => giveToken(c, deps), POST: () => giveToken(c, deps) })();
  const rights = await rightsOf(c, deps, target);
  if (target.kind === "base") return choose(c, { GET: () => c.json({}) })();
  if (target.kind === "catalog") return choose(c, { GET: () => catalog({ c, deps }) })();
  const handler = choose(c, IMAGES[target.kind] ?? {});
  return handler({ c, deps, target, rights, place: placeOf(deps, target.name) });
}

function choose<H>(c: Context<Env>, handlers: Record<string, H>): H {
  const { method } = c.req;
  const handler = handlers[method === "HEAD" ? "GET" : method];
  if (
    handler !== undefined &&
    Object.hasOwn(handlers, method === "HEAD" ? "GET" : method)
  )
    return handler;
  const methods = Object.keys(handlers).flatMap((each) =>
    each === "GET" ? ["GET", "HEAD"] : [each],
  );
  throw new OciError(405, "UNSUPPORTED", notOffered(method, methods).en, {
    headers: { allow: methods.join(", ") },
  });
}
