import { once, setMaxListeners } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import { Agent, buildConnector, EnvHttpProxyAgent, type Dispatcher } from "undici";
import { TransferError } from "../../domain/failure.ts";
import { createAddressGuard } from "./addresses.ts";
import { begun, type BegunBody } from "./body.ts";
import { codingOf, decoded } from "./coding.ts";
import { connectionFailure, excerpt, redactUrl, statusFailure } from "./http-failure.ts";
import { type Pace, thenSent } from "./pace.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;
/** How fast a server is believed to hash and store what it got. */
const STORING_BYTES_PER_MS = 20_000;
const CONNECTIONS = 32;
const MOST_REDIRECTS = 5;
const ERROR_BODY_LIMIT = 8 * 1024;
const READ_AHEAD = 256 * 1024;

export type HttpOptions = {
  /** PEM of the CA (or of the server itself) that vouches for the endpoint. */
  certificate?: string | null | undefined;
  insecureSkipVerify?: boolean | undefined;
  /** Ranges exempt from the refusal of link-local and metadata addresses. */
  allowedAddresses?: readonly string[] | undefined;
  /** HTTPS_PROXY and NO_PROXY; names are then resolved by the proxy, so only literal addresses can be refused. */
  proxy?: { url: string; noProxy: string } | null | undefined;
  /** Texts that must never show in a message, should the server echo them. */
  secrets?: readonly string[] | undefined;
  connectTimeoutMs?: number | undefined;
  idleTimeoutMs?: number | undefined;
  /** Told how long each answer takes to begin. */
  pace?: Pace | undefined;
};

export type HttpBody = string | Uint8Array | AsyncIterable<Uint8Array>;

/** Such a body can be sent once. */
export function isStreamed(body: HttpBody | undefined): body is AsyncIterable<Uint8Array> {
  return body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array);
}

export type HttpRequest = {
  method:
    | "GET"
    | "HEAD"
    | "POST"
    | "PUT"
    | "PATCH"
    | "DELETE"
    | "OPTIONS"
    | "PROPFIND"
    | "PROPPATCH"
    | "MKCOL"
    | "MOVE"
    | "COPY";
  url: URL;
  /** Begins every message about this request: the thing it is about. */
  what: string;
  headers?: Record<string, string> | undefined;
  /** A stream needs a content-length header where the server wants one; it cannot follow a redirect. */
  body?: HttpBody | undefined;
  signal?: AbortSignal | undefined;
  /** Statuses besides 2xx that are answers to the caller and no errors. */
  accept?: readonly number[] | undefined;
  /** So many bytes the server may have to hash and store before it answers: it may be silent for longer. */
  storedBytes?: number | undefined;
  /** Says in one line what an error body means; the default is its beginning. */
  describe?: ((body: string) => string) | undefined;
  /** Reads the protocol's error codes from an error body, for `codes` of the failure. */
  errorCodes?: ((body: string) => readonly string[]) | undefined;
};

export type HttpResponse = {
  status: number;
  /** Where the answer came from, after redirects. */
  url: URL;
  header: (name: string) => string | undefined;
  /** All fields of that name as the one list that they are (RFC 9110 §5.3). */
  list: (name: string) => string | undefined;
  /**
   * How the body is coded where the server codes it although nobody asked for that ("gzip"); null = as it is. It is
   * read decoded.
   */
  coding: string | null;
  /** The whole body, at most `limit` bytes once it is decoded. */
  bytes: (limit: number) => Promise<Buffer>;
  /** The error this answer would have been, had its status not been accepted; reads the body. */
  failure: () => Promise<TransferError>;
  /** The body as it comes, decoded unless `raw`; errors are TransferErrors. Read it to its end or call `discard`. */
  stream: (options?: { raw?: boolean }) => AsyncGenerator<Buffer, void, undefined>;
  discard: () => Promise<void>;
};

export type HttpClient = {
  request: (request: HttpRequest) => Promise<HttpResponse>;
  close: () => Promise<void>;
};

/**
 * The one way to the network for every protocol: pooled, timed, guarded against metadata addresses, errors with a
 * verdict.
 */
export function createHttpClient(options: HttpOptions = {}): HttpClient {
  const guard = createAddressGuard(options.allowedAddresses ?? []);
  const idleMs = options.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
  const secrets = options.secrets ?? [];
  const dispatcher = createDispatcher(options, guard.lookup, idleMs);

  async function send(request: HttpRequest, url: URL, headers: Record<string, string>): Promise<HttpResponse> {
    const silence = idleMs + Math.ceil((request.storedBytes ?? 0) / STORING_BYTES_PER_MS);
    // A request that is given longer waits for work that it asked for.
    const measured = request.storedBytes === undefined ? options.pace?.request() : undefined;
    const fail = (error: unknown) => connectionFailure(error, request.what, url, request.signal, silence);
    if (request.signal !== undefined) setMaxListeners(0, request.signal);
    let streamed: BegunBody | undefined;
    try {
      guard.checkHost(url.hostname);
      if (isStreamed(request.body)) streamed = await begun(request.body, request.signal);
      const begunBody = streamed?.pieces ?? request.body;
      const body = measured ? followed(begunBody, measured.sent) : begunBody;
      const answer = await dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: request.method as Dispatcher.HttpMethod,
        headers,
        body: (body ?? null) as Dispatcher.DispatchOptions["body"] & null,
        signal: request.signal,
        headersTimeout: silence,
        bodyTimeout: silence,
        highWaterMark: READ_AHEAD,
        // Else undici closes the connection after each HEAD.
        ...(request.method === "HEAD" ? { reset: false } : {}),
      });
      return toResponse(answer, url, request, [...secrets, ...loginOf(request)], fail);
    } catch (error) {
      streamed?.drop();
      throw fail(error);
    } finally {
      measured?.over();
    }
  }

  async function request(first: HttpRequest): Promise<HttpResponse> {
    let url = first.url;
    let headers: Record<string, string> = { "accept-encoding": "identity", ...first.headers };
    for (let hops = 0; ; hops += 1) {
      const response = await send(first, url, headers);
      const { status } = response;
      if ((status >= 200 && status < 300) || first.accept?.includes(status) === true) return response;
      const next = status >= 300 && status < 400 ? redirectTarget(first, response) : undefined;
      if (next === undefined) throw await response.failure();
      await response.discard();
      if (hops === MOST_REDIRECTS)
        throw new TransferError(
          "invalid",
          `${first.what}: ${redactUrl(first.url)} redirects more than ${MOST_REDIRECTS} times`,
        );
      if (next.origin !== url.origin) headers = withoutCredentials(headers);
      url = next;
    }
  }

  return { request, close: () => dispatcher.destroy() };
}

