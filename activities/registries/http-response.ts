import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import { TransferError } from "../../domain/failure.ts";
import { readJson } from "../../domain/foreign/json.ts";
import { LIMITS, OverLimit } from "../../domain/foreign/limits.ts";
import { codingOf, decoderOf } from "./coding.ts";
import { budgetOfError } from "./budget.ts";
import { excerpt, type Place, type Shown } from "./foreign.ts";
import { notSlower } from "./rate-floor.ts";
import { bounded, statusFailure } from "./http-failure.ts";
import type { HttpRequest, HttpResponse } from "./http-message.ts";

/** Bytes of an error body that are read; messages quote less. */
const ERROR_BODY_LIMIT = LIMITS.error.bytes;

/** How long the rest of a body may take that nobody reads; then its connection is closed. */
const LONGEST_DISCARD_MS = 5_000;

const NO_CODES: ReadonlySet<string> = new Set();

const quoted = (body: string, shown: Shown): string => shown(body);

/** What answers: its URL, and how messages show that URL and the texts of the answer. */
type Origin = { url: URL; place: Place; shown: Shown };
/** The slowest rate (bytes/s) of the body over `idleMs` of waiting. */
type Floor = { minRate: number; idleMs: number };

export function toResponse(
  answer: Dispatcher.ResponseData,
  { url, place, shown, floor }: Origin & { floor: Floor },
  request: HttpRequest,
  fail: (error: unknown) => TransferError,
): HttpResponse {
  const { what, describe = quoted, errorCodes } = request;
  const header = (name: string) => fieldsOf(answer.headers, name)[0];
  const coding = codingOf(fieldsOf(answer.headers, "content-encoding").join(","));
  const body = watched(answer.body, floor.idleMs);
  const stream = ({ raw = false } = {}) => {
    if (coding === null || raw) return received(body, floor, fail);
    try {
      const decode = decoderOf(coding, `${what}: the answer of ${place.where}`, shown);
      return decode(received(body, floor, fail));
    } catch (error) {
      body.drop();
      throw error;
    }
  };

  const overLimit = (cause: OverLimit, advice = "is this the right address?") =>
    new TransferError(
      "invalid",
      `${what}: the answer of ${place.where} is too large: ${cause.message}: ${advice}`,
      { cause },
    );

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
      const text = await beginning(stream, body.drop);
      const rest = budgetOfError();
      const within: Shown = (each) => shown(each, rest);
      return statusFailure(answer.statusCode, what, place, {
        detail: excerpt(describe(text, within)),
        retryAfter: header("retry-after"),
        codes: bounded(errorCodes?.(text) ?? [], request.knownCodes ?? NO_CODES, within),
      });
    },
    async bytes(limit) {
      const chunks: Buffer[] = [];
      let length = 0;
      for await (const chunk of stream()) {
        length += chunk.length;
        if (length > limit) throw overLimit(new OverLimit("bytes", limit));
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    },
    async json(limits, advice) {
      return readJson(stream(), limits).catch((error: unknown) => {
        throw error instanceof OverLimit ? overLimit(error, advice) : error;
      });
    },
    discard: () => discarded(body, request.method),
  };
}

async function discarded({ body, begin }: Watched, method: string): Promise<void> {
  begin();
  // undici's dump() relies on the Content-Length, but the answer to a HEAD has one without having a body.
  const read =
    method === "HEAD"
      ? body.bytes()
      : body.dump({
          limit: ERROR_BODY_LIMIT,
          signal: AbortSignal.timeout(LONGEST_DISCARD_MS),
        });
  await read.catch(() => undefined);
}

type Body = Dispatcher.ResponseData["body"];
/** `begin` is called when the reading of the body begins; `drop` closes the body, and its connection with it. */
type Watched = { body: Body; begin: () => void; drop: () => void };

/**
 * Closes a body that nobody has begun to read after `idleMs`: undici would wait for its reader, and keep its connection
 * from other requests, without end.
 */
function watched(body: Body, idleMs: number): Watched {
  // A body that is closed before its end emits an error, which without a listener would end the process.
  const drop = () => void body.on("error", () => undefined).destroy();
  const timer = setTimeout(drop, idleMs).unref();
  const begin = () => clearTimeout(timer);
  body.once("close", begin);
  return { body, begin, drop };
}

async function* received(
  { body, begin }: Watched,
  { minRate, idleMs }: Floor,
  fail: (error: unknown) => TransferError,
): AsyncGenerator<Buffer, void, undefined> {
  begin();
  try {
    yield* notSlower<Buffer>(body, minRate, idleMs);
    // Wait until the body is closed: before that, a signal that fires would close the connection.
    if (!body.closed) await once(body, "close");
  } catch (error) {
    throw fail(error);
  }
}

async function beginning(
  stream: () => AsyncIterable<Buffer>,
  drop: () => void,
): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream()) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= ERROR_BODY_LIMIT) break;
    }
  } catch {
    // A body that ends early is not reported: the status is enough for an error, and the part that
    // arrived is used.
    drop();
  }
  return Buffer.concat(chunks).subarray(0, ERROR_BODY_LIMIT).toString("utf8");
}

function fieldsOf(headers: IncomingHttpHeaders, name: string): string[] {
  const value = headers[name] ?? [];
  return Array.isArray(value) ? value : [value];
}
