import {
  createServer,
  type IncomingMessage,
  maxHeaderSize,
  type Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import { type AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener, RequestError } from "@hono/node-server";
import { text, type Text } from "../../domain/text.ts";
import type { Env, Trust } from "../deps.ts";
import {
  CONNECTION_LIMITS,
  type ConnectionLimits,
  createConnections,
} from "./connections.ts";
import { ApiError } from "./errors.ts";
import { quoted } from "./quoted.ts";
import { formOf, mendTarget } from "./request-target.ts";

type Fetch = (request: Request, env: Env["Bindings"]) => Response | Promise<Response>;
/** `limits`: those of CONNECTION_LIMITS that differ; `isTrusted`: proxies, whose connections are those of many. */
type Place = {
  hostname: string;
  port: number;
  serverOptions?: ServerOptions;
  limits?: Partial<ConnectionLimits>;
  isTrusted?: Trust;
};
/** Uploads may take any time while they bring bytes, but headers must arrive in time. */
const SERVER_OPTIONS: ServerOptions = {
  requestTimeout: 0,
  headersTimeout: 20_000,
  connectionsCheckingInterval: 5_000,
  // Connections whose other end has vanished are noticed by the system.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
};
/** Connections beyond the limit that still get an answer; more are closed unheard. */
const ANSWERED_BEYOND = 200;

/**
 * Serves the API over HTTP. Node or hono would answer a request that they cannot read with a bare
 * status. Such a request is passed to `fetch` with `refused` instead, and answered in the format of
 * the protocol that its path names.
 */
export function listen(
  fetch: Fetch,
  place: Place,
  listening: (address: AddressInfo) => void,
): Server {
  const { hostname, port, serverOptions = {}, isTrusted = () => false } = place;
  const limits = { ...CONNECTION_LIMITS, ...place.limits };
  const tell = createTeller(fetch);
  const connections = createConnections(limits, {
    close: (socket, url, error) => void tell(socket, formOf(url), error),
    isTrusted,
  });
  const refusals = new WeakMap<object, ApiError>();
  const answer: Parameters<typeof getRequestListener>[0] = (request, env) => {
    // Safe: the server below speaks HTTP/1 only.
    const incoming = env.incoming as IncomingMessage;
    const refused = refusals.get(incoming);
    const admitted = () => connections.admitted(incoming);
    const bindings = { ...(env as Env["Bindings"]), admitted };
    return fetch(request, refused ? { ...bindings, refused } : bindings);
  };
  const errorHandler = (error: unknown) =>
    fetch(new Request("http://localhost/"), { refused: unexpected(error) });
  const listener = getRequestListener(answer, { hostname, errorHandler });

  function refuse(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    error: ApiError,
  ): void {
    refusals.set(incoming, error);
    incoming.url = formOf(incoming.url ?? "");
    incoming.headers.host = "localhost";
    void listener(incoming, outgoing);
  }

  // Without `requireHostHeader: false`, Node itself would answer a request without Host header,
  // with no body.
  const server = createServer(
    { ...SERVER_OPTIONS, ...serverOptions, requireHostHeader: false },
    (incoming, outgoing) => {
      if (connections.hasTooMany(incoming)) return void incoming.socket.destroy();
      const crowded = connections.asked(incoming, outgoing);
      const problem = mendTarget(incoming);
      if (crowded !== null) refuse(incoming, outgoing, crowded);
      else if (problem !== null) refuse(incoming, outgoing, refusal(problem));
      else void listener(incoming, outgoing);
    },
  );
  server.maxConnections = limits.connections + ANSWERED_BEYOND;
  server.on("connection", connections.opened);
  const watching = connections.watch();
  server.once("close", () => clearInterval(watching));
  server.on("checkExpectation", (incoming, outgoing) => {
    if (connections.hasTooMany(incoming)) return void incoming.socket.destroy();
    connections.asked(incoming, outgoing);
    refuse(incoming, outgoing, unmet(incoming));
  });
  server.on(
    "connect",
    ({ url = "" }, socket) => void tell(socket, formOf(url), NO_TUNNEL),
  );
  server.on("clientError", (error, socket) => {
    // The client is gone in the middle of a body: the reader of the body gets an error, and no
    // answer reaches the client.
    if (isOver(error) && isAnswering(socket)) socket.destroy();
    else void tell(socket, formOf(beginningOf(error)), unread(error));
  });
  return server.listen(port, hostname, () => listening(server.address() as AddressInfo));
}

/**
 * Returns a function that answers a request which Node does not pass on, at most once for each
 * socket, and closes the socket.
 */
function createTeller(fetch: Fetch) {
  const answered = new WeakSet<Duplex>();
  return async (socket: Duplex, form: string, refused: ApiError): Promise<void> => {
    if (answered.has(socket)) return;
    answered.add(socket);
    socket.on("error", () => socket.destroy());
    const bytes = await asHttp(
      await fetch(new Request(`http://localhost${form}`), {
        refused,
        peer: socket instanceof Socket ? socket.remoteAddress : undefined,
      }),
    );
    if (socket.writable && !hasAnswered(socket)) socket.end(bytes);
    else socket.destroy();
    // The rest of the request is read and dropped, so that the client gets to see the answer.
    socket.resume();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  };
}

const LINGER_MS = 2_000;

function refusal({ en, zh }: Text, status: 400 | 408 | 413 | 417 | 431 = 400): ApiError {
  const why = text(`the request cannot be read: ${en}`, `无法读取请求：${zh}`);
  return new ApiError([250106, why], { status });
}
const NO_TUNNEL = new ApiError(
  [
    250112,
    text(
      "CONNECT is not supported: this server is not a proxy, request its addresses directly",
      "不支持 CONNECT：此服务器不是代理，请直接请求其地址",
    ),
  ],
  { status: 405 },
);
const unmet = ({ headers: { expect } }: IncomingMessage) =>
  refusal(
    text(
      `Expect: ${expect} cannot be met, only 100-continue can`,
      `不支持 Expect: ${expect}，仅支持 100-continue`,
    ),
    417,
  );
const unexpected = (error: unknown) =>
  error instanceof RequestError
    ? refusal(quoted(error.message))
    : new ApiError([250102], { cause: error });

/**
 * Returns the error for a request on which Node's parser gave up: the request is not HTTP, is too
 * long, or did not arrive in time.
 */
function unread(error: Error & { code?: string; reason?: string }): ApiError {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return refusal(
        text(
          `its address and headers are longer than ${maxHeaderSize} bytes: shorten them`,
          `请求地址和请求头超过 ${maxHeaderSize} 字节：请缩短`,
        ),
        431,
      );
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return refusal(
        text(
          "the extensions of a chunk are too long: send chunks without extensions",
          "分块的扩展过长：请不要使用分块扩展",
        ),
        413,
      );
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return refusal(
        text(
          "its headers did not arrive in time: send the request again",
          "请求头未按时到达：请重新发送请求",
        ),
        408,
      );
    case "HPE_INVALID_URL":
      return refusal(
        text(
          "its address has characters that must be percent-encoded, as all but letters, digits and -._~ can be",
          "请求地址含有必须百分号编码的字符（字母、数字和 -._~ 以外的字符都可以编码）",
        ),
      );
    default: {
      const { en, zh } = quoted(error.reason ?? error.message);
      return refusal(text(`it is not HTTP/1.1: ${en}`, `不是 HTTP/1.1：${zh}`));
    }
  }
}

function beginningOf(error: Error & { rawPacket?: Buffer }): string {
  return error.rawPacket?.toString("latin1", 0, 200) ?? "";
}

const isOver = ({ code }: NodeJS.ErrnoException): boolean =>
  code === "ECONNRESET" || code === "HPE_INVALID_EOF_STATE";

/**
 * A socket. `_httpMessage`, a field of Node's own, is the answer to the request that is under way
 * on it.
 */
type Busy = Duplex & { _httpMessage?: { headersSent: boolean } | null };
const isAnswering = (socket: Busy): boolean => (socket._httpMessage ?? null) !== null;
const hasAnswered = (socket: Busy): boolean => socket._httpMessage?.headersSent === true;

async function asHttp(response: Response): Promise<Buffer> {
  const body = Buffer.from(await response.arrayBuffer());
  const fields = {
    ...Object.fromEntries(response.headers),
    "content-length": body.length,
    connection: "close",
  };
  const head = Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
  const { status, statusText } = response;
  return Buffer.concat([
    Buffer.from(
      `HTTP/1.1 ${status} ${statusText || STATUS_CODES[status]}\r\n${head}\r\n`,
    ),
    body,
  ]);
}