/** What a request says to be let in, as a token that its registry gave: it must show no more than the login itself. */
function loginOf({ headers = {} }: HttpRequest): string[] {
  const sent = headers["authorization"]?.split(" ")[1];
  return sent === undefined || sent === "" ? [] : [sent];
}

/** What a stream takes to send depends on more than the end that it goes to: only what follows is its own time. */
function followed(body: HttpBody | undefined, sent: () => void): HttpBody | undefined {
  if (isStreamed(body)) return thenSent(body, sent);
  sent();
  return body;
}

function createDispatcher(
  options: HttpOptions,
  lookup: ReturnType<typeof createAddressGuard>["lookup"],
  idleMs: number,
): Dispatcher {
  const tls = {
    ...(typeof options.certificate === "string" ? { ca: options.certificate } : {}),
    rejectUnauthorized: options.insecureSkipVerify !== true,
  };
  const timeout = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const agentOptions: Agent.Options = {
    connect: buildConnector({ ...tls, timeout, lookup } as buildConnector.BuildOptions),
    connections: CONNECTIONS,
    pipelining: 1,
    headersTimeout: idleMs,
    bodyTimeout: idleMs,
  };
  if (!options.proxy) return new Agent(agentOptions);
  // Empty strings, not absent: undici would read the environment by itself.
  const { url, noProxy } = options.proxy;
  return new EnvHttpProxyAgent({
    ...agentOptions,
    httpProxy: "",
    httpsProxy: url,
    noProxy,
    requestTls: { ...tls, timeout },
  });
}

function toResponse(
  answer: Dispatcher.ResponseData,
  url: URL,
  request: HttpRequest,
  secrets: readonly string[],
  fail: (error: unknown) => TransferError,
): HttpResponse {
  const { what, describe = (body: string) => body, errorCodes } = request;
  const header = (name: string) => fieldsOf(answer.headers, name)[0];
  const coding = codingOf(excerpt(fieldsOf(answer.headers, "content-encoding").join(","), secrets));
  async function* received(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const chunk of answer.body) yield chunk as Buffer;
      // Until then a signal that fires would still close the connection.
      if (!answer.body.closed) await once(answer.body, "close");
    } catch (error) {
      throw fail(error);
    }
  }
  const stream = ({ raw = false } = {}) =>
    coding === null || raw
      ? received()
      : decoded(received(), coding, `${what}: the answer of ${redactUrl(url)}`, (text) => excerpt(text, secrets));

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
        codes: errorCodes?.(body),
      });
    },
    async bytes(limit) {
      const chunks: Buffer[] = [];
      let length = 0;
      for await (const chunk of stream()) {
        length += chunk.length;
        if (length > limit)
          throw new TransferError("invalid", `${what}: ${redactUrl(url)} sends more than ${limit} bytes`);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    },
    async discard() {
      // dump() goes by the length that is told, which a HEAD's answer does not have.
      const read = request.method === "HEAD" ? answer.body.bytes() : answer.body.dump({ limit: ERROR_BODY_LIMIT });
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
    // The status tells enough; what came of the body is used.
  }
  return Buffer.concat(chunks).subarray(0, ERROR_BODY_LIMIT).toString("utf8");
}

/** Where a redirect leads, or undefined when it must not be followed and counts as the answer. */
function redirectTarget(request: HttpRequest, response: HttpResponse): URL | undefined {
  const location = response.header("location");
  if (location === undefined || !URL.canParse(location, response.url.href)) return undefined;
  const target = new URL(location, response.url);
  const reading = request.method === "GET" || request.method === "HEAD";
  const keepsMethod = response.status === 307 || response.status === 308;
  const movesReading = reading && [301, 302, 303].includes(response.status);
  if (!movesReading && !(keepsMethod && !isStreamed(request.body))) return undefined;
  if (target.protocol !== "https:" && target.protocol !== "http:") return undefined;
  const downgrade = response.url.protocol === "https:" && target.protocol === "http:";
  if (downgrade && request.headers?.["authorization"] !== undefined) return undefined;
  return target;
}

function withoutCredentials(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !["authorization", "cookie", "proxy-authorization"].includes(name.toLowerCase()),
    ),
  );
}

function fieldsOf(headers: IncomingHttpHeaders, name: string): string[] {
  const value = headers[name] ?? [];
  return Array.isArray(value) ? value : [value];
}
