import { TransferError } from "../../domain/failure.ts";
import type { Opened } from "./contract.ts";
import type { HttpResponse } from "./http-message.ts";

/**
 * Returns the body of an answer from `offset` on. Servers may ignore a Range and send the whole content, or
 * send a range that begins earlier (RFC 9110 §14.2, §15.3.7); the bytes before `offset` are then dropped.
 * Throws `invalid` when the body begins after `offset`, or its beginning is unknown.
 */
export function openedFrom(answer: HttpResponse, offset: number): Opened {
  const length = Number(answer.header("content-length") ?? Number.NaN);
  const start = startOf(answer);
  if (start === null || start > offset) {
    void answer.discard();
    throw new TransferError(
      "invalid",
      `${answer.place.where} sent a different byte range than the requested one from byte ${offset} on: ` +
        "check for a proxy that changes the Range header",
    );
  }
  // With a Content-Encoding, Content-Length is the length of the encoded body, so the size of the
  // content is unknown.
  const size =
    Number.isSafeInteger(length) && answer.coding === null ? length + start : null;
  return {
    size,
    chunks:
      start === offset ? answer.stream() : withoutFirst(answer.stream(), offset - start),
  };
}

/**
 * Returns the offset at which the body of an answer begins; null when the Content-Range of a partial answer is
 * missing or does not state a range of bytes.
 */
export function startOf(answer: HttpResponse): number | null {
  if (answer.status !== 206) return 0;
  const [, start] = /^bytes (\d+)-/i.exec(answer.header("content-range") ?? "") ?? [];
  return start === undefined ? null : Number(start);
}

/** Yields a stream without its first bytes. */
export async function* withoutFirst(
  chunks: AsyncIterable<Buffer>,
  bytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  let left = bytes;
  for await (const chunk of chunks) {
    const rest = chunk.subarray(Math.min(left, chunk.length));
    left -= chunk.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}
