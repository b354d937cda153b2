import { fork } from "node:child_process";
import {
  request,
  type IncomingHttpHeaders,
  type Server,
  type ServerOptions,
} from "node:http";
import { connect, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { ApiDeps } from "../../../api/deps.ts";
import type { ConnectionLimits } from "../../../api/http/connections.ts";
import { listen } from "../../../api/http/listen.ts";
import { createTlsFront, type Credentials } from "../../../api/http/tls-front.ts";
import { ADMIN, basic, createTestApi } from "./api-fixture.ts";
import { watchStatuses } from "./documented-statuses.ts";

export const LOGIN = basic(`${ADMIN.username}:${ADMIN.password}`);

/** Starts the API on a real socket, with a GENERIC repository demo/files; by HTTPS if `tls` is given. */
export async function startApi(
  overrides: Partial<ApiDeps> = {},
  directory?: string,
  {
    limits = {},
    serverOptions = {},
    tls = null,
    hostname = "127.0.0.1",
    ...options
  }: {
    tls?: Credentials | null;
    hostname?: string;
    diskReserve?: number;
    limits?: Partial<ConnectionLimits>;
    serverOptions?: ServerOptions;
  } = {},
) {
  const api = createTestApi(overrides, directory, options);
  const watched = watchStatuses(api.app.fetch);
  const server = await new Promise<Server>((resolve) => {
    const started = listen(
      watched.fetch,
      {
        hostname,
        isTrusted: api.deps.isTrustedProxy,
        port: 0,
        serverOptions: {
          keepAliveTimeout: 75_000,
          connectionsCheckingInterval: 100,
          ...serverOptions,
        },
        limits,
        tls: tls && createTlsFront(tls),
      },
      () => resolve(started),
    );
  });
  const { port } = server.address() as AddressInfo;
  await api.call("POST", "/repository/api/project/create", {
    body: { name: "demo", displayName: "Demo" },
  });
  await api.call("POST", "/repository/api/repo/create", {
    body: { projectId: "demo", name: "files", type: "GENERIC" },
  });
  async function close(): Promise<void> {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    api.close();
    watched.check();
  }
  const url = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
  return { ...api, port, url, close };
}

type Raw = { status: number; headers: string; body: string };

/** Sends raw bytes to the port and reads until the server closes the connection. */
export function sendRaw(port: number, bytes: string | Buffer): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.on("error", reject);
    socket.on("close", () => {
      const [headers = "", body = ""] = Buffer.concat(parts)
        .toString("utf8")
        .split("\r\n\r\n", 2);
      resolve({ status: Number(headers.split(" ")[1]), headers, body });
    });
  });
}

/** Sends a request whose path is not encoded or normalised. */
export function rawRequest(
  port: number,
  method: string,
  path: string,
  body = "",
): Promise<Raw> {
  const head = [
    `${method} ${path} HTTP/1.1`,
    "Host: localhost",
    `Authorization: ${LOGIN}`,
    "Connection: close",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return sendRaw(port, Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`, "utf8"));
}

type SocketAnswer = {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  json: { code: number; message: string | null; data: Record<string, unknown> | null };
};

/** Sends a request whose body comes in pieces; the caller may delay them. */
export function send(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string | number> = {},
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array> = [],
): Promise<SocketAnswer> {
  return new Promise((resolve, reject) => {
    const req = request(
      {
        host: "127.0.0.1",
        port,
        method,
        path,
        headers: { authorization: LOGIN, ...headers },
        agent: false,
      },
      (res) => {
        const parts: Buffer[] = [];
        res.on("data", (part: Buffer) => parts.push(part));
        res.on("error", reject);
        res.on("end", () => {
          const body = Buffer.concat(parts);
          const json =
            body.length > 0 && res.headers["content-type"]?.startsWith("application/json")
              ? JSON.parse(body.toString("utf8"))
              : {};
          resolve({ status: res.statusCode ?? 0, headers: res.headers, body, json });
        });
      },
    );
    req.on("error", reject);
    void write(req, pieces);
  });
}

async function write(
  req: ReturnType<typeof request>,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  for await (const piece of pieces) {
    if (req.destroyed) return;
    if (!req.write(piece)) await drained(req);
  }
  req.end();
}

function drained(req: ReturnType<typeof request>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      req.off("drain", done).off("close", done);
      resolve();
    };
    req.on("drain", done).on("close", done);
  });
}

const PROGRAM = fileURLToPath(new URL("./content-server.ts", import.meta.url));

/**
 * Starts the API over `directory` in its own process, which can be killed and started again; `flags` are Node's, `tls`:
 * the files of its certificate and its key.
 */
export async function forkApi(
  directory: string,
  flags: string[] = [],
  tls: readonly string[] = [],
) {
  const child = fork(PROGRAM, [directory, ...tls], {
    execArgv: ["--import", "tsx", ...flags],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const exited = new Promise<void>((resolve) => void child.once("exit", () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    child.once("message", (message) => resolve(Number(message)));
    child.once("exit", (code) =>
      reject(new Error(`the content server ended with ${code}`)),
    );
  });
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  return { port, pid: child.pid ?? 0, kill };
}
