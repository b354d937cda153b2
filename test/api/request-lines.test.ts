import { maxHeaderSize } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LOGIN, sendRaw, startApi } from "../rigs/api/socket-fixture.ts";

let api: Awaited<ReturnType<typeof startApi>>;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const HOST = "Host: localhost";
const heads = (line: string, ...fields: string[]) =>
  [line, `Authorization: ${LOGIN}`, "Connection: close", ...fields, "", ""].join("\r\n");
const long = "x".repeat(maxHeaderSize + 1);

/** Invalid requests for a path that begins with `prefix`, with the status and the message to expect. */
const UNREADABLE: [string, (prefix: string) => Buffer | string, number, RegExp][] = [
  ["no Host", (prefix) => heads(`GET ${prefix} HTTP/1.1`), 400, /no Host header/],
  [
    "a Host with a space",
    (prefix) => heads(`GET ${prefix} HTTP/1.1`, "Host: a b"),
    400,
    /"a b" is not a host/,
  ],
  [
    "a Host with a user",
    (prefix) => heads(`GET ${prefix} HTTP/1.1`, "Host: me@localhost"),
    400,
    /is not a host/,
  ],
  [
    "a Host that is an impossible IP address",
    (prefix) => heads(`GET ${prefix} HTTP/1.1`, "Host: 1.2.3.999"),
    400,
    /is not a host/,
  ],
  [
    "a Host with a port of letters",
    (prefix) => heads(`GET ${prefix} HTTP/1.1`, "Host: localhost:http"),
    400,
    /is not a host/,
  ],
  [
    "an absolute target without a host",
    (prefix) => heads(`GET http://${prefix} HTTP/1.1`, HOST),
    400,
    /"" is not a host/,
  ],
  [
    "an absolute target with a backslash in its host",
    (prefix) => heads(`GET http://a\\b${prefix} HTTP/1.1`, HOST),
    400,
    /percent-encoded/,
  ],
  [
    "a control character in its path",
    (prefix) => heads(`GET ${prefix}a\u0001b HTTP/1.1`, HOST),
    400,
    /percent-encoded/,
  ],
  [
    "a null byte in its path",
    (prefix) => heads(`GET ${prefix}a\u0000b HTTP/1.1`, HOST),
    400,
    /percent-encoded/,
  ],
  [
    "letters beyond ASCII in its path",
    (prefix) => Buffer.from(heads(`GET ${prefix}größe HTTP/1.1`, HOST), "utf8"),
    400,
    /percent-encoded/,
  ],
  [
    "bytes in its path that are not UTF-8",
    (prefix) => Buffer.from(heads(`GET ${prefix}\u00ff HTTP/1.1`, HOST), "latin1"),
    400,
    /percent-encoded/,
  ],
  [
    "a space in its path",
    (prefix) => heads(`GET ${prefix}a b HTTP/1.1`, HOST),
    400,
    /it is not HTTP\/1.1/,
  ],
  [
    "a path that is too long",
    (prefix) => heads(`GET ${prefix}${long} HTTP/1.1`, HOST),
    431,
    /longer than 16384 bytes/,
  ],
  [
    "a header that is too long",
    (prefix) => heads(`GET ${prefix} HTTP/1.1`, HOST, `X-Long: ${long}`),
    431,
    /longer than 16384 bytes/,
  ],
  [
    "a header line without a colon",
    (prefix) => heads(`GET ${prefix} HTTP/1.1`, HOST, "no colon"),
    400,
    /it is not HTTP\/1.1/,
  ],
  [
    "an unknown HTTP version",
    (prefix) => heads(`GET ${prefix} HTTP/9.9`, HOST),
    400,
    /it is not HTTP\/1.1/,
  ],
  [
    "an unknown method",
    (prefix) => heads(`FETCH ${prefix} HTTP/1.1`, HOST),
    400,
    /it is not HTTP\/1.1/,
  ],
  [
    "two Content-Length headers",
    (prefix) =>
      heads(`PUT ${prefix} HTTP/1.1`, HOST, "Content-Length: 1", "Content-Length: 2"),
    400,
    /it is not HTTP\/1.1/,
  ],
  [
    "an Expect header that cannot be met",
    (prefix) => heads(`GET ${prefix} HTTP/1.1`, HOST, "Expect: wonders"),
    417,
    /Expect: wonders/,
  ],
];

/** For each endpoint: its path prefix, the media type of its errors, and how to read the message from their body. */
const FORMS: [string, RegExp, (body: string) => string][] = [
  ["/generic/demo/files/", /application\/json/, (body) => envelopeOf(body)],
  ["/replication/api/task/info/", /application\/json/, (body) => envelopeOf(body)],
  [
    "/v2/demo/images/",
    /application\/json/,
    (body) =>
      (JSON.parse(body) as { errors: [{ code: string; message: string }] }).errors[0]
        .message,
  ],
  [
    "/npm/demo/packages/",
    /application\/json/,
    (body) => (JSON.parse(body) as { error: string; reason: string }).error,
  ],
  ["/maven/demo/jars/", /text\/plain/, (body) => body],
];

function envelopeOf(body: string): string {
  const { code, message, data, traceId } = JSON.parse(body) as {
    code: number;
    message: string;
    data: unknown;
    traceId: string;
  };
  expect([[250106, 250112].includes(code), data, /^[0-9a-f]{32}$/.test(traceId)]).toEqual(
    [true, null, true],
  );
  return message;
}

