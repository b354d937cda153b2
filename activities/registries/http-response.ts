import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import { TransferError } from "../../domain/failure.ts";
import { codingOf, decoded } from "./coding.ts";
import { bounded, excerpt, redactUrl, statusFailure } from "./http-failure.ts";
import type { HttpRequest, HttpResponse } from "./http-message.ts";

const ERROR_BODY_LIMIT = 8 * 1024;

export function toResponse(
  answer: Dispatcher.ResponseData,
  url: URL,
  request: HttpRequest,
  secrets: readonly string[],
  fail: (error: unknown) => TransferError,
): HttpResponse {
  const { what, describe = (body: string) => body, errorCodes } = request;
  const header = (name: string) => fieldsOf(answer.headers, name)[0];
  const coding = codingOf(
    excerpt(fieldsOf(answer.headers, "content-encoding").join(","), secrets),
  );
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
      : decoded(received(), coding, `${what}: the answer of ${redactUrl(url)}`, (text) =>
          excerpt(text, secrets),
        );

  return {
    status: answer.statusCode,
    url,
    header,
    list: (name) => fieldsOf(answer.headers, name).join(", ") || undefined,
    coding,
    stream,
    async failure() {
      const body = await beginning(stream());
      const detail = excerpt(describe(body), secrets);
      return statusFailure(answer.statusCode, what, url, {
        detail,
        retryAfter: header("retry-after"),
        codes: bounded(errorCodes?.(body) ?? [], secrets),
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
            `${what}: the answer of ${redactUrl(url)} is larger than the ${limit} bytes that are accepted: ` +
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
