import { TransferError } from "../../domain/failure.ts";
import type { Opened } from "./contract.ts";
import { redactUrl } from "./http-failure.ts";
import type { HttpResponse } from "./http-message.ts";

/**
 * The body of an answer from `offset` on: servers may ignore a Range and answer with the whole, or with another range
 * (RFC 9110 §14.2, §15.3.7), whose beginning is then left out.
 */
export function openedFrom(answer: HttpResponse, offset: number): Opened {
  const length = Number(answer.header("content-length") ?? Number.NaN);
  const start = answer.status === 206 ? startOf(answer.header("content-range")) : 0;
  if (start === null || start > offset) {
    void answer.discard();
    throw new TransferError(
      "invalid",
      `${redactUrl(answer.url)} answers with another range than that from byte ${offset} on`,
    );
  }
  // The length of a coded answer is that of its code.
  const size = Number.isSafeInteger(length) && answer.coding === null ? length + start : null;
  return { size, chunks: start === offset ? answer.stream() : without(answer.stream(), offset - start) };
}

/** Null: it is no single range of bytes. */
function startOf(contentRange: string | undefined): number | null {
  const [, start] = /^bytes (\d+)-/i.exec(contentRange ?? "") ?? [];
  return start === undefined ? null : Number(start);
}

async function* without(chunks: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer, void> {
  let left = bytes;
  for await (const chunk of chunks) {
    const rest = chunk.subarray(Math.min(left, chunk.length));
    left -= chunk.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}