test.each(UNREADABLE)(
  "a request with %s is refused with a clear message in the format of each protocol",
  async (_what, request, status, sentence) => {
    for (const [prefix, type, sentenceOf] of FORMS) {
      const answer = await sendRaw(api.port, request(prefix));
      expect([prefix, answer.status]).toEqual([prefix, status]);
      expect(answer.headers).toMatch(type);
      expect(answer.headers).toMatch(/x-trace-id: [0-9a-f]{32}/i);
      expect(sentenceOf(answer.body)).toMatch(sentence);
    }
  },
);

test.each([
  [
    'the request target "*"',
    "OPTIONS * HTTP/1.1",
    400,
    /"\*" is neither a path nor an http address/,
  ],
  ["the method CONNECT", "CONNECT localhost:1 HTTP/1.1", 405, /CONNECT is not supported/],
  ["a request that is not HTTP", "\u0016\u0003\u0001", 400, /it is not HTTP\/1.1/],
])(
  "%s is refused with an error in the API's format",
  async (_what, line, status, sentence) => {
    const answer = await sendRaw(api.port, heads(line, HOST));
    expect([answer.status, envelopeOf(answer.body)]).toEqual([
      status,
      expect.stringMatching(sentence),
    ]);
  },
);

const ask = (method: string, target: string, body = "") =>
  sendRaw(
    api.port,
    heads(`${method} ${target} HTTP/1.1`, HOST, `Content-Length: ${body.length}`) + body,
  );

test.each(["a\\b", "..\\..\\x", "\\", "a/\\..\\b", "a%5C\\b"])(
  "a file path with a backslash is refused, and the backslash is not read as a slash: %s",
  async (path) => {
    for (const method of ["PUT", "GET", "DELETE"]) {
      const { status, body } = await ask(
        method,
        `/generic/demo/files/${path}`,
        method === "PUT" ? "x" : "",
      );
      expect([status, JSON.parse(body)]).toMatchObject([
        400,
        { code: 251011, message: expect.stringMatching(/slash or backslash/) },
      ]);
    }
  },
);

test("no endpoint reads a backslash in a path as a slash", async () => {
  const codes = [
    "/replication/api/task/info/a\\b",
    "/replication/api\\task\\page\\p",
    "\\replication/api/task/page/p",
    "/health\\live",
  ].map(
    async (target) =>
      (JSON.parse((await ask("GET", target)).body) as { code: number }).code,
  );
  expect(await Promise.all(codes)).toEqual([250310, 250130, 250106, 250130]);
  expect(
    JSON.parse((await ask("GET", "/v2/demo/images\\x/tags/list")).body),
  ).toMatchObject({
    errors: [{ code: "NAME_INVALID" }],
  });
  expect(JSON.parse((await ask("GET", "/npm/demo/packages/a\\b")).body)).toMatchObject({
    error: expect.any(String),
    reason: expect.any(String),
  });
  expect((await ask("GET", "/maven/demo/jars/a\\b")).body).toMatch(/slash or backslash/);
  expect((await ask("GET", "/health/live?a=\\")).status).toBe(200);
});

test("unusual but valid request targets and hosts are accepted", async () => {
  const statuses = [
    "http://elsewhere.example/health/live",
    "HTTP://LocalHost:80/health/live",
    "https://[::1]:8443/health/live?x",
    "/health/live#fragment",
    "/health/./live",
  ].map(async (target) => (await ask("GET", target)).status);
  expect(await Promise.all(statuses)).toEqual([200, 200, 200, 200, 200]);
  expect((await sendRaw(api.port, heads("GET /health/live HTTP/1.0"))).status).toBe(200);
  for (const host of ["LOCALHOST:1", "[::1]:99", "a_b.example", ""])
    expect([
      host,
      (await sendRaw(api.port, heads("GET /health/live HTTP/1.1", `Host: ${host}`)))
        .status,
    ]).toEqual([host, 200]);
  for (const target of [
    "//",
    "//health/live",
    "/%",
    "/%ff",
    "/replication/api/task/info/%zz",
    "/?",
    "/a//b",
  ]) {
    const { body } = await ask("GET", target);
    expect([target, Object.keys(JSON.parse(body) as object)]).toEqual([
      target,
      ["code", "message", "data", "traceId"],
    ]);
  }
});

test("an upload with invalid chunks is answered once with a clear message, and nothing of it is kept", async () => {
  const before = api.logs.length;
  const request = heads(
    "PUT /generic/demo/files/chunked HTTP/1.1",
    HOST,
    "Transfer-Encoding: chunked",
  );
  const { status, body } = await sendRaw(api.port, `${request}1\r\nx\r\nnonsense\r\n`);
  expect([status, envelopeOf(body)]).toEqual([
    400,
    expect.stringMatching(/cannot be read|connection was cut/),
  ]);
  expect(body.match(/"code"/g)).toHaveLength(1);
  expect((await ask("GET", "/generic/demo/files/chunked")).status).toBe(404);
  expect(api.logs.slice(before).filter(({ level }) => level === "error")).toEqual([]);
});

test("unreadable requests do not stop the server", async () => {
  await Promise.all(
    Array.from({ length: 50 }, () => sendRaw(api.port, Buffer.from("\0\r\n\r\n"))),
  );
  expect((await ask("GET", "/health/live")).status).toBe(200);
});
