import { once } from "node:events";
import {
  createServer,
  request as forward,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { PassThrough, Readable, type Duplex, type Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { cutter, dripper, readWhole, staller } from "./faulty-bodies.ts";

const BREATH_MS = 5_000;

/** How the proxy treats a request that it does not simply pass on. */
export type Fault =
  | ({ kind: "answer" } & OwnAnswer)
  /** Answers after the whole request body has arrived, like a server that takes everything and keeps nothing. */
  | ({ kind: "swallow" } & OwnAnswer)
  /**
   * Never answers. `reads`: reads the request's body; otherwise the body stays unread, and the proxy does not notice
   * when the client leaves.
   */
  | { kind: "hang"; reads?: boolean }
  /** Resets the connection at once, like a machine without a listener. */
  | { kind: "reset" }
  | { kind: "latency"; ms: number }
  /**
   * Passes the request on when `until` resolves; `breathing`: sends 102 every few seconds, so that the client does not
   * time out.
   */
  | { kind: "hold"; until: Promise<void>; breathing?: boolean }
  /** Resets both connections after this many bytes of the request's body. */
  | { kind: "cutRequest"; afterBytes: number }
  /** Resets both connections after this many bytes of the answer's body. */
  | { kind: "cutAnswer"; afterBytes: number }
  /** The server carries out the request, but the connections are reset before its answer arrives. */
  | { kind: "loseAnswer" }
  /** Sends this many bytes of the answer's body, then nothing, not even its end. */
  | { kind: "stallAnswer"; afterBytes: number }
  /** Sends the answer's body in pieces of `bytes`, one every `everyMs` ms. */
  | { kind: "dripAnswer"; bytes: number; everyMs: number }
  /** Changes the server's answer: `headers` replace its own (null removes one), `body` returns the new body. */
  | {
      kind: "alter";
      status?: number;
      headers?: Headers | ((body: Buffer) => Headers);
      body?: (whole: Buffer) => Buffer;
    };

type Headers = Record<string, string | null>;
type OwnAnswer = {
  status: number;
  headers?: Record<string, string>;
  body?: string | Buffer | (() => AsyncIterable<Uint8Array>);
};

export type SeenRequest = {
  method: string;
  path: string;
  status: number | null;
  headers: IncomingMessage["headers"];
  /** The client's port of the connection. */
  port: number;
  /** Time at which the request arrived, epoch ms. */
  time: number;
  /** Time at which the answer was complete or the connection closed, epoch ms; null before that. */
  closed: number | null;
  /** Number of bytes of the request's body that have arrived. */
  bytes: number;
  /** The request's body, if `keepBodies` returns true for the path; otherwise empty. */
  body: Buffer[];
};

export type FaultProxy = {
  url: string;
  host: string;
  /** Every request so far, in the order of arrival. */
  requests: SeenRequest[];
  /** How many requests so far match, e.g. `count("HEAD", /\/manifests\//)`. */
  count: (method: string, path: RegExp) => number;
  clear: () => void;
  /**
   * Returns the fault of a request, or null to pass the request on. Called for each request; can be
   * replaced at any time.
   */
  fault: (
    request: Pick<SeenRequest, "method" | "path" | "port" | "headers">,
  ) => Fault | null;
  /** Headers added to every answer of the target. */
  answerHeaders: Record<string, string>;
  /**
   * Ends the idle connections of clients, as servers do after a while; resolves when the clients have
   * closed them, too.
   */
  endIdle: () => Promise<void>;
  stop: () => Promise<void>;
};

/** `below`: the only path, such as "/a", under which the target is found; `port`: 0 = any free one. */
type Options = {
  tls?: { key: string; cert: string };
  keepBodies?: (path: string) => boolean;
  below?: string;
  port?: number;
};

/**
 * Starts an HTTP proxy before `target` that counts requests and injects faults; it keeps the Host header, so absolute
 * Locations lead back to it.
 */
export async function startProxy(
  target: string,
  { tls, keepBodies = () => false, below = "", port: ownPort = 0 }: Options = {},
): Promise<FaultProxy> {
  const upstream = new URL(target);
  const requests: SeenRequest[] = [];
  const proxy: Pick<FaultProxy, "fault" | "answerHeaders"> = {
    fault: () => null,
    answerHeaders: {},
  };

  const listener: RequestListener = (request, response) => {
    const seen: SeenRequest = {
      method: request.method ?? "",
      path: request.url ?? "",
      status: null,
      headers: request.headers,
      port: request.socket.remotePort ?? 0,
      time: Date.now(),
      closed: null,
      bytes: 0,
      body: [],
    };
    requests.push(seen);
    response.once("close", () => (seen.closed = Date.now()));
    void handle(request, response, seen, proxy.fault(seen)).catch(() =>
      request.destroy(),
    );
  };

  async function handle(
    request: IncomingMessage,
    response: ServerResponse,
    seen: SeenRequest,
    fault: Fault | null,
  ): Promise<void> {
    if (fault?.kind === "hang")
      return void (
        fault.reads === true &&
        request.on("data", (chunk: Buffer) => (seen.bytes += chunk.length))
      );
    if (fault?.kind === "reset") return void request.socket.resetAndDestroy();
    if (fault?.kind === "answer" || fault?.kind === "swallow") {
      request.on("data", (chunk: Buffer) => (seen.bytes += chunk.length));
      if (fault.kind === "swallow") await once(request, "end");
      seen.status = fault.status;
      response.writeHead(fault.status, fault.headers);
      if (typeof fault.body === "function")
        return void Readable.from(fault.body())
          .on("error", () => response.destroy())
          .pipe(response);
      response.end(fault.body ?? "");
      return;
    }
    if (fault?.kind === "latency") await sleep(fault.ms);
    if (fault?.kind === "hold") await held(response, fault);
    // The client has closed the connection meanwhile.
    if (seen.closed !== null) return;
    const { hostname, port } = upstream;
    if (!seen.path.startsWith(below)) return void response.writeHead(404).end();
    const headers =
      fault?.kind === "alter"
        ? { ...request.headers, "accept-encoding": "identity" }
        : request.headers;
    const passed = forward({
      hostname,
      port,
      method: request.method,
      path: seen.path.slice(below.length),
      headers,
      agent: false,
    });
    const cut = () => {
      passed.destroy();
      request.socket.resetAndDestroy();
    };
    passed.on("error", cut);
    passed.on("response", (answer) => {
      seen.status = answer.statusCode ?? null;
      answer.on("error", cut);
      if (fault?.kind === "loseAnswer") return cut();
      if (fault?.kind === "alter") return void alter(answer, response, fault).catch(cut);
      response.writeHead(answer.statusCode ?? 502, [
        ...answer.rawHeaders,
        ...Object.entries(proxy.answerHeaders).flat(),
      ]);
      answer.pipe(wayBack(fault, response, cut)).pipe(response);
    });
    request.on("close", () => (request.complete ? undefined : passed.destroy()));
    request.on("data", (chunk: Buffer) => {
      seen.bytes += chunk.length;
      if (keepBodies(seen.path)) seen.body.push(chunk);
    });
    request
      .pipe(
        cutter(fault?.kind === "cutRequest" ? fault.afterBytes : Infinity, passed, cut),
      )
      .pipe(passed);
  }

  const server =
    tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(ownPort, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const host = `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  return Object.assign(proxy, {
    url: `${tls === undefined ? "http" : "https"}://${host}`,
    host,
    requests,
    count: (method: string, path: RegExp) =>
      requests.filter((seen) => seen.method === method && path.test(seen.path)).length,
    clear: () => void requests.splice(0),
    async endIdle() {
      const busy = new Set(
        requests.filter(({ closed }) => closed === null).map(({ port }) => port),
      );
      const idle = [...sockets].filter(({ remotePort }) => !busy.has(remotePort ?? 0));
      const gone = idle.map((socket) => once(socket, "close"));
      for (const socket of idle) socket.end();
      await Promise.all(gone);
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

async function held(
  response: ServerResponse,
  { until, breathing = false }: Extract<Fault, { kind: "hold" }>,
): Promise<void> {
  const breath = setInterval(
    () => void (breathing && !response.destroyed && response.writeProcessing()),
    BREATH_MS,
  );
  try {
    await until;
  } finally {
    clearInterval(breath);
  }
}

function wayBack(fault: Fault | null, response: Writable, cut: () => void): Duplex {
  if (fault?.kind === "cutAnswer") return cutter(fault.afterBytes, response, cut);
  if (fault?.kind === "stallAnswer") return staller(fault.afterBytes);
  if (fault?.kind === "dripAnswer") return dripper(fault.bytes, fault.everyMs);
  return new PassThrough();
}

/** Sends a changed answer and then ends the connection, which a wrong length has made unusable. */
async function alter(
  answer: IncomingMessage,
  response: ServerResponse,
  fault: Extract<Fault, { kind: "alter" }>,
): Promise<void> {
  const whole = await readWhole(answer);
  const body = whole.length > 0 && fault.body !== undefined ? fault.body(whole) : whole;
  const { "transfer-encoding": _chunked, ...own } = answer.headers;
  const length =
    response.req.method === "HEAD" ? own["content-length"] : String(body.length);
  const other = typeof fault.headers === "function" ? fault.headers(body) : fault.headers;
  const headers = Object.entries({
    ...own,
    "content-length": length,
    ...other,
    connection: "close",
  });
  response.writeHead(
    fault.status ?? answer.statusCode ?? 502,
    Object.fromEntries(
      headers.filter(([, value]) => value !== null && value !== undefined),
    ),
  );
  response.end(body);
}
