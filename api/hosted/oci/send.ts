import type { Context } from "hono";
import { ContentDamage } from "../../../activities/store/damage.ts";
import type { ContentDeps } from "../../content/damage.ts";
import { mustHaveContent } from "../../content/look.ts";
import { readContent } from "../../content/read.ts";
import { matchesTag, parseRange } from "../../http/byte-range.ts";
import type { Env } from "../../deps.ts";
import { OciError } from "./errors.ts";

/** A content to send; `sha256`: its name in the store; `unknown`: the code for one that is not there. */
type Sent = {
  digest: string;
  sha256: string;
  size: number;
  contentType: string;
  unknown: "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN";
};

/**
 * Answers GET and HEAD of a content: with the whole content, with the wanted part of it if
 * `ranges`, or with 304 if the client already has it. Throws 416 for a part outside of the content,
 * 404 for a content that is damaged.
 */
export async function sendContent(
  c: Context<Env>,
  deps: ContentDeps,
  sent: Sent,
  { ranges }: { ranges: boolean },
): Promise<Response> {
  const { digest, sha256, size, contentType } = sent;
  const headers: Record<string, string> = {
    "content-type": contentType,
    "docker-content-digest": digest,
    etag: `"${digest}"`,
    "x-content-type-options": "nosniff",
    ...(ranges
      ? { "accept-ranges": "bytes", "cache-control": "private, max-age=31536000" }
      : {}),
  };
  if (matchesTag(c.req.header("if-none-match"), digest))
    return c.body(null, 304, headers);
  const wanted =
    ranges && holds(c.req.header("if-range"), digest)
      ? parseRange(c.req.header("range"), size)
      : "whole";
  if (wanted === "unsatisfiable")
    throw new OciError(
      416,
      "SIZE_INVALID",
      `the range lies outside the blob, which has ${size} bytes`,
      {
        headers: { "content-range": `bytes */${size}` },
      },
    );
  const { start, end } = wanted === "whole" ? { start: 0, end: size - 1 } : wanted;
  headers["content-length"] = String(end - start + 1);
  if (wanted !== "whole") headers["content-range"] = `bytes ${start}-${end}/${size}`;
  const status = wanted === "whole" ? 200 : 206;
  const isRead = c.req.method !== "HEAD" && size > 0;
  const body = isRead
    ? await orUnknown(sent, readContent(deps, sent, { start, end }))
    : await orUnknown(sent, mustHaveContent(deps, sha256));
  return body ? c.body(body, status, headers) : c.body(null, status, headers);
}

const holds = (ifRange: string | undefined, digest: string): boolean =>
  ifRange === undefined || ifRange.replaceAll('"', "") === digest;

/** Says as "unknown" that a content is damaged: clients then push it again instead of relying on it. */
async function orUnknown<T>({ unknown }: Sent, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof ContentDamage)) throw error;
    throw new OciError(404, unknown, error.message, { cause: error });
  }
}
