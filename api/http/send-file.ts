import type { Context } from "hono";
import { getMimeType } from "hono/utils/mime";
import { INLINE_LIMIT } from "../../activities/store/layout.ts";
import type { Range } from "../../activities/store/content-source.ts";
import type { Store } from "../../activities/store/store.ts";
import type { NodeRow } from "../../db/content/nodes.ts";
import { TransferError } from "../../domain/failure.ts";
import { text } from "../../domain/text.ts";
import { matchesTag, parseRange, rangeHolds } from "./byte-range.ts";
import type { Env } from "../deps.ts";
import { ApiError } from "./errors.ts";
import { quoted } from "./quoted.ts";

/** A row that is a file, not a folder, and so has content. */
export type FileRow = NodeRow & { sha256: string };

/**
 * Answers GET and HEAD of a file: with the whole file, with the wanted part of it, or with 304 if
 * the client already has it. Throws 416 for a part outside of the file.
 */
export async function sendFile(
  c: Context<Env>,
  store: Store,
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
      ? null
      : await contentOf(store, file, range);
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

async function contentOf(
  store: Store,
  { sha256, size }: FileRow,
  range: Range,
): Promise<Uint8Array<ArrayBuffer> | ReadableStream> {
  const small =
    size <= INLINE_LIMIT ? (await store.readSmall([sha256])).get(sha256) : undefined;
  if (small) return new Uint8Array(small.subarray(range.start, (range.end ?? size) + 1));
  try {
    return toWebStream((await store.openToSend(sha256, range)).chunks);
  } catch (error) {
    // The row exists but its content does not. This is a fault of the disk: the log must tell the
    // operator.
    throw error instanceof TransferError
      ? new ApiError([250102, quoted(error.message)], { cause: error })
      : error;
  }
}

/**
 * Makes a web stream that is read at the pace of the client: the next chunk is read when the socket has the one before.
 * A client that goes away closes the file.
 */
export function toWebStream(chunks: AsyncGenerator<Uint8Array, void>): ReadableStream {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => void (await chunks.return()),
    },
    { highWaterMark: 0 },
  );
}
