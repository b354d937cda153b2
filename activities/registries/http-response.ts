import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import { TransferError } from "../../domain/failure.ts";
import { codingOf, decoded } from "./coding.ts";
import { excerpt, type Place, type Shown } from "./foreign.ts";
import { bounded, statusFailure } from "./http-failure.ts";
import type { HttpRequest, HttpResponse } from "./http-message.ts";

const ERROR_BODY_LIMIT = 8 * 1024;

const NO_CODES: ReadonlySet<string> = new Set();

/** What answers: its URL, and how messages show that URL and the texts of the answer. */
type Origin = { url: URL; place: Place; shown: Shown };

export function toResponse(
  answer: Dispatcher.ResponseData,
  { url, place, shown }: Origin,
  request: HttpRequest,
  fail: (error: unknown) => TransferError,
): HttpResponse {
  const { what, describe = (body: string) => shown(body), errorCodes } = request;
  const header = (name: string) => fieldsOf(answer.headers, name)[0];
  const coding = codingOf(fieldsOf(answer.headers, "content-encoding").join(","));
  async function* received(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const chunk of answer.body) yield chunk as Buffer;
      // Wait until the body is closed: before that, a signal that fires would close the connection.
      if (!answer.body.closed) await once(answer.body, "close");
    } catch (error) {
      throw fail(error);
    }
  }
  const stream = ({ raw = false } = {}) =>
    coding === null || raw
      ? received()
      : decoded(received(), coding, `${what}: the answer of ${place.where}`, shown);

  return {
    status: answer.statusCode,
    url,
    place,
    shown,
    header,
    list: (name) => fieldsOf(answer.headers, name).join(", ") || undefined,
    coding,
    stream,
    async failure() {
      const body = await beginning(stream());
      return statusFailure(answer.statusCode, what, place, {
        detail: excerpt(describe(body, shown)),
        retryAfter: header("retry-after"),
        codes: bounded(errorCodes?.(body) ?? [], request.knownCodes ?? NO_CODES, shown),
      });
    },
    async bytes(limit) {
      const chunks: Buffer[] = [];
      let length = 0;
      for await (const chunk of stream()) {
        length += chunk.length;
        if (length > limit)
          throw new TransferError(
            "invalid",
            `${what}: the answer of ${place.where} is larger than the ${limit} bytes that are accepted: ` +
              "is this the right address?",
          );
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    },
    async discard() {
      // undici's dump() relies on the Content-Length, but the answer to a HEAD has one without having a body.
      const read =
        request.method === "HEAD"
          ? answer.body.bytes()
          : answer.body.dump({ limit: ERROR_BODY_LIMIT });
      await read.catch(() => undefined);
    },
  };
}

async function beginning(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= ERROR_BODY_LIMIT) break;
    }
  } catch {
    // A body that ends early is not reported: the status is enough for an error, and the part that
    // arrived is used.
  }
  return Buffer.concat(chunks).subarray(0, ERROR_BODY_LIMIT).toString("utf8");
}

function fieldsOf(headers: IncomingHttpHeaders, name: string): string[] {
  const value = headers[name] ?? [];
  return Array.isArray(value) ? value : [value];
}
