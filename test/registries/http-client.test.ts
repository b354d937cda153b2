import { createServer, type RequestListener, type Server } from "node:http";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { createHttpClient, type HttpOptions } from "../../activities/registries/http.ts";
import type { HttpRequest } from "../../activities/registries/http-message.ts";
import { retryAfterTime } from "../../activities/registries/http-failure.ts";

const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close().closeAllConnections()));

async function serve(listener: RequestListener, host = "127.0.0.1"): Promise<string> {
  const server = createServer(listener).listen(0, host);
  servers.push(server);
  await once(server, "listening");
  const address = server.address();
  return `http://${host}:${typeof address === "object" ? address?.port : 0}`;
}

async function ask(
  url: string,
  request: Partial<HttpRequest> = {},
  options: HttpOptions = {},
): Promise<{ status: number; text: string; url: string }> {
  const client = createHttpClient({ connectTimeoutMs: 2_000, ...options });
  try {
    const response = await client.request({ method: "GET", url: new URL(url), what: "the thing", ...request });
    return { status: response.status, url: response.url.href, text: (await response.bytes(1_000_000)).toString() };
  } finally {
    await client.close();
  }
}

async function* streamOf(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

describe("link-local and metadata addresses", () => {
  test.each([
    "http://169.254.169.254/latest/meta-data",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://0xA9FEA9FE/",
    "http://2852039166/",
    "http://169.254.43518/",
    "http://100.100.100.200/",
  ])("are refused: %s", async (url) => {
    await expect(ask(url)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("link-local or metadata address"),
    });
  });

  test("are refused as the target of a redirect, too", async () => {
    const url = await serve((_request, response) =>
      response.writeHead(302, { location: "http://169.254.169.254/keys" }).end(),
    );
    await expect(ask(url)).rejects.toMatchObject({ message: expect.stringContaining("ALLOWED_ADDRESSES") });
  });

  test("are connected to where the configuration allows it", async () => {
    const options = { allowedAddresses: ["169.254.0.0/16"], connectTimeoutMs: 200 };
    await expect(ask("http://169.254.1.1:9/", {}, options)).rejects.not.toMatchObject({ kind: "invalid" });
  });
});

describe("a connection", () => {
  const SIZE = 64 * 1024;
  test.each([
    ["HEAD", async (read: () => Promise<void>) => read()],
    ["GET", async (read: () => Promise<void>, stop: () => void) => read().then(stop)],
  ] as const)(
    "serves one %s after the other, also where the answer is long and what waited for it is given up then",
    async (method, use) => {
      const url = new URL(
        await serve((request, response) =>
          response
            .writeHead(200, { "content-length": SIZE })
            .end(request.method === "HEAD" ? undefined : Buffer.alloc(SIZE)),
        ),
      );
      const sockets = new Set();
      servers.at(-1)?.on("connection", (socket) => sockets.add(socket));
      const client = createHttpClient();
      for (let at = 0; at < 10; at += 1) {
        const waiting = new AbortController();
        const read = async () => {
          const response = await client.request({ method, url, what: "the thing", signal: waiting.signal });
          await (method === "HEAD" ? response.discard() : response.bytes(SIZE));
        };
        await use(read, () => waiting.abort());
      }
      await client.close();
      // undici lets a connection rest for one turn of the event loop, in which the pool may open a second.
      expect(sockets.size).toBeLessThanOrEqual(2);
    },
  );
});

describe("redirects", () => {
  test("are followed, with credentials only within the origin", async () => {
    const seen: string[] = [];
    const other = await serve((request, response) => {
      seen.push(
        `other ${request.headers.authorization ?? "-"} ${request.headers.cookie ?? "-"} ${request.headers["x-plain"]}`,
      );
      response.end("done");
    }, "localhost");
    const first = await serve((request, response) => {
      seen.push(`first ${request.headers.authorization ?? "-"}`);
      const location = request.url === "/start" ? "/next" : `${other}/end?signature=secret`;
      response.writeHead(307, { location }).end();
    });
    const headers = { authorization: "Basic c2VjcmV0", cookie: "a=b", "x-plain": "kept" };
    const answer = await ask(`${first}/start`, { headers });
    expect(answer.text).toBe("done");
    expect(seen).toEqual(["first Basic c2VjcmV0", "first Basic c2VjcmV0", "other - - kept"]);
  });

  test("end after five, and lead nowhere but to http and https", async () => {
    const url = await serve((_request, response) => response.writeHead(302, { location: "/again" }).end());
    await expect(ask(url)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("more than 5 times"),
    });
    const file = await serve((_request, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end());
    await expect(ask(file)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("answered 302"),
    });
  });

  test("carry a body on only where it can be sent again", async () => {
    const bodies: string[] = [];
    const url = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        bodies.push(`${request.method} ${Buffer.concat(chunks).toString()}`);
        response.writeHead(request.url === "/a" ? 308 : 200, { location: "/b" }).end();
      });
    });
    await ask(`${url}/a`, { method: "PUT", body: "bytes" });
    expect(bodies).toEqual(["PUT bytes", "PUT bytes"]);
    await expect(ask(`${url}/a`, { method: "PUT", body: streamOf("gone") })).rejects.toMatchObject({ kind: "invalid" });
  });
});

