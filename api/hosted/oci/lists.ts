import type { Context } from "hono";
import { listReferrers, readReferrers } from "../../../db/packages/image/find.ts";
import { hasImage, listImages, listTags } from "../../../db/packages/image/lists.ts";
import { OCI_INDEX } from "../../../domain/image/media-types.ts";
import type { ApiDeps, Env } from "../../deps.ts";
import { byBytes } from "../by-bytes.ts";
import { anyDigest } from "./digests.ts";
import { OciError } from "./errors.ts";
import { type ImageRequest, unknownName } from "./place.ts";

/** Maximum number of entries in a page; a longer list is always divided into pages. */
const MOST = 10_000;

/**
 * Maximum bytes of a page of referrers, unless a single one is larger: what annotations say is not bounded by the
 * number of entries, and clients read no larger index (MAX_MANIFEST in manifests.ts).
 */
const MOST_BYTES = 4 * 1024 * 1024;

type Page = { after: string; limit: number };

export async function tagList({ c, deps, place }: ImageRequest): Promise<Response> {
  const page = pageOf(c);
  const tags = listTags(deps.db, place.key, { ...page, limit: page.limit + 1 });
  if (tags.length === 0 && !hasImage(deps.db, place.key))
    throw unknownName(place.name, "there is no such image");
  return c.json({
    name: place.name,
    tags: cut(c, `/v2/${place.name}/tags/list`, tags, page),
  });
}

/**
 * Answers GET of the catalog with one page of the names of all images with tags in hosted
 * repositories.
 */
export async function catalog({
  c,
  deps,
}: {
  c: Context<Env>;
  deps: ApiDeps;
}): Promise<Response> {
  const page = pageOf(c);
  const names = listImages(deps.db, { ...page, limit: page.limit + 1 });
  return c.json({ repositories: cut(c, "/v2/_catalog", names, page) });
}

/**
 * Answers GET of the referrers with an index of the manifests attached to a digest, or of those
 * with the wanted `artifactType`. Nothing with that digest need exist. A list beyond MOST_BYTES is divided into pages
 * (distribution-spec 1.1, "Listing Referrers").
 */
export async function referrerList({
  c,
  deps,
  place,
  target,
}: ImageRequest): Promise<Response> {
  const artifactType = c.req.query("artifactType") || undefined;
  const subject = anyDigest(target.reference);
  const after = afterOf(c);
  const listed = listReferrers(deps.db, place.key, subject, { artifactType, after });
  const [page = []] = byBytes(listed, MOST_BYTES);
  const rows = readReferrers(deps.db, page);
  const last = page.at(-1);
  if (last !== undefined && page.length < listed.length) {
    const filter =
      artifactType === undefined
        ? ""
        : `artifactType=${encodeURIComponent(artifactType)}&`;
    const path = `/v2/${place.name}/referrers/${subject}`;
    c.header("Link", `<${path}?${filter}last=${last}>; rel="next"`);
  }
  const manifests = rows.map(
    ({ mediaType, digest, size, artifactType: type, annotations }) => ({
      mediaType,
      digest,
      size,
      ...(type === null ? {} : { artifactType: type }),
      ...(annotations === null ? {} : { annotations }),
    }),
  );
  if (artifactType !== undefined) c.header("OCI-Filters-Applied", "artifactType");
  return c.body(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }),
    200,
    {
      "content-type": OCI_INDEX,
    },
  );
}

/** The id of the last manifest of the page before, as the Link of that page states it. */
function afterOf(c: Context<Env>): number {
  const last = c.req.query("last") ?? "0";
  if (!/^\d{1,15}$/.test(last))
    throw new OciError(400, "UNSUPPORTED", "last must be that of a Link header");
  return Number(last);
}

function pageOf(c: Context<Env>): Page {
  const n = c.req.query("n");
  if (n !== undefined && !/^\d{1,9}$/.test(n))
    throw new OciError(400, "UNSUPPORTED", "n must be the number of entries, 0 or more");
  return {
    after: c.req.query("last") ?? "",
    limit: Math.min(n === undefined ? MOST : Number(n), MOST),
  };
}

/**
 * Returns the first `limit` entries. `entries` has one more if there is another page: then the
 * answer gets a Link header to that page, unless `limit` is 0.
 */
function cut(
  c: Context<Env>,
  path: string,
  entries: string[],
  { limit }: Page,
): string[] {
  const page = entries.slice(0, limit);
  const last = page.at(-1);
  if (last !== undefined && entries.length > limit)
    c.header("Link", `<${path}?n=${limit}&last=${encodeURIComponent(last)}>; rel="next"`);
  return page;
}
