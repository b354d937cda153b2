import { once } from "node:events";
import {
  connect,
  createServer,
  type AddressInfo,
  type Server,
  type Socket,
} from "node:net";

type WantedPort = { port: number; variable: string };

/**
 * Returns the wanted ports, with any free one for each 0; rejects with the variable's name when a port is
 * taken.
 */
export async function choosePorts(
  ip: string,
  wanted: readonly WantedPort[],
): Promise<number[]> {
  const held = await Promise.allSettled(wanted.map((one) => hold(ip, one)));
  return Promise.all(
    held.map(async (one) => {
      if (one.status === "rejected") throw one.reason;
      await one.value.release();
      return one.value.port;
    }),
  );
}

async function hold(ip: string, { port, variable }: WantedPort) {
  const server = createServer();
  server.listen(port, ip);
  await once(server, "listening").catch((error: NodeJS.ErrnoException) => {
    const taken = `is in use; give another in ${variable} (0 = any free one)`;
    const reason =
      error.code === "EADDRINUSE"
        ? taken
        : `(${variable}) cannot be used: ${error.message}`;
    throw new Error(`Port ${port} at ${ip} ${reason}`, { cause: error });
  });
  const chosen = (server.address() as AddressInfo).port;
  const release = async () => {
    if (port === 0) await remember(server, ip, chosen);
    server.close();
    await once(server, "close");
  };
  return { port: chosen, release };
}

/**
 * Makes the system keep the port for this program: a connection that our end closes first leaves the port
 * in TIME_WAIT, and the system then assigns it to no other process that asks for any free port (Temporal's
 * SDKs do the same).
 */
async function remember(server: Server, ip: string, port: number): Promise<void> {
  const accepted = once(server, "connection");
  const client = connect(port, ip === "0.0.0.0" || ip === "::" ? "localhost" : ip);
  const [socket] = (await accepted) as [Socket];
  const closed = once(client, "close");
  client.resume();
  socket.end();
  await closed;
}

/** Returns the host, as written in a URL, at which this machine reaches a server bound to `ip`. */
export function reachable(ip: string): string {
  if (ip === "0.0.0.0") return "127.0.0.1";
  if (ip === "::" || ip === "[::]") return "[::1]";
  return ip.includes(":") && !ip.startsWith("[") ? `[${ip}]` : ip;
}
