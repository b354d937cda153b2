import type { Context } from "hono";
import { getMimeType } from "hono/utils/mime";
import type { NodeRow } from "../../db/content/nodes.ts";
import { TransferError } from "../../domain/failure.ts";
import { text } from "../../domain/text.ts";
import type { ContentDeps } from "../content/damage.ts";
import { mustHaveContent } from "../content/look.ts";
import { readContent } from "../content/read.ts";
import { matchesTag, parseRange, rangeHolds } from "./byte-range.ts";
import type { Env } from "../deps.ts";
import { ApiError } from "./errors.ts";
import { quoted } from "./quoted.ts";

/** A row that is a file, not a folder, and so has content. */
export type FileRow = NodeRow & { sha256: string };

/**
 * Answers GET and HEAD of a file: with the whole file, with the wanted part of it, or with 304 if
 * the client already has it. Throws 416 for a part outside of the file, 250102 if its content is
 * damaged.
 */
export async function sendFile(
  c: Context<Env>,
  deps: ContentDeps,
  file: FileRow,
): Promise<Response> {
  const headers = headersOf(file, c.req.query("download") === "true");
  if (matchesTag(c.req.header("if-none-match"), file.sha256))
    return c.body(null, 304, headers);
  const holds = rangeHolds(
    c.req.header("if-range"),
    file.sha256,
    headers["last-modified"],
  );
  const wanted = holds ? parseRange(c.req.header("range"), file.size) : "whole";
  if (wanted === "unsatisfiable") {
    const size = text(
      `the range lies outside the file, which has ${file.size} bytes`,
      `范围不在文件之内，文件有 ${file.size} 字节`,
    );
    throw new ApiError([250105, "Range", size], {
      status: 416,
      headers: { "content-range": `bytes */${file.size}` },
    });
  }
  const range = wanted === "whole" ? { start: 0, end: file.size - 1 } : wanted;
  const length = { "content-length": String(range.end - range.start + 1) };
  const part =
    wanted === "whole"
      ? {}
      : { "content-range": `bytes ${range.start}-${range.end}/${file.size}` };
  const body =
    c.req.method === "HEAD" || file.size === 0
      ? await orFault(mustHaveContent(deps, file.sha256).then(() => null))
      : await orFault(readContent(deps, file, range));
  const status = wanted === "whole" ? 200 : 206;
  const all = { ...headers, ...length, ...part };
  return body === null ? c.body(null, status, all) : c.body(body, status, all);
}

/** Headers that keep a browser from running a file as a page of the API's origin. */
const HARMLESS = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "sandbox; default-src 'none'",
};

function headersOf(file: FileRow, download: boolean) {
  return {
    ...HARMLESS,
    "content-type": getMimeType(file.name) ?? "application/octet-stream",
    "accept-ranges": "bytes",
    "cache-control": "no-cache",
    etag: `"${file.sha256}"`,
    "last-modified": new Date(file.lastModifiedDate).toUTCString(),
    "x-checksum-sha256": file.sha256,
    ...(file.md5 ? { "x-checksum-md5": file.md5 } : {}),
    ...(download ? { "content-disposition": attachment(file.name) } : {}),
  };
}

/** Builds Content-Disposition (RFC 6266): a plain name for old clients, and the real name in UTF-8. */
function attachment(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, "_");
  const encoded = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/** A row without its content is a fault of the disk: the log must tell the operator. */
const orFault = <T>(reading: Promise<T>): Promise<T> =>
  reading.catch((error: unknown) => {
    throw error instanceof TransferError
      ? new ApiError([250102, quoted(error.message)], { cause: error })
      : error;
  });
