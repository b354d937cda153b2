import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { ConnectionLimits } from "../../api/http/connections.ts";
import { everyDoor, isInForm } from "../rigs/api/every-door.ts";
import { forkApi, LOGIN, sendRaw, startApi } from "../rigs/api/socket-fixture.ts";
import { createCa, readIssued } from "../rigs/servers/certificates.ts";

const MIB = 1024 ** 2;
const ca = createCa();
const issued = ca.issue("api");
afterAll(() => ca.remove());

const cleanups: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});
async function start(
  limits: Partial<ConnectionLimits> = {},
  serverOptions: { headersTimeout?: number } = {},
) {
  const api = await startApi({}, undefined, {
    limits: { lookMs: 50, ...limits },
    serverOptions,
    tls: readIssued(issued),
  });
  cleanups.push(() => api.close());
  return api;
}

/** Remembers what a connection hears, until it is closed. */
function watch<T extends Socket>(socket: T) {
  let heard = "";
  socket.setEncoding("latin1").on("data", (part: string) => (heard += part));
  socket.on("error", () => undefined);
  cleanups.push(() => void socket.destroy());
  const closed = new Promise<void>(
    (resolve) => void socket.once("close", () => resolve()),
  );
  return { socket, heard: () => heard, closed };
}
const open = (port: number) => watch(connect(port, "127.0.0.1"));
async function openTls(port: number, options: ConnectionOptions = {}) {
  const socket = connectTls({ port, host: "127.0.0.1", ca: ca.pem, ...options });
  await once(socket, "secureConnect");
  return watch(socket);
}

/** Returns the bytes with which a client of TLS begins. */
function greeting(): Promise<Buffer> {
  return new Promise((resolve) => {
    const write = (chunk: Buffer) => resolve(chunk);
    const wire = new Duplex({ read: () => undefined, write });
    connectTls({ socket: wire, ca: ca.pem });
  });
}

const GET = `GET /replication/api/cluster/list HTTP/1.1\r\nHost: x\r\nAuthorization: ${LOGIN}\r\n\r\n`;
const headOf = (method: string, path: string, headers: string[] = []) =>
  [
    `${method} ${path} HTTP/1.1`,
    "Host: x",
    "Content-Length: 1000",
    ...headers,
    "",
    "",
  ].join("\r\n");

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "a client of %s is answered, and what names this instance begins with https",
  async (version) => {
    const api = await start();
    const { socket, heard } = await openTls(api.port, {
      minVersion: version,
      maxVersion: version,
      ALPNProtocols: ["h2", "http/1.1"],
    });
    socket.write(`GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1:${api.port}\r\n\r\n`);
    await expect.poll(heard).toMatch(/^HTTP\/1.1 401 /);
    expect(heard()).toContain(`realm="https://127.0.0.1:${api.port}/v2/token"`);
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual([version, "http/1.1"]);
    expect(heard()).not.toMatch(/strict-transport-security/i);
  },
);

test("a client that knows TLS 1.1 at most gets no connection", async () => {
  const api = await start();
  const { closed, heard } = watch(
    connectTls({
      port: api.port,
      host: "127.0.0.1",
      ca: ca.pem,
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      ciphers: "DEFAULT@SECLEVEL=0",
    }),
  );
  await closed;
  expect(heard()).toBe("");
});

test("every door answers a request without TLS in its form, and does nothing", async () => {
  const api = await start();
  const doors = await everyDoor(api);
  expect(doors.length).toBeGreaterThan(100);
  for (const { method, path } of doors) {
    const door = `${method} ${path}`;
    const head = headOf(method, path.replaceAll(" ", "%20"), [`Authorization: ${LOGIN}`]);
    const { status, headers, body } = await sendRaw(api.port, head);
    expect([door, status]).toEqual([door, 400]);
    expect(headers).toMatch(/connection: close/i);
    if (method === "HEAD") continue;
    expect([door, isInForm(path, body)]).toEqual([door, true]);
    expect(body).toContain("this port speaks HTTPS only");
  }
  const { status } = await sendRaw(api.port, "what is this?\r\n\r\n");
  expect(status).toBe(400);
});

