import type { Context } from "hono";
import { getNode } from "../../../db/content/nodes.ts";
import { findVersionOrTag } from "../../../db/packages/npm/find.ts";
import { tarballPath } from "../../../domain/npm/package.ts";
import { addressed } from "../../../domain/npm/packument.ts";
import { parsePath, PathError } from "../../../domain/path.ts";
import { matchesTag } from "../../http/byte-range.ts";
import type { Env } from "../../deps.ts";
import { sendFile } from "../../http/send-file.ts";
import { NpmError } from "./errors.ts";
import { tagOf } from "./packuments.ts";
import { type NpmRequest, packageOf } from "./request.ts";

const ABBREVIATED = "application/vnd.npm.install-v1+json";

/** Answers GET of a package with its packument, or with 304 if the client already has it. */
export async function getPackument(request: NpmRequest, name: string): Promise<Response> {
  const { c, base, packuments } = request;
  const owner = packageOf(request, name);
  const form = wantsAbbreviated(c) ? "abbreviated" : "full";
  const tag = tagOf(owner, base, form);
  const headers = {
    etag: `"${tag}"`,
    "last-modified": new Date(owner.lastModifiedDate).toUTCString(),
    "cache-control": "no-cache",
    vary: "Accept",
  };
  if (matchesTag(c.req.header("if-none-match"), tag)) return c.body(null, 304, headers);
  const body = await packuments.get(owner, base, form);
  const type = form === "abbreviated" ? ABBREVIATED : "application/json";
  const described = { ...headers, "content-type": type };
  // A stream is read at the pace of the client.
  if (body === null)
    return c.body(
      ReadableStream.from(packuments.pieces(owner, base, form)),
      200,
      described,
    );
  return c.body(new Uint8Array(body), 200, {
    ...described,
    "content-length": String(body.length),
  });
}

/**
 * Whether the client prefers the abbreviated packument. A client that wants to change the document
 * (`write=true`) needs the full one.
 */
function wantsAbbreviated(c: Context<Env>): boolean {
  if (c.req.query("write") === "true") return false;
  const offers = (c.req.header("accept") ?? "").split(",").map((offer) => {
    const [type = "", ...parameters] = offer
      .toLowerCase()
      .split(";")
      .map((part) => part.trim());
    const quality = parameters.find((each) => each.startsWith("q="))?.slice(2) ?? "1";
    return { type, quality: Number(quality) || 0 };
  });
  const qualityOf = (type: string) =>
    offers.find((offer) => offer.type === type)?.quality ?? 0;
  return (
    qualityOf(ABBREVIATED) > 0 && qualityOf(ABBREVIATED) >= qualityOf("application/json")
  );
}

/** Answers GET of a version, by its number or a dist-tag; throws 404 if the package has neither. */
export async function getVersion(
  request: NpmRequest,
  name: string,
  version: string,
): Promise<Response> {
  const { c, deps, base } = request;
  const found = findVersionOrTag(deps.db, packageOf(request, name).id, version);
  if (!found)
    throw new NpmError(
      404,
      `${name} has no version or dist-tag ${version.slice(0, 250)}`,
    );
  return c.json(addressed(found.document ?? {}, base), 200, {
    "cache-control": "no-cache",
  });
}

export async function getTarball(
  { c, deps, repository }: NpmRequest,
  name: string,
  file: string,
): Promise<Response> {
  const found = getNode(deps.db, repository.id, filePath(name, file), deps.now());
  if (!found?.sha256)
    throw new NpmError(404, `${name} has no tarball ${file.slice(0, 250)}`);
  return sendFile(c, deps, { ...found, sha256: found.sha256 });
}

export function filePath(name: string, file: string): string {
  try {
    return parsePath(tarballPath(name, file));
  } catch (error) {
    if (error instanceof PathError)
      throw new NpmError(400, error.message, { cause: error });
    throw error;
  }
}
