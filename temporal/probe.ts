import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";

const WITHIN_MS = 3_000;

/** What an address turned out to be. `failed`: no connection, or no TLS session, for the reason with that code. */
export type Finding =
  { kind: "failed"; code: string } | { kind: "noTls" | "tls" | "http" | "open" };

type Address = { host: string; port: number };

/**
 * Finds out why a server does not answer. `tls`: the options with which TLS is wanted, false without TLS. `noTls` and
 * `tls`: the server speaks the other way than is wanted; `open`: nothing is wrong up to here.
 */
export async function probe(
  address: Address,
  tls: ConnectionOptions | false,
): Promise<Finding> {
  try {
    return await found(address, tls);
  } catch (error) {
    // Node throws for a port or a PEM file that it cannot use.
    return { kind: "failed", code: firstCode(error as NodeJS.ErrnoException) };
  }
}

async function found(address: Address, tls: ConnectionOptions | false): Promise<Finding> {
  const reached = await codeOf(connectTcp(address), "connect");
  if (reached.code !== null) return { kind: "failed", code: reached.code };
  if (tls === false) {
    if (await speaksTls(address)) return { kind: "tls" };
    return (await speaksHttp(address)) ? { kind: "http" } : { kind: "open" };
  }
  const problem = await problemOfTls(address);
  if (problem !== null) return ofNoSession(problem);
  const secured = await codeOf(secure(address, tls), "secureConnect");
  if (secured.code !== null) return ofNoSession(secured.code);
  return secured.protocol === "h2" ? { kind: "open" } : { kind: "http" };
}

/** Whether a TLS session with any certificate is possible. */
export async function speaksTls(address: Address): Promise<boolean> {
  return (await problemOfTls(address)) === null;
}

/** Returns why no TLS session with any certificate is possible; null when one is. */
async function problemOfTls(address: Address): Promise<string | null> {
  const { code } = await codeOf(
    secure(address, { rejectUnauthorized: false }),
    "secureConnect",
  );
  // A server that demands a certificate of the client speaks TLS, too.
  return code !== null && /ALERT/.test(code) ? null : code;
}

/** Codes for bytes that are not of TLS. */
const NOT_TLS =
  /^(?:EPROTO|ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST))$/;

function ofNoSession(code: string): Finding {
  if (code === "ETIMEDOUT") return { kind: "open" };
  return NOT_TLS.test(code) ? { kind: "noTls" } : { kind: "failed", code };
}

function secure(address: Address, options: ConnectionOptions) {
  const servername = /^[\d.]+$|:/.test(address.host) ? "" : address.host;
  return connectTls({
    ...address,
    servername,
    ALPNProtocols: ["h2", "http/1.1"],
    ...options,
  });
}

type Opened = { code: string | null; protocol: string | false | null };

/** Opens the socket and closes it again; returns the code of its error, or null. */
function codeOf(
  socket: Socket & { alpnProtocol?: string | false | null },
  opened: string,
): Promise<Opened> {
  return new Promise<Opened>((resolve) => {
    const end = (code: string | null) =>
      resolve({ code, protocol: socket.alpnProtocol ?? null });
    socket.setTimeout(WITHIN_MS, () => end("ETIMEDOUT"));
    socket.once("error", (error: NodeJS.ErrnoException) => end(firstCode(error)));
    socket.once("close", () => end("ECONNRESET"));
    socket.once(opened, () => end(null));
  }).finally(() => socket.destroy());
}

const firstCode = (error: NodeJS.ErrnoException): string =>
  (error instanceof AggregateError
    ? (error.errors[0] as NodeJS.ErrnoException).code
    : error.code) ?? error.message;

function speaksHttp(address: Address): Promise<boolean> {
  const socket = connectTcp(address);
  return new Promise<boolean>((resolve) => {
    socket.setTimeout(WITHIN_MS, () => resolve(false));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("data", (bytes) =>
      resolve(bytes.toString("latin1").startsWith("HTTP/1")),
    );
    socket.write(`GET / HTTP/1.1\r\nHost: ${address.host}\r\nConnection: close\r\n\r\n`);
  }).finally(() => socket.destroy());
}