describe("an error", () => {
  test.each([
    [401, "auth", false],
    [403, "auth", false],
    [404, "notFound", false],
    [408, "timeout", true],
    [409, "invalid", false],
    [413, "tooLarge", false],
    [429, "throttled", true],
    [500, "server", true],
    [501, "unsupported", false],
    [503, "server", true],
    [507, "noSpace", false],
  ] as const)("of status %i has the verdict %s", async (status, kind, retryable) => {
    const url = await serve((_request, response) => response.writeHead(status).end("why"));
    await expect(ask(url)).rejects.toMatchObject({
      kind,
      retryable,
      message: expect.stringMatching(new RegExp(`^the thing: http://.* answered ${status} \\(why\\)`)),
    });
  });

  test("shows one short line of the body, no query and no secret", async () => {
    const url = await serve((request, response) =>
      response.writeHead(400).end(`bad\n\tlogin ${request.headers.authorization} ${"x".repeat(100_000)}`),
    );
    const failure = ask(
      `${url}/path?token=hidden`,
      { headers: { authorization: "Basic aGlkZGVu" } },
      { secrets: ["aGlkZGVu"] },
    );
    await expect(failure).rejects.toMatchObject({
      message: expect.stringContaining("/path answered 400 (bad login Basic *** xxx"),
    });
    const message = await failure.then(
      () => "",
      (error: Error) => error.message,
    );
    expect(message.length).toBeLessThan(500);
    expect(message).not.toMatch(/hidden|aGlkZGVu/);
  });

  test("of silence comes after the idle time, in the headers and in the middle of a body", async () => {
    const silent = await serve(() => undefined);
    await expect(ask(silent, {}, { idleTimeoutMs: 1_000 })).rejects.toMatchObject({
      kind: "timeout",
      message: expect.stringContaining("was silent"),
    });
    const half = await serve(
      (_request, response) => void response.writeHead(200, { "content-length": "100" }).write("half"),
    );
    await expect(ask(half, {}, { idleTimeoutMs: 1_000 })).rejects.toMatchObject({ kind: "timeout" });
  });

  test("of the network says what to look at", async () => {
    await expect(ask("http://127.0.0.1:9/")).rejects.toMatchObject({
      kind: "unreachable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    await expect(ask("http://no-such-host.invalid/")).rejects.toMatchObject({
      kind: "unreachable",
      message: expect.stringContaining("cannot be resolved"),
    });
    const plain = await serve((_request, response) => response.end());
    await expect(ask(plain.replace("http:", "https:"))).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("does not answer in TLS"),
    });
  });

  test("of a stopped request is a cancellation", async () => {
    const silent = await serve(() => undefined);
    await expect(ask(silent, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ kind: "cancelled" });
  });

  test("of a body longer than was wanted ends the reading", async () => {
    const url = await serve((_request, response) => response.end("x".repeat(2_000_000)));
    await expect(ask(url)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("more than 1000000 bytes"),
    });
  });
});

test("Retry-After is read as seconds or as a date, and is at most ten minutes away", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  expect(retryAfterTime("30", now)).toBe(now + 30_000);
  expect(retryAfterTime("Thu, 01 Jan 2026 00:01:00 GMT", now)).toBe(now + 60_000);
  expect(retryAfterTime("86400", now)).toBe(now + 600_000);
  expect(
    ["0", "soon", "-5", "Wed, 31 Dec 2025 00:00:00 GMT", undefined].map((value) => retryAfterTime(value, now)),
  ).toEqual(Array(5).fill(undefined));
});

describe("a proxy", () => {
  test("carries https requests, but none to hosts that are exempt, and refuses literal metadata addresses all the same", async () => {
    const tunnels: string[] = [];
    const proxy = createServer().listen(0, "127.0.0.1");
    servers.push(proxy);
    proxy.on("connect", (request, socket) => {
      tunnels.push(request.url ?? "");
      socket.end("HTTP/1.1 502 no way\r\n\r\n");
    });
    await once(proxy, "listening");
    const address = proxy.address();
    const options = {
      proxy: { url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`, noProxy: "127.0.0.1" },
    };
    await expect(ask("https://registry.example/", {}, options)).rejects.toMatchObject({ kind: "unreachable" });
    await expect(ask("https://169.254.169.254/", {}, options)).rejects.toMatchObject({ kind: "invalid" });
    const direct = await serve((_request, response) => response.end("direct"));
    expect((await ask(direct, {}, options)).text).toBe("direct");
    expect(tunnels).toEqual(["registry.example:443"]);
  });
});

test("a streamed body is let go of when its request cannot be sent", async () => {
  const closed = await serve(() => undefined);
  servers.pop()?.close();
  let isOpen = true;
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield Buffer.from("piece");
    } finally {
      isOpen = false;
    }
  }
  await expect(ask(closed, { method: "PUT", body: body() })).rejects.toMatchObject({ kind: "unreachable" });
  await expect.poll(() => isOpen).toBe(false);
});

test("a request whose body has not begun ends with its signal", async () => {
  const url = await serve((_request, response) => response.end());
  const stop = new AbortController();
  async function* body(): AsyncGenerator<Uint8Array> {
    setImmediate(() => stop.abort());
    await new Promise(() => undefined);
    yield Buffer.from("never");
  }
  await expect(ask(url, { method: "PUT", body: body(), signal: stop.signal })).rejects.toMatchObject({
    kind: "cancelled",
  });
});
