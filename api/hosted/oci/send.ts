import type { Context } from "hono";
import { INLINE_LIMIT } from "../../../activities/store/layout.ts";
import type { Store } from "../../../activities/store/store.ts";
import { matchesTag, parseRange } from "../../http/byte-range.ts";
import type { Env } from "../../deps.ts";
import { toWebStream } from "../../http/send-file.ts";
import { OciError } from "./errors.ts";

/** A content to send; `sha256`: its name in the store. */
type Sent = { digest: string; sha256: string; size: number; contentType: string };

/**
 * Answers GET and HEAD of a content: with the whole content, with the wanted part of it if
 * `ranges`, or with 304 if the client already has it. Throws 416 for a part outside of the content.
 */
export async function sendContent(
  c: Context<Env>,
  store: Store,
  { digest, sha256, size, contentType }: Sent,
  { ranges }: { ranges: boolean },
): Promise<Response> {
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
  if (c.req.method === "HEAD" || size === 0) return c.body(null, status, headers);
  return c.body(await contentOf(store, sha256, size, start, end), status, headers);
}

const holds = (ifRange: string | undefined, digest: string): boolean =>
  ifRange === undefined || ifRange.replaceAll('"', "") === digest;

async function contentOf(
  store: Store,
  sha256: string,
  size: number,
  start: number,
  end: number,
): Promise<Uint8Array<ArrayBuffer> | ReadableStream> {
  const small =
    size <= INLINE_LIMIT ? (await store.readSmall([sha256])).get(sha256) : undefined;
  if (small) return new Uint8Array(small.subarray(start, end + 1));
  try {
    return toWebStream((await store.openToSend(sha256, { start, end })).chunks);
  } catch (error) {
    // The row exists but its content does not. This is a fault of the disk: the log must tell the
    // operator.
    throw new Error(`the content sha256:${sha256} cannot be read`, { cause: error });
  }
}
