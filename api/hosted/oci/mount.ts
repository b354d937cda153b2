import { durable } from "../../../db/durable.ts";
import { write } from "../../../db/open.ts";
import { findImageBlob } from "../../../db/packages/image/find.ts";
import { putImageBlob } from "../../../db/packages/image/put.ts";
import { isImageName } from "../../../domain/reference.ts";
import { lookAtContents } from "../../content/look.ts";
import { by } from "../../http/by.ts";
import { digestOf } from "./digests.ts";
import { OciError } from "./errors.ts";
import { quotaExceeded } from "./quota.ts";
import { blockedName, type ImageRequest, type Place, placeOf } from "./place.ts";

/**
 * Mounts the blob that `mount` names from an image that the client may pull, and returns its
 * digest. Returns null if the request has no `mount`, the blob does not exist or the client may not
 * pull it: the client must then upload it.
 */
export async function mountBlob({
  c,
  deps,
  place,
  rights,
}: ImageRequest): Promise<string | null> {
  const { db } = deps;
  const wanted = c.req.query("mount");
  if (wanted === undefined) return null;
  const digest = digestOf(wanted, "the digest to mount");
  const from = c.req.query("from") ?? place.name;
  const source = isImageName(from) && rights(from, "pull") ? sourceOf(deps, from) : null;
  if (!source) return null;
  const there = findImageBlob(db, source.key, digest);
  if (!there) return null;
  await lookAtContents(deps, [there.sha256]);
  const mounted = write(db, () => {
    const found = findImageBlob(db, source.key, digest);
    if (!found) return false;
    const made = putImageBlob(
      db,
      place.repository,
      { image: place.image, digest, sha256: found.sha256 },
      by(c, deps),
    );
    if (made.kind === "blocked") throw blockedName(place.name);
    if (made.kind === "overQuota") throw quotaExceeded(made.over);
    return made.kind !== "missing";
  });
  if (!mounted) return null;
  await durable(db);
  return digest;
}

function sourceOf(deps: ImageRequest["deps"], name: string): Place | null {
  try {
    return placeOf(deps, name);
  } catch (error) {
    if (error instanceof OciError) return null;
    throw error;
  }
}
