import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listen } from "../../api/http/listen.ts";
import { ADMIN, basic } from "../rigs/api/api-fixture.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import { createTaskApi, type TaskApi, taskBody } from "../rigs/api/api-task-fixture.ts";

let api: TaskApi;
let server: Server;
let port: number;
beforeAll(async () => {
  api = createTaskApi();
  server = listen(api.app.fetch, { hostname: "127.0.0.1", port: 0 }, () => undefined);
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  api.close();
});

/** Sends a request exactly as written, over a socket: an HTTP client would normalise its path. */
async function send(
  requestLine: string,
  { body = "", headers = [] as string[] } = {},
): Promise<{
  status: number;
  head: string;
  json: { code: number; message: string | null; data: unknown };
}> {
  const socket = connect(port, "127.0.0.1");
  const length =
    body === ""
      ? []
      : ["content-type: application/json", `content-length: ${Buffer.byteLength(body)}`];
  const lines = [
    `${requestLine} HTTP/1.1`,
    "host: localhost",
    `authorization: ${basic(`${ADMIN.username}:${ADMIN.password}`)}`,
    "connection: close",
    ...length,
    ...headers,
    "",
    body,
  ];
  socket.write(lines.join("\r\n"));
  const [head = "", ...rest] = (await text(socket)).split("\r\n\r\n");
  const answer = rest.join("\r\n\r\n");
  return {
    status: Number(head.split(" ")[1]),
    head,
    json: JSON.parse(
      answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1) || "{}",
    ),
  };
}

test.each(["/replication/api/task/cluster", "/replication//api/task/cluster"])(
  "POST %s creates a task",
  async (path) => {
    const { replicaObjectType: _type, ...older } = taskBody({
      name: unique(`by ${path} `),
    });
    const { status, json } = await send(`POST ${path}`, { body: JSON.stringify(older) });
    expect([status, json]).toEqual([
      200,
      {
        code: 0,
        message: null,
        data: null,
        traceId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      },
    ]);
  },
);

test("several slashes are accepted only right after /replication", async () => {
  expect(
    (await send("POST /replication/api//task/cluster", { body: "{}" })).json.code,
  ).toBe(250130);
  expect((await send("GET //replication/api/task/page/p")).json.code).toBe(250130);
});

test("the body of a GET request is read, and may not be too large", async () => {
  expect(
    await send("GET /replication/api/cluster/tryConnect", {
      body: '{"name":"shanghai"}',
    }),
  ).toMatchObject({
    status: 200,
    json: { code: 0, data: null },
  });
  expect(
    (await send("GET /replication/api/cluster/tryConnect", { body: '{"name":"nope"}' }))
      .json.code,
  ).toBe(250306);
  expect((await send("GET /replication/api/cluster/tryConnect")).json.code).toBe(250103);
  expect(
    (await send("GET /replication/api/cluster/tryConnect", { body: "{" })).json.code,
  ).toBe(250106);
  expect(
    await send("GET /replication/api/cluster/tryConnect?name=shanghai", {
      body: "ignored",
    }),
  ).toMatchObject({
    status: 200,
  });
  expect(
    await send("GET /replication/api/cluster/tryConnect", { body: "x".repeat(70_000) }),
  ).toMatchObject({
    status: 413,
    json: { code: 250106 },
  });
});

test("a request body sent in chunks is refused if it is too large", async () => {
  const chunk = `${(16_384).toString(16)}\r\n${"x".repeat(16_384)}\r\n`;
  const answer = await send("POST /replication/api/task/create", {
    headers: [
      "content-type: application/json",
      "transfer-encoding: chunked",
      "",
      `${chunk.repeat(5)}0\r\n`,
    ],
  });
  expect([answer.status, answer.json.code]).toEqual([413, 250106]);
});

test("requests with unexpected methods or paths are answered with an envelope", async () => {
  for (const line of [
    "TRACE /replication/api/task/page/p",
    "PATCH /replication/api/task/page/p",
    "OPTIONS /replication/api/task/page/p",
  ]) {
    expect(await send(line)).toMatchObject({ status: 405, json: { code: 250112 } });
  }
  expect(await send("GET /replication/api/task/info/%zz%00%2e%2e")).toMatchObject({
    status: 400,
    json: { code: 250310 },
  });
  expect(await send("GET /%2e%2e/%2e%2e/etc/passwd")).toMatchObject({
    status: 404,
    json: { code: 250130 },
  });
  const { head } = await send("HEAD /replication/api/task/page/p");
  expect(head).toMatch(/^HTTP\/1.1 200 /);
});
