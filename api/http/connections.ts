import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { text } from "../../domain/text.ts";
import type { Trust } from "../deps.ts";
import { networkOf } from "./brake.ts";
import { plain } from "./client.ts";
import { ApiError } from "./errors.ts";
import { elapsed } from "../../domain/elapsed.ts";

/** Limits of connections; times in ms. A stranger is a connection on which no request was admitted yet. */
export type ConnectionLimits = {
  /** Connections in all. For one beyond, a client's that is idle is closed; if none is, it is answered 503. */
  connections: number;
  /**
   * Strangers in all, and of one network. Beyond, the one of that network that has been there longest is closed;
   * if there are too many in all, one of the network that has the most.
   */
  strangers: number;
  strangersOfNetwork: number;
  /** A stranger that is younger is not closed for the sake of others of its network. */
  freshMs: number;
  /** How long a request that is not admitted may take, with its answer. */
  strangerMs: number;
  /** How long a stranger may be idle between two requests. */
  strangerIdleMs: number;
  /** How long it may take until TLS stands, from the opening of a connection. */
  handshakeMs: number;
  /** An admitted body must bring `leastBytes` in each `leastMs` in which it is waited for. */
  leastBytes: number;
  leastMs: number;
  /** Requests of one connection that wait for each other's answers; a client that sends more loses it. */
  pipelined: number;
  /** How often (ms) the times are looked at. */
  lookMs: number;
};

export const CONNECTION_LIMITS: ConnectionLimits = {
  connections: 2_000,
  strangers: 1_000,
  strangersOfNetwork: 250,
  freshMs: 5_000,
  strangerMs: 30_000,
  strangerIdleMs: 10_000,
  handshakeMs: 10_000,
  leastBytes: 1024,
  leastMs: 60_000,
  pipelined: 16,
  lookMs: 1_000,
};

const RETRY = { "retry-after": "5", connection: "close" };
const crowded = new ApiError(
  [
    250124,
    text(
      "the server has too many connections: try again after Retry-After seconds",
      "服务器的连接过多：请在 Retry-After 秒后重试",
    ),
  ],
  { status: 503, headers: RETRY },
);
const slow = (why: ReturnType<typeof text>) =>
  new ApiError([250106, why], { status: 408, headers: { connection: "close" } });
const SLOW_STRANGER = slow(
  text(
    "it did not end in time: send the credentials with the request, and the whole of it at once",
    "请求未按时完成：请随请求发送凭据，并一次发送完整的请求",
  ),
);
const SLOW_BODY = slow(
  text(
    "the body came too slowly: check the network, and send it again",
    "请求体到达过慢：请检查网络并重新发送",
  ),
);

type Asked = {
  since: number;
  admitted: boolean;
  window: { since: number; read: number };
};
type Connection = {
  /** Where HTTP is spoken; null before that, when nothing can be answered. */
  socket: Socket | null;
  raw: Socket;
  address: string;
  network: string;
  isStranger: boolean;
  since: number;
  idleSince: number | null;
  requests: Map<IncomingMessage, Asked>;
};
type Close = (socket: Socket, url: string, error: ApiError) => void;

/**
 * Watches the connections of a server. `close` answers what is under way on a connection with an error and closes
 * it; `isTrusted`: proxies, whose connections are those of many clients.
 */
export function createConnections(
  limits: ConnectionLimits,
  { close, isTrusted }: { close: Close; isTrusted: Trust },
) {
  /** By the sockets that were accepted, the oldest first. */
  const all = new Map<Socket, Connection>();
  const speaking = new WeakMap<Socket, Connection>();

  const of = ({ socket }: IncomingMessage) => {
    const known = speaking.get(socket);
    return known && all.get(known.raw);
  };

  function drop({ raw, socket, requests }: Connection, error: ApiError): void {
    const [first] = requests.keys();
    all.delete(raw);
    if (socket) close(socket, first?.url ?? "", error);
    else raw.destroy();
  }

  function look(): void {
    const now = elapsed();
    for (const connection of all.values()) {
      const problem = problemOf(connection, limits, now);
      if (problem !== null) drop(connection, problem);
      else if (isIdle(connection, limits, now)) connection.raw.destroy();
    }
  }

  return {
    /** Notes a connection on which nothing was read yet. */
    opened(raw: Socket): void {
      const connection = begun(raw);
      all.set(raw, connection);
      raw.once("close", () => all.delete(raw));
      const tooMuch = tooMuchBy(all.values(), connection, limits, isTrusted);
      if (tooMuch) drop(tooMuch, crowded);
    },
    /** Notes the socket on which HTTP is spoken over a connection: itself, or the one that TLS made of it. */
    speaks(raw: Socket, socket: Socket): void {
      const connection = all.get(raw);
      if (!connection) return void socket.destroy();
      speaking.set(socket, connection);
      connection.socket = socket;
    },
    /** Whether a connection is over, or has sent so many requests at once that their answers would fill the memory. */
    hasTooMany: (incoming: IncomingMessage): boolean =>
      incoming.socket.destroyed || (of(incoming)?.requests.size ?? 0) >= limits.pipelined,
    /** Notes a request that begins. Returns the error for one that the server has no room for. */
    asked(incoming: IncomingMessage, outgoing: ServerResponse): ApiError | null {
      const connection = of(incoming);
      if (!connection) return null;
      begin(connection, incoming, outgoing);
      if (!connection.isStranger || all.size <= limits.connections) return null;
      return closeIdle(all) ? null : crowded;
    },
    /** Notes that the credentials of a request are good. */
    admitted(incoming: IncomingMessage): void {
      const connection = of(incoming);
      const asked = connection?.requests.get(incoming);
      if (!connection || !asked) return;
      connection.isStranger = false;
      asked.admitted = true;
      asked.window = { since: elapsed(), read: incoming.socket.bytesRead };
    },
    /** Begins to look at the times. */
    watch: (): NodeJS.Timeout => setInterval(look, limits.lookMs).unref(),
  };
}

