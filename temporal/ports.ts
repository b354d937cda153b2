import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";

export type WantedPort = { port: number; variable: string };

/** The ports as wanted, where 0 = any free one; rejects with the variable's name when one is taken. */
export async function choosePorts(ip: string, wanted: readonly WantedPort[]): Promise<number[]> {
  const held = await Promise.all(wanted.map((one) => hold(ip, one)));
  await Promise.all(held.map((one) => one.release()));
  return held.map((one) => one.port);
}

async function hold(ip: string, { port, variable }: WantedPort) {
  const server = createServer();
  server.listen(port, ip);
  await once(server, "listening").catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === "EADDRINUSE" ? "is in use" : `cannot be used (${error.code})`;
    throw new Error(`Port ${port} at ${ip} ${reason}; give another in ${variable} (0 = any free one)`, { cause: error });
  });
  const chosen = (server.address() as AddressInfo).port;
  const release = async () => {
    if (port === 0) await remember(server, ip, chosen);
    server.close();
    await once(server, "close");
  };
  return { port: chosen, release };
}

/** A connection that our end closes first leaves the port in TIME_WAIT: the system then gives it to nobody else who asks for any port (Temporal's SDKs do the same). */
async function remember(server: ReturnType<typeof createServer>, ip: string, port: number): Promise<void> {
  const accepted = once(server, "connection");
  const client = connect(port, ip === "0.0.0.0" ? "127.0.0.1" : ip);
  const [socket] = (await accepted) as [import("node:net").Socket];
  const closed = once(client, "close");
  client.resume();
  socket.end();
  await closed;
}
