import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { ApiDeps } from "../../api/deps.ts";
import { createTrust } from "../../api/http/client.ts";
import type { ConnectionLimits } from "../../api/http/connections.ts";
import { everyDoor, isInForm } from "../rigs/api/every-door.ts";
import { forkApi, LOGIN, send, sendRaw, startApi } from "../rigs/api/socket-fixture.ts";

type Api = Awaited<ReturnType<typeof startApi>>;
const MIB = 1024 ** 2;
const LENGTH = 16 * MIB;

const cleanups: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});
async function start(
  limits: Partial<ConnectionLimits>,
  { hostname = "127.0.0.1", ...overrides }: Partial<ApiDeps> & { hostname?: string } = {},
): Promise<Api> {
  const api = await startApi(overrides, undefined, { limits, hostname });
  cleanups.push(() => api.close());
  return api;
}

const headOf = (method: string, path: string, headers: string[] = []) =>
  [
    `${method} ${path} HTTP/1.1`,
    "Host: localhost",
    `Content-Length: ${LENGTH}`,
    ...headers,
    "",
    "",
  ].join("\r\n");

/**
 * A connection from a loopback address that sends what it is told and remembers what it hears. `allowHalfOpen`: it does
 * not hang up when the server does.
 */
function open(
  port: number,
  { localAddress = "127.0.0.1", allowHalfOpen = false } = {},
): {
  socket: Socket;
  heard: () => string;
  closed: Promise<unknown>;
} {
  const socket = connect({ port, host: "127.0.0.1", localAddress, allowHalfOpen });
  let heard = "";
  socket.setEncoding("utf8").on("data", (part: string) => (heard += part));
  socket.on("error", () => undefined);
  cleanups.push(() => void socket.destroy());
  const closed = new Promise<void>(
    (resolve) => void socket.once("close", () => resolve()),
  );
  return { socket, heard: () => heard, closed };
}

test("every door answers a stranger before anything of a body is sent", async () => {
  const api = await start({});
  const doors = (await everyDoor(api)).filter(
    ({ method }) => !["GET", "HEAD"].includes(method),
  );
  expect(doors.length).toBeGreaterThan(60);
  for (const { method, path } of doors) {
    const door = `${method} ${path}`;
    const head = headOf(method, path.replaceAll(" ", "%20"), ["Connection: close"]);
    const { status, body } = await sendRaw(api.port, head);
    expect([door, status >= 400 && status < 500]).toEqual([door, true]);
    expect([
      door,
      isInForm(path, body.replace(/^[0-9a-f]+\r\n|\r\n0\r\n$/g, "")),
    ]).toEqual([door, true]);
  }
});

test.skipIf(process.platform !== "linux")(
  "40 strangers who send 16 MiB each to every door take no memory",
  { timeout: 120_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "strangers-"));
    const server = await forkApi(folder);
    cleanups.push(
      () => rmSync(folder, { recursive: true, force: true }),
      () => server.kill(),
    );
    const rss = () =>
      Number(
        /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1],
      ) * 1024;
    const attack = async (path: string, seconds: number) => {
      const sending = Array.from({ length: 40 }, async () => {
        const { socket, closed } = open(server.port);
        socket.write(headOf("PUT", path));
        for (let sent = 0; sent < LENGTH && !socket.destroyed; sent += MIB)
          if (!socket.write(Buffer.alloc(MIB)))
            await Promise.race([once(socket, "drain").catch(() => null), closed]);
        await Promise.race([closed, sleep(seconds * 1000)]);
      });
      await Promise.all(sending);
    };
    await attack("/internal/v1/reports", 5);
    const before = rss();
    for (const path of [
      "/internal/v1/reports",
      "/replication/sync/v1/versions/demo/files",
      "/npm/demo/files/x",
      "/v2/demo/files/app/manifests/1",
      "/maven/demo/files/a/b/1/b-1.pom",
      "/generic/demo/files/a",
      "/replication/api/task/create",
    ])
      await attack(path, 5);
    const grown = (rss() - before) / MIB;
    console.log(`the memory of the server grew by ${Math.round(grown)} MiB`);
    expect(grown).toBeLessThan(64);
  },
);

