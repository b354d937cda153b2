import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import { type AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import type { Env, Trust } from "../deps.ts";
import {
  CONNECTION_LIMITS,
  type ConnectionLimits,
  createConnections,
} from "./connections.ts";
import type { ApiError } from "./errors.ts";
import { formOf, mendTarget } from "./request-target.ts";
import { isPlain, type TlsFront } from "./tls-front.ts";
import {
  beginningOf,
  NO_TUNNEL,
  refusal,
  unexpected,
  unmet,
  unread,
  WITHOUT_TLS,
} from "./unread.ts";

type Fetch = (request: Request, env: Env["Bindings"]) => Response | Promise<Response>;
/**
 * `limits`: those of CONNECTION_LIMITS that differ; `isTrusted`: proxies, whose connections are those of many; `tls`:
 * the server speaks HTTPS.
 */
type Place = {
  hostname: string;
  port: number;
  serverOptions?: ServerOptions;
  limits?: Partial<ConnectionLimits>;
  isTrusted?: Trust;
  tls?: TlsFront | null;
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
  const { hostname, port, serverOptions = {}, isTrusted = () => false, tls } = place;
  const limits = { ...CONNECTION_LIMITS, ...place.limits };
  const tell = createTeller(fetch);
  const connections = createConnections(limits, {
    close: (socket, url, error) => void tell(socket, formOf(url), error),
    isTrusted,
  });
  const wantsTls = (socket: Duplex) => Boolean(tls) && isPlain(socket);
  const { pass, refuse } = createPassing(fetch, hostname, connections.admitted);

  // Without `requireHostHeader: false`, Node itself would answer a request without Host header,
  // with no body.
  const server = createServer(
    { ...SERVER_OPTIONS, ...serverOptions, requireHostHeader: false },
    (incoming, outgoing) => {
      if (connections.hasTooMany(incoming)) return void incoming.socket.destroy();
      const crowded = connections.asked(incoming, outgoing);
      const problem = mendTarget(incoming);
      if (crowded !== null) refuse(incoming, outgoing, crowded);
      else if (wantsTls(incoming.socket)) refuse(incoming, outgoing, WITHOUT_TLS);
      else if (problem !== null) refuse(incoming, outgoing, refusal(problem));
      else pass(incoming, outgoing);
    },
  );
  server.maxConnections = limits.connections + ANSWERED_BEYOND;
  if (tls) tls.before(server, connections);
  else
    server.on("connection", (socket) => {
      connections.opened(socket);
      connections.speaks(socket, socket);
    });
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
    else {
      const why = wantsTls(socket) ? WITHOUT_TLS : unread(error);
      void tell(socket, formOf(beginningOf(error)), why);
    }
  });
  return server.listen(port, hostname, () => listening(server.address() as AddressInfo));
}

/** Returns how requests reach `fetch`: as they are, or to be refused with an error. */
function createPassing(
  fetch: Fetch,
  hostname: string,
  admitted: (incoming: IncomingMessage) => void,
) {
  const refusals = new WeakMap<object, ApiError>();
  const answer: Parameters<typeof getRequestListener>[0] = (request, env) => {
    // Safe: the server speaks HTTP/1 only.
    const incoming = env.incoming as IncomingMessage;
    const refused = refusals.get(incoming);
    const bindings = {
      ...(env as Env["Bindings"]),
      admitted: () => admitted(incoming),
    };
    return fetch(request, refused ? { ...bindings, refused } : bindings);
  };
  const errorHandler = (error: unknown) =>
    fetch(new Request("http://localhost/"), { refused: unexpected(error) });
  const listener = getRequestListener(answer, { hostname, errorHandler });
  return {
    pass: (incoming: IncomingMessage, outgoing: ServerResponse) =>
      void listener(incoming, outgoing),
    refuse(incoming: IncomingMessage, outgoing: ServerResponse, error: ApiError): void {
      refusals.set(incoming, error);
      incoming.url = formOf(incoming.url ?? "");
      incoming.headers.host = "localhost";
      void listener(incoming, outgoing);
    },
  };
}

/**
 * Returns a function that answers a request which Node does not pass on, at most once for each
 * socket, and closes the socket. While many of them are being closed, it answers no more.
 */
function createTeller(fetch: Fetch) {
  const answered = new WeakSet<Duplex>();
  let closing = 0;
  return async (socket: Duplex, form: string, refused: ApiError): Promise<void> => {
    if (answered.has(socket)) return;
    answered.add(socket);
    socket.on("error", () => socket.destroy());
    if (socket.destroyed || closing >= ANSWERED_BEYOND) return void socket.destroy();
    closing += 1;
    socket.once("close", () => (closing -= 1));
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