function begin(
  connection: Connection,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): void {
  const since = elapsed();
  const window = { since, read: 0 };
  connection.requests.set(incoming, { since, admitted: false, window });
  connection.idleSince = null;
  outgoing.once("close", () => {
    connection.requests.delete(incoming);
    connection.idleSince = elapsed();
  });
}

function begun(raw: Socket): Connection {
  const address = plain(raw.remoteAddress ?? "");
  return {
    raw,
    socket: null,
    address,
    network: networkOf(address),
    isStranger: true,
    since: elapsed(),
    idleSince: null,
    requests: new Map(),
  };
}

/** Returns the stranger that makes room after another one came. */
function tooMuchBy(
  all: Iterable<Connection>,
  { address, network }: Connection,
  { strangers: most, strangersOfNetwork: mostNear, freshMs }: ConnectionLimits,
  isTrusted: Trust,
): Connection | undefined {
  const strangers = [...all].filter(({ isStranger }) => isStranger);
  if (strangers.length > most) return firstOfLargest(strangers);
  const near = strangers.filter((each) => each.network === network);
  if (isTrusted(address) || near.length <= mostNear) return undefined;
  // Many clients of one network may come at once, and need a moment to log in.
  return near.find(({ since }, at) => at === 0 && elapsed() - since >= freshMs);
}

/** Returns the oldest connection of the network that has the most: who opens many must not push out who opens few. */
function firstOfLargest(strangers: readonly Connection[]): Connection | undefined {
  const counts = new Map<string, number>();
  for (const { network } of strangers)
    counts.set(network, (counts.get(network) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return strangers.find(({ network }) => counts.get(network) === most);
}

/** Closes the connection that has been kept open the longest without a request; false if there is none. */
function closeIdle(all: Map<Socket, Connection>): boolean {
  let longest: Idle | null = null;
  for (const each of all.values())
    if (isBetween(each) && (longest === null || each.idleSince < longest.idleSince))
      longest = each;
  if (longest === null) return false;
  all.delete(longest.raw);
  longest.raw.destroy();
  return true;
}

type Idle = Connection & { idleSince: number };

/** Whether a connection has had a request and has none now. */
const isBetween = (connection: Connection): connection is Idle =>
  connection.requests.size === 0 && connection.idleSince !== null;

function isIdle(
  connection: Connection,
  { strangerIdleMs, handshakeMs }: ConnectionLimits,
  now: number,
): boolean {
  const { socket, since, isStranger } = connection;
  if (socket === null) return now - since > handshakeMs;
  return (
    isStranger && isBetween(connection) && now - connection.idleSince > strangerIdleMs
  );
}

function problemOf(
  { requests }: Connection,
  limits: ConnectionLimits,
  now: number,
): ApiError | null {
  for (const [incoming, asked] of requests) {
    if (!asked.admitted && now - asked.since > limits.strangerMs) return SLOW_STRANGER;
    if (asked.admitted && isSlow(incoming, asked, limits, now)) return SLOW_BODY;
  }
  return null;
}

/** Whether a body has brought too little since the window began. A body that we are not ready for is not slow. */
function isSlow(
  incoming: IncomingMessage,
  { window }: Asked,
  { leastBytes, leastMs }: ConnectionLimits,
  now: number,
): boolean {
  const read = incoming.socket.bytesRead;
  const isWaitedFor =
    !incoming.complete && incoming.readableLength < incoming.readableHighWaterMark;
  if (isWaitedFor && read - window.read < leastBytes) return now - window.since > leastMs;
  Object.assign(window, { since: now, read });
  return false;
}