describe("deadlines", () => {
  test("headers that do not arrive are answered 408", async () => {
    const api = await startApi({}, undefined, { serverOptions: { headersTimeout: 300 } });
    cleanups.push(() => api.close());
    const { socket, heard, closed } = open(api.port);
    socket.write("GET /v2/ HTTP/1.1\r\nHost: x\r\n");
    await closed;
    expect(heard()).toMatch(/^HTTP\/1.1 408 /);
  });

  test("a login in a body that does not arrive is answered 408 in the form of its protocol", async () => {
    const api = await start({ strangerMs: 300, lookMs: 50 });
    const { socket, heard, closed } = open(api.port);
    socket.write(headOf("POST", "/v2/token").replace(String(LENGTH), "100"));
    await closed;
    expect(heard()).toMatch(/^HTTP\/1.1 408 .*"errors":\[.*it did not end in time/s);
  });

  test.each([
    ["PUT", "/generic/demo/files/a", /"code":250106/],
    ["PUT", "/npm/demo/files/x", /"reason":"request_timeout"/],
    ["PUT", "/maven/demo/files/a/b/1/b-1.pom", /the body came too slowly/],
    ["PUT", "/v2/demo/files/app/manifests/1", /"errors":\[/],
    ["POST", "/repository/api/project/create", /"code":250106/],
  ])("an admitted body that stops is answered 408: %s %s", async (method, path, form) => {
    const api = await start({ leastMs: 300, lookMs: 50 });
    for (const [name, type] of [
      ["npm", "NPM"],
      ["maven", "MAVEN"],
      ["images", "DOCKER"],
    ])
      await api.call("POST", "/repository/api/repo/create", {
        body: { projectId: "demo", name, type },
      });
    const at = path
      .replace("/npm/demo/files", "/npm/demo/npm")
      .replace("/maven/demo/files", "/maven/demo/maven")
      .replace("/v2/demo/files", "/v2/demo/images");
    const { socket, heard, closed } = open(api.port);
    const length = String(1000);
    socket.write(
      headOf(method, at, [
        `Authorization: ${LOGIN}`,
        path.startsWith("/v2/")
          ? "Content-Type: application/vnd.oci.image.manifest.v1+json"
          : "Content-Type: application/json",
      ]).replace(String(LENGTH), length),
    );
    socket.write("{");
    await closed;
    expect(heard()).toMatch(/^HTTP\/1.1 408 /);
    expect(heard()).toMatch(form);
    expect(heard()).toContain("the body came too slowly");
  });

  test("an upload that is slow for long, but brings its bytes, is taken", async () => {
    const api = await start({
      leastMs: 2_000,
      leastBytes: 10,
      lookMs: 50,
      strangerMs: 1,
    });
    async function* drip() {
      for (let piece = 0; piece < 50; piece += 1) {
        await sleep(100);
        yield Buffer.alloc(20, "x");
      }
    }
    const answer = await send(api.port, "PUT", "/generic/demo/files/slow", {}, drip());
    expect(answer.status).toBe(200);
  });

  test("a stranger that is idle after its request is closed, an admitted client is not", async () => {
    const api = await start({ strangerIdleMs: 300, lookMs: 50 });
    const [stranger, client] = [open(api.port), open(api.port)];
    client.socket.write(
      `GET /replication/api/cluster/list HTTP/1.1\r\nHost: x\r\nAuthorization: ${LOGIN}\r\n\r\n`,
    );
    stranger.socket.write("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
    await stranger.closed;
    expect(stranger.heard()).toMatch(/^HTTP\/1.1 200 /);
    expect(client.heard()).toMatch(/^HTTP\/1.1 200 /);
    expect(client.socket.destroyed).toBe(false);
  });
});

describe("caps", () => {
  const GET = `GET /replication/api/cluster/list HTTP/1.1\r\nHost: x\r\nAuthorization: ${LOGIN}\r\n\r\n`;

  /** An upload under way: its last byte is missing. */
  const UPLOAD =
    `PUT /generic/demo/files/a HTTP/1.1\r\nHost: x\r\nAuthorization: ${LOGIN}\r\nContent-Length: 1\r\n`.concat(
      "Expect: 100-continue\r\n\r\n",
    );

  test("too many strangers of one address cost the one that has been there longest, and no client", async () => {
    const api = await start({ strangersOfNetwork: 3, freshMs: 0 });
    const client = open(api.port);
    client.socket.write(GET);
    await expect.poll(client.heard).toMatch(/^HTTP\/1.1 200 /);
    const strangers: ReturnType<typeof open>[] = [];
    for (let number = 0; number < 4; number += 1) {
      const stranger = open(api.port);
      await once(stranger.socket, "connect");
      strangers.push(stranger);
    }
    await strangers[0]?.closed;
    expect(strangers[0]?.heard()).toMatch(/^HTTP\/1.1 503 .*retry-after: 5/is);
    expect(strangers.slice(1).map(({ socket }) => socket.destroyed)).toEqual([
      false,
      false,
      false,
    ]);
    expect(client.socket.destroyed).toBe(false);
  });

  /** Opens connections from an address, one after the other, on which nothing is asked. */
  async function idle(
    port: number,
    localAddress: string,
    count: number,
    allowHalfOpen = false,
  ) {
    const opened: ReturnType<typeof open>[] = [];
    for (let number = 0; number < count; number += 1) {
      const one = open(port, { localAddress, allowHalfOpen });
      await once(one.socket, "connect");
      opened.push(one);
    }
    return opened;
  }
  const left = (opened: ReturnType<typeof open>[]) =>
    opened.filter(({ socket }) => !socket.destroyed).length;

  // Other systems have only one IPv4 address of their own.
  describe.skipIf(process.platform !== "linux")("of several addresses", () => {
    test("an address that opens many connections pushes out its own, also beyond the limit of all", async () => {
      const api = await start({ strangers: 8, freshMs: 60_000 });
      const few = await idle(api.port, "127.0.0.2", 2);
      const many = await idle(api.port, "127.0.0.3", 20);
      await expect.poll(() => left(many)).toBe(6);
      expect(left(few)).toBe(2);
    });

    test("newcomers come in while hundreds that are to be closed do not hang up", async () => {
      const api = await start({ strangers: 10, connections: 20 });
      await idle(api.port, "127.0.0.3", 600, true);
      const client = open(api.port, { localAddress: "127.0.0.2" });
      client.socket.write(GET);
      await expect.poll(client.heard).toMatch(/^HTTP\/1.1 200 /);
    });

    test("on a listener of both families IPv4 addresses are told apart, and proxies are known", async () => {
      const isTrustedProxy = createTrust(["127.0.0.4/32"]);
      const limits = { strangersOfNetwork: 3, freshMs: 0 };
      const api = await start(limits, { hostname: "::", isTrustedProxy });
      const each = await Promise.all(
        ["127.0.0.2", "127.0.0.3", "127.0.0.4"].map((one) => idle(api.port, one, 5)),
      );
      await expect.poll(() => each.map(left)).toEqual([3, 3, 5]);
    });
  });

  test("a client that does not wait for its answers loses its connection when it has asked too often", async () => {
    const api = await start({ pipelined: 4 });
    const stranger = open(api.port);
    const READ = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    stranger.socket.write(READ.repeat(1_500));
    await stranger.closed;
    expect(stranger.heard().split("HTTP/1.1 200").length).toBeLessThanOrEqual(5);
    const client = open(api.port);
    client.socket.write(GET.repeat(4));
    await expect.poll(() => client.heard().split("HTTP/1.1 200").length).toBe(5);
    client.socket.write(GET);
    await expect.poll(() => client.heard().split("HTTP/1.1 200").length).toBe(6);
  });

  test("the documentation is refused to whoever asks while 50 have not got their answers", async () => {
    const api = await start({ pipelined: 64 });
    const stranger = open(api.port);
    stranger.socket.write("GET /docs HTTP/1.1\r\nHost: x\r\n\r\n".repeat(64));
    const answers = (status: string) =>
      stranger.heard().split(`HTTP/1.1 ${status}`).length - 1;
    await expect.poll(() => [answers("200"), answers("503")]).toEqual([50, 14]);
    expect(stranger.heard()).toMatch(/^retry-after: 5/im);
    expect((await fetch(`${api.url}/docs`)).status).toBe(200);
  });

  test("connections beyond the limit are answered 503 in the form of their protocol, with Retry-After", async () => {
    const api = await start({ connections: 1 });
    const client = open(api.port);
    client.socket.write(UPLOAD);
    await expect.poll(client.heard).toMatch(/^HTTP\/1.1 100 /);
    for (const path of ["/v2/", "/npm/demo/files/x", "/maven/demo/files/a", "/docs"]) {
      const answer = await sendRaw(api.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect([path, answer.status]).toEqual([path, 503]);
      expect(answer.headers).toMatch(/retry-after: 5/i);
      expect(answer.body).toContain("too many connections");
    }
    client.socket.write("a");
    await expect.poll(client.heard).toMatch(/HTTP\/1.1 200 /);
  });

  test("a client's connection that is idle makes room for another one beyond the limit", async () => {
    const api = await start({ connections: 2 });
    const clients: ReturnType<typeof open>[] = [];
    for (let number = 0; number < 6; number += 1) {
      const client = open(api.port);
      client.socket.write(GET);
      await expect.poll(client.heard).toMatch(/^HTTP\/1.1 200 /);
      clients.push(client);
    }
    await expect.poll(() => left(clients)).toBe(2);
  });
});
