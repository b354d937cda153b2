import { TransferError } from "../../domain/failure.ts";
import type { Opened } from "./contract.ts";
import { redactUrl } from "./http-failure.ts";
import type { HttpResponse } from "./http-message.ts";

/**
 * Returns the body of an answer from `offset` on. Servers may ignore a Range and send the whole content, or
 * send a range that begins earlier (RFC 9110 §14.2, §15.3.7); the bytes before `offset` are then dropped.
 * Throws `invalid` when the body begins after `offset`, or its beginning is unknown.
 */
export function openedFrom(answer: HttpResponse, offset: number): Opened {
  const length = Number(answer.header("content-length") ?? Number.NaN);
  const start = answer.status === 206 ? startOf(answer.header("content-range")) : 0;
  if (start === null || start > offset) {
    void answer.discard();
    throw new TransferError(
      "invalid",
      `${redactUrl(answer.url)} sent a different byte range than the requested one from byte ${offset} on: ` +
        "check for a proxy that changes the Range header",
    );
  }
  // With a Content-Encoding, Content-Length is the length of the encoded body, so the size of the
  // content is unknown.
  const size =
    Number.isSafeInteger(length) && answer.coding === null ? length + start : null;
  return {
    size,
    chunks: start === offset ? answer.stream() : without(answer.stream(), offset - start),
  };
}

/**
 * Returns the offset of the first byte in a Content-Range header; null when the header is missing or does not
 * state a range of bytes.
 */
function startOf(contentRange: string | undefined): number | null {
  const [, start] = /^bytes (\d+)-/i.exec(contentRange ?? "") ?? [];
  return start === undefined ? null : Number(start);
}

async function* without(
  chunks: AsyncIterable<Buffer>,
  bytes: number,
): AsyncGenerator<Buffer, void> {
  let left = bytes;
  for await (const chunk of chunks) {
    const rest = chunk.subarray(Math.min(left, chunk.length));
    left -= chunk.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}
