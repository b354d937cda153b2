import { TOUCH_AFTER_MS } from "../../../db/content/blobs.ts";
import { durable } from "../../../db/durable.ts";
import { deleteBlob } from "../../../db/packages/image/delete.ts";
import { findImageBlob, touchImageBlob } from "../../../db/packages/image/find.ts";
import { spareWrite } from "../../http/spare-write.ts";
import { blobFault, digestOf } from "./digests.ts";
import { OciError } from "./errors.ts";
import type { ImageRequest } from "./place.ts";
import { sendContent } from "./send.ts";

/**
 * Answers GET and HEAD of a blob; throws 404 if the image does not have it. A HEAD keeps a blob
 * that no manifest names for about another day: the client may be about to push one.
 */
export async function getBlob({
  c,
  deps,
  place,
  target,
}: ImageRequest): Promise<Response> {
  const { db, now } = deps;
  const fault = blobFault(target.reference);
  if (fault !== null)
    throw new OciError(404, "BLOB_UNKNOWN", `${place.name} has no such blob: ${fault}`);
  const digest = digestOf(target.reference);
  const found = findImageBlob(db, place.key, digest);
  if (!found) throw unknownBlob(place.name, digest);
  if (c.req.method === "HEAD" && found.lastModifiedDate < now() - TOUCH_AFTER_MS)
    spareWrite(deps, "when image blobs were last asked for", () =>
      touchImageBlob(db, found, now()),
    );
  return sendContent(
    c,
    deps,
    {
      digest,
      sha256: found.sha256,
      size: found.size,
      contentType: "application/octet-stream",
      unknown: "BLOB_UNKNOWN",
    },
    { ranges: true },
  );
}

const unknownBlob = (name: string, digest: string) =>
  new OciError(404, "BLOB_UNKNOWN", `${name} has no blob ${digest}`);

export async function removeBlob({
  c,
  deps,
  place,
  target,
}: ImageRequest): Promise<Response> {
  const digest = digestOf(target.reference);
  if (!deleteBlob(deps.db, place.key, digest, deps.now()))
    throw unknownBlob(place.name, digest);
  await durable(deps.db);
  return c.body(null, 202);
}
