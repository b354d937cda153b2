import type { Budgets } from "../../domain/budgets.ts";
import { TransferError } from "../../domain/failure.ts";
import type { Opened } from "./contract.ts";
import type { HttpResponse } from "./http-message.ts";

/**
 * Returns the body of an answer from `offset` on. Servers may ignore a Range and send the whole content, or
 * send a range that begins earlier (RFC 9110 §14.2, §15.3.7); the bytes before `offset` are then dropped.
 * Throws `invalid` when the body begins after `offset`, or its beginning is unknown; reading it does when its size is
 * unknown and its budget is used up.
 */
export function openedFrom(
  answer: HttpResponse,
  offset: number,
  { maxUnsized }: Pick<Budgets, "maxUnsized">,
): Opened {
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
  const whole = answer.stream();
  const { where } = answer.place;
  const sent =
    size === null ? ending(whole, maxUnsized - start, maxUnsized, where) : whole;
  return { size, chunks: start === offset ? sent : withoutFirst(sent, offset - start) };
}

/**
 * Passes on a content that may have no end. Throws `invalid` when more than `most` bytes come; `budget`: which part of
 * them nobody states (MAX_UNSIZED). `where` names the sender.
 */
export async function* ending(
  chunks: AsyncIterable<Buffer>,
  most: number,
  budget: number,
  where: string,
): AsyncGenerator<Buffer, void, undefined> {
  let left = most;
  for await (const chunk of chunks) {
    left -= chunk.length;
    if (left < 0)
      throw new TransferError(
        "invalid",
        `${where} sends more than ${budget} bytes beyond any size that is stated, the limit (setting MAX_UNSIZED): ` +
          "check that server, or raise the setting if the content is right",
      );
    yield chunk;
  }
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