describe("a handshake", () => {
  const beginnings: [what: string, bytes: () => Promise<Buffer>][] = [
    ["nothing", async () => Buffer.alloc(0)],
    ["one byte", async () => (await greeting()).subarray(0, 1)],
    ["the beginning of a greeting", async () => (await greeting()).subarray(0, 40)],
    ["a greeting", greeting],
  ];
  test.each(beginnings)(
    "is given up after its time when a client sends %s and is silent",
    async (_, bytes) => {
      const api = await start({ handshakeMs: 2_000 });
      const [stranger, client] = [open(api.port), await openTls(api.port)];
      stranger.socket.write(await bytes());
      client.socket.write(GET);
      await stranger.closed;
      expect(stranger.heard()).not.toContain("HTTP");
      await expect.poll(client.heard).toMatch(/^HTTP\/1.1 200 /);
      expect(client.socket.destroyed).toBe(false);
    },
  );

  test("is refused at once when it announces a greeting of 128 KiB, or begins with another message", async () => {
    const api = await start({ handshakeMs: 600_000 });
    for (const beginning of ["160301020001020000", "160301020002000020"]) {
      const { socket, closed, heard } = open(api.port);
      socket.write(Buffer.from(beginning, "hex"));
      await closed;
      expect(heard()).toBe("");
    }
  });

  test("counts as a stranger: too many of one address cost the oldest, and no client", async () => {
    const api = await start({ strangersOfNetwork: 3, freshMs: 0 });
    const client = await openTls(api.port);
    client.socket.write(GET);
    await expect.poll(client.heard).toMatch(/^HTTP\/1.1 200 /);
    const strangers: ReturnType<typeof open>[] = [];
    for (let number = 0; number < 4; number += 1) {
      const stranger = open(api.port);
      await once(stranger.socket, "connect");
      stranger.socket.write(await greeting());
      await once(stranger.socket, "data");
      strangers.push(stranger);
    }
    await strangers[0]?.closed;
    expect(strangers.map(({ socket }) => socket.destroyed)).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(client.socket.destroyed).toBe(false);
  });
});

describe("within TLS", () => {
  test("headers that do not arrive are answered 408", async () => {
    const api = await start({}, { headersTimeout: 300 });
    const { socket, heard, closed } = await openTls(api.port);
    socket.write("GET /v2/ HTTP/1.1\r\nHost: x\r\n");
    await closed;
    expect(heard()).toMatch(/^HTTP\/1.1 408 /);
  });

  test("a stranger's body that does not arrive is answered 408", async () => {
    const api = await start({ strangerMs: 300 });
    const { socket, heard, closed } = await openTls(api.port);
    socket.write(headOf("POST", "/v2/token"));
    await closed;
    expect(heard()).toMatch(/^HTTP\/1.1 408 .*"errors":\[.*it did not end in time/s);
  });

  test("an admitted body that stops is answered 408, one that goes on is taken", async () => {
    const api = await start({ leastMs: 2_000, leastBytes: 10 });
    const [stops, goesOn] = [await openTls(api.port), await openTls(api.port)];
    const head = (path: string) => headOf("PUT", path, [`Authorization: ${LOGIN}`]);
    stops.socket.write(`${head("/generic/demo/files/stops")}{`);
    goesOn.socket.write(head("/generic/demo/files/slow"));
    for (let sent = 0; sent < 1_000; sent += 50) {
      goesOn.socket.write("x".repeat(50));
      await sleep(100);
    }
    await stops.closed;
    expect(stops.heard()).toMatch(/^HTTP\/1.1 408 .*the body came too slowly/s);
    await expect.poll(goesOn.heard).toMatch(/^HTTP\/1.1 200 /);
  });

  test("a stranger that is idle after its request is closed, an admitted client is not", async () => {
    const api = await start({ strangerIdleMs: 300 });
    const [stranger, client] = [await openTls(api.port), await openTls(api.port)];
    client.socket.write(GET);
    stranger.socket.write("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
    await stranger.closed;
    expect(stranger.heard()).toMatch(/^HTTP\/1.1 200 /);
    expect(client.heard()).toMatch(/^HTTP\/1.1 200 /);
    expect(client.socket.destroyed).toBe(false);
  });

  test("a request beyond the limit of connections is answered 503", async () => {
    const api = await start({ connections: 1 });
    const client = await openTls(api.port);
    client.socket.write(
      GET.replace(/^GET \S+/, "PUT /generic/demo/files/a").replace(
        "\r\n\r\n",
        "\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
      ),
    );
    await expect.poll(client.heard).toMatch(/^HTTP\/1.1 100 /);
    const stranger = await openTls(api.port);
    stranger.socket.write("GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
    await expect.poll(stranger.heard).toMatch(/^HTTP\/1.1 503 .*retry-after: 5/is);
  });
});

test.skipIf(process.platform !== "linux")(
  "1,000 handshakes that stand still take little memory, which is given back",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "strangers-"));
    const server = await forkApi(folder, [], [issued.certFile, issued.keyFile]);
    cleanups.push(
      () => rmSync(folder, { recursive: true, force: true }),
      () => server.kill(),
    );
    const rss = () =>
      Number(
        /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1],
      ) * 1024;
    const hello = await greeting();
    const attack = async () => {
      const strangers = Array.from({ length: 1_000 }, async (_, at) => {
        const localAddress = `127.0.0.${2 + (at % 4)}`;
        const { socket, closed } = watch(
          connect({ port: server.port, host: "127.0.0.1", localAddress }),
        );
        socket.write(hello);
        await closed;
      });
      await Promise.all(strangers);
    };
    await attack();
    const before = rss();
    for (let round = 0; round < 2; round += 1) await attack();
    const grown = (rss() - before) / MIB;
    console.log(`the memory of the server grew by ${Math.round(grown)} MiB`);
    expect(grown).toBeLessThan(64);
  },
);
