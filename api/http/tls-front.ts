import { constants } from "node:crypto";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { createServer, type SecureContextOptions, TLSSocket } from "node:tls";

/** A certificate with its intermediates, and its key, as PEM. */
export type Credentials = { cert: string; key: string };
export type TlsFront = ReturnType<typeof createTlsFront>;

type Events = {
  /** A connection came; nothing was read from it yet. */
  opened: (raw: Socket) => void;
  /** From now on HTTP is spoken on `socket`: within TLS, or on the connection itself, without TLS. */
  speaks: (raw: Socket, socket: Socket) => void;
};

const OPTIONS = {
  minVersion: "TLSv1.2",
  // A client of TLS 1.2 could make the server work without end.
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const satisfies SecureContextOptions;

/** The beginning of a connection that shows what it is: the heads of a TLS record and of a handshake message. */
const HEAD_BYTES = 9;
const HANDSHAKE = 0x16;
const CLIENT_HELLO = 1;
/** The longest greeting that is read; OpenSSL would take memory for one of 128 KiB before it came. */
const MOST_HELLO_BYTES = 16 * 1024;

/**
 * Creates TLS (1.2 and 1.3) that is put before a server of HTTP. `use` replaces certificate and key for the
 * connections that come later; those that are open keep theirs.
 */
export function createTlsFront(first: Credentials) {
  const tls = createServer({ ...OPTIONS, ...first, ALPNProtocols: ["http/1.1"] });
  return {
    use: (next: Credentials) => tls.setSecureContext({ ...OPTIONS, ...next }),

    /**
     * Puts TLS before `http`, which goes on listening and keeps its deadlines. A connection that begins without TLS
     * also reaches `http`, so that it gets an answer.
     */
    before(http: Server, { opened, speaks }: Events): void {
      const parsers = http.listeners("connection") as ((socket: Socket) => void)[];
      const greeting = new Map<string, Socket>();
      const speak = (raw: Socket, socket: Socket) => {
        speaks(raw, socket);
        for (const parse of parsers) parse.call(http, socket);
      };
      http.removeAllListeners("connection");
      http.on("connection", (raw: Socket) => {
        opened(raw);
        raw.on("error", () => raw.destroy());
        whenKnown(raw, (isTls) => {
          if (!isTls) return void (speak(raw, raw), raw.resume());
          const ends = endsOf(raw);
          greeting.set(ends, raw);
          raw.once("close", () => greeting.delete(ends));
          // Otherwise a client that leaves during the handshake would not be noticed.
          raw.allowHalfOpen = false;
          tls.emit("connection", raw);
        });
      });
      tls.on("secureConnection", (socket) => {
        const ends = endsOf(socket);
        const raw = greeting.get(ends);
        greeting.delete(ends);
        if (raw) speak(raw, socket);
        else socket.destroy();
      });
    },
  };
}

/** Whether a connection to a server with TLS in front came without it. */
export const isPlain = (socket: unknown): boolean => !(socket instanceof TLSSocket);

/** Node gives TLS a socket of its own; both have the same ends, which no other connection has meanwhile. */
const endsOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  [remoteAddress, remotePort, localAddress, localPort].join(" ");

/**
 * Reads the beginning of a connection, puts it back, and says whether it is TLS. Closes a connection that ends
 * before that, or whose greeting is none or too long.
 */
function whenKnown(raw: Socket, then: (isTls: boolean) => void): void {
  let head = Buffer.alloc(0);
  const end = () => void raw.destroy();
  const read = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const isTls = head[0] === HANDSHAKE;
    if (isTls && head.length < HEAD_BYTES) return;
    raw.off("data", read).off("end", end).pause();
    if (isTls && !isGreeting(head)) return end();
    raw.unshift(head);
    then(isTls);
  };
  raw.on("data", read).once("end", end);
}

const isGreeting = (head: Buffer): boolean =>
  head[5] === CLIENT_HELLO && head.readUIntBE(6, 3) <= MOST_HELLO_BYTES;
