import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { createHttpClient } from "../../activities/registries/http.ts";
import { ask, closeServers, serve, servers } from "./http-rig.ts";

afterEach(closeServers);

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
    "http://[fd00:ec2::23]/",
    "http://[fd20:ce::254]/",
    // Forms that lead to 169.254.169.254: NAT64, its local prefix in each length, 6to4, compatible, Teredo, ISATAP,
    // translated.
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[64:ff9b:1:a9fe:a9:fe00::]/",
    "http://[64:ff9b:1:a9:fe:a9fe::]/",
    "http://[64:ff9b:1:0:a9:fea9:fe00:0]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[::169.254.169.254]/",
    "http://[2001:0:1:2:3:4:5601:5601]/",
    "http://[2001:db8::5efe:169.254.169.254]/",
    "http://[2001:db8::200:5efe:a9fe:a9fe]/",
    "http://[::ffff:0:a9fe:a9fe]/",
    "http://[::ffff:0:169.254.169.254]/",
    "http://[64:ff9b::6464:64c8]/",
  ])("a request to the link-local or metadata address %s is refused", async (url) => {
    await expect(ask(url)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("link-local or metadata address"),
    });
  });

  test("a redirect to a link-local or metadata address is refused", async () => {
    const url = await serve((_request, response) =>
      response.writeHead(302, { location: "http://169.254.169.254/keys" }).end(),
    );
    await expect(ask(url)).rejects.toMatchObject({
      message: expect.stringContaining("ALLOWED_ADDRESSES"),
    });
  });

  test("ALLOWED_ADDRESSES allows link-local and metadata addresses", async () => {
    const options = { allowedAddresses: ["169.254.0.0/16"], connectTimeoutMs: 200 };
    await expect(ask("http://169.254.1.1:9/", {}, options)).rejects.not.toMatchObject({
      kind: "invalid",
    });
  });
});

describe("an end at a public address", () => {
  const home = { home: "203.0.113.7" };

  test.each([
    "127.0.0.1",
    "10.1.2.3",
    "192.168.0.1",
    "100.64.0.1",
    "[::1]",
    "[fd12::1]",
    "[fec0::1]",
    "[feff::1]",
    "[::ffff:0:7f00:1]",
    "[2001:db8::200:5efe:127.0.0.1]",
  ])("leads nobody to the private address %s", async (host) => {
    await expect(ask(`http://${host}:9/`, {}, home)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringMatching(/is a private address.*ALLOWED_ADDRESSES/),
    });
  });

  test("leads nobody to a host name of a private address", async () => {
    await expect(ask("http://localhost:9/", {}, home)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringMatching(/is a private address.*ALLOWED_ADDRESSES/),
    });
  });

  test("leads to those that ALLOWED_ADDRESSES names", async () => {
    const url = await serve((_request, response) => response.end("there"));
    const options = { ...home, allowedAddresses: ["127.0.0.0/8"] };
    expect(await ask(url, {}, options)).toMatchObject({ text: "there" });
  });
});

test("an end at a private address may lead to another private one", async () => {
  const there = await serve((_request, response) => response.end("there"));
  const url = await serve((_request, response) =>
    response.writeHead(302, { location: there }).end(),
  );
  expect(await ask(url, {}, { home: "127.0.0.1" })).toMatchObject({ text: "there" });
});

describe("HTTP connections", () => {
  const SIZE = 64 * 1024;
  test.each([
    ["HEAD", async (read: () => Promise<void>) => read()],
    ["GET", async (read: () => Promise<void>, stop: () => void) => read().then(stop)],
  ] as const)(
    "connections are reused for one %s after the other, even if answers are long or signals fire later",
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
          const response = await client.request({
            method,
            url,
            what: "the thing",
            signal: waiting.signal,
          });
          await (method === "HEAD" ? response.discard() : response.bytes(SIZE));
        };
        await use(read, () => waiting.abort());
      }
      await client.close();
      // After an answer undici keeps a connection idle for one turn of the event loop, in which it may
      // open a second one.
      expect(sockets.size).toBeLessThanOrEqual(2);
    },
  );
});

describe("HTTP redirects", () => {
  test("redirects are followed, and credentials are sent only within the same origin", async () => {
    const seen: string[] = [];
    const other = await serve((request, response) => {
      seen.push(
        `other ${request.headers.authorization ?? "-"} ${request.headers.cookie ?? "-"} ${request.headers["x-plain"]}`,
      );
      response.end("done");
    }, "localhost");
    const first = await serve((request, response) => {
      seen.push(`first ${request.headers.authorization ?? "-"}`);
      const location =
        request.url === "/start" ? "/next" : `${other}/end?signature=secret`;
      response.writeHead(307, { location }).end();
    });
    const headers = { authorization: "Basic c2VjcmV0", cookie: "a=b", "x-plain": "kept" };
    const answer = await ask(`${first}/start`, { headers });
    expect(answer.text).toBe("done");
    expect(seen).toEqual([
      "first Basic c2VjcmV0",
      "first Basic c2VjcmV0",
      "other - - kept",
    ]);
  });

  test("redirects are followed at most five times, and only to http and https", async () => {
    const url = await serve((_request, response) =>
      response.writeHead(302, { location: "/again" }).end(),
    );
    await expect(ask(url)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("more than 5 times"),
    });
    const file = await serve((_request, response) =>
      response.writeHead(302, { location: "file:///etc/passwd" }).end(),
    );
    await expect(ask(file)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("answered 302"),
    });
  });

  test("a request with a body follows a redirect only if the body can be sent again", async () => {
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
    await expect(
      ask(`${url}/a`, { method: "PUT", body: streamOf("gone") }),
    ).rejects.toMatchObject({ kind: "invalid" });
  });
});

describe("a proxy", () => {
  test("a proxy carries https requests except to exempt hosts, and metadata addresses stay refused", async () => {
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
      proxy: {
        url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
        noProxy: "127.0.0.1",
      },
    };
    await expect(ask("https://registry.example/", {}, options)).rejects.toMatchObject({
      kind: "unreachable",
    });
    await expect(ask("https://169.254.169.254/", {}, options)).rejects.toMatchObject({
      kind: "invalid",
    });
    const direct = await serve((_request, response) => response.end("direct"));
    expect((await ask(direct, {}, options)).text).toBe("direct");
    expect(tunnels).toEqual(["registry.example:443"]);
  });
});

test("a streamed body is closed when its request cannot be sent", async () => {
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
  await expect(ask(closed, { method: "PUT", body: body() })).rejects.toMatchObject({
    kind: "unreachable",
  });
  await expect.poll(() => isOpen).toBe(false);
});

test("a request whose body has not begun ends when its abort signal fires", async () => {
  const url = await serve((_request, response) => response.end());
  const stop = new AbortController();
  async function* body(): AsyncGenerator<Uint8Array> {
    setImmediate(() => stop.abort());
    await new Promise(() => undefined);
    yield Buffer.from("never");
  }
  await expect(
    ask(url, { method: "PUT", body: body(), signal: stop.signal }),
  ).rejects.toMatchObject({
    kind: "cancelled",
  });
});
