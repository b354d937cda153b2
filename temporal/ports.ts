import { once } from "node:events";
import {
  connect,
  createServer,
  type AddressInfo,
  type Server,
  type Socket,
} from "node:net";
import { StartError } from "../domain/start-error.ts";

/** A port to listen at, the variable that sets it, and the one that sets its address. */
export type WantedPort = {
  ip: string;
  port: number;
  variable: string;
  ipVariable: string;
};

/**
 * Returns the wanted ports, with any free one for each 0; rejects with a StartError that names all ports that
 * cannot be had, and their variables.
 */
export async function choosePorts(wanted: readonly WantedPort[]): Promise<number[]> {
  const held = await Promise.all(wanted.map(hold));
  await Promise.all(held.map((one) => one.release()));
  const problems = held.flatMap(({ wanted, error }) =>
    error ? [{ wanted, error }] : [],
  );
  if (problems.length > 0) throw new StartError(sentenceOf(problems));
  return held.map(({ port }) => port);
}

type Problem = { wanted: WantedPort; error: NodeJS.ErrnoException };

async function hold(wanted: WantedPort) {
  const { ip, port } = wanted;
  const server = createServer();
  server.listen(port, ip);
  const error = await once(server, "listening").then(
    () => null,
    (reason: NodeJS.ErrnoException) => reason,
  );
  if (error !== null) return { wanted, error, port, release: async () => undefined };
  const chosen = (server.address() as AddressInfo).port;
  const release = async () => {
    if (port === 0) await remember(server, ip, chosen);
    server.close();
    await once(server, "close");
  };
  return { wanted, error, port: chosen, release };
}

function sentenceOf(problems: readonly Problem[]): string {
  const isTaken = ({ error }: Problem) => error.code === "EADDRINUSE";
  const taken = problems.filter(isTaken).map(({ wanted }) => wanted);
  const others = problems.filter((one) => !isTaken(one)).map(unusable);
  return [...(taken.length > 0 ? [inUse(taken)] : []), ...new Set(others)].join("\n");
}

function inUse(taken: readonly WantedPort[]): string {
  const named = taken.map(
    ({ ip, port, variable }) => `port ${port} at ${ip} (${variable})`,
  );
  const free = taken.map(({ variable }) => `${variable}=0`).join(" ");
  const [them, ones] = taken.length === 1 ? ["it", "one"] : ["them", "ones"];
  const server = taken.find(({ variable }) => variable === "TEMPORAL_PORT");
  const share = server && `TEMPORAL_ADDRESS=${reachable(server.ip)}:${server.port}`;
  return [
    `In use: ${named.join(", ")}; end what uses ${them}, `,
    `or set ${free} for any free ${ones}`,
    ...(share ? [`, or ${share} to share a Temporal that runs there`] : []),
  ].join("");
}

function unusable({ wanted, error }: Problem): string {
  const { ip, port, variable, ipVariable } = wanted;
  switch (error.code) {
    case "EACCES":
      return `Port ${port} at ${ip} (${variable}) is not allowed for this user; set ${variable} to 1024 or more`;
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
      return `${ipVariable} ${ip} is not an address of this machine; set it to one, or to 0.0.0.0 for all of them`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${ipVariable} ${ip} cannot be resolved; set it to an address of this machine, or to 0.0.0.0 for all`;
    default:
      return `Port ${port} at ${ip} cannot be used: ${error.message}; set another ${ipVariable} or ${variable}`;
  }
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
