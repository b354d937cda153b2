import { mkdtempSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { random } from "../../rigs/api/content-fixture.ts";
import { type MavenServer, pom, startMaven } from "../../rigs/api/maven-fixture.ts";
import { LOGIN, rawRequest, send, sendRaw } from "../../rigs/api/socket-fixture.ts";

let server: MavenServer;
beforeEach(async () => {
  server = await startMaven();
});
afterEach(() => server.close());

const JAR = "/org/example/app/1.0/app-1.0.jar";
const POM = "/org/example/app/1.0/app-1.0.pom";

test("files that are written to a MAVEN repository through /generic follow Maven's rules", async () => {
  const put = (path: string, body: string, headers: Record<string, string> = {}) =>
    send(server.port, "PUT", `/generic/demo/maven${path}`, headers, [Buffer.from(body)]);
  expect(
    (await put(JAR, "jar", { "x-bkrepo-meta-team": "release" })).json.data,
  ).toMatchObject({
    fullPath: JAR,
    size: 3,
    metadata: { team: "release" },
  });
  const refused = await put(JAR, "other", { "x-bkrepo-overwrite": "true" });
  expect([refused.status, refused.json.code]).toEqual([400, 251012]);
  expect((await put(POM, pom("app", "1.0"), { "x-bkrepo-expires": "3" })).json.code).toBe(
    250112,
  );
  expect((await put(POM, pom("app", "1.0"))).json.code).toBe(0);
  expect((await put(`${JAR}.md5`, "00000000000000000000000000000000")).json.code).toBe(
    251003,
  );
  expect(server.versions()).toEqual(["org.example:app 1.0 complete"]);
});

test("invalid Maven requests are refused with a reason in plain text", async () => {
  await server.put(JAR, "jar");
  await server.call("POST", "/repository/api/repo/create", {
    body: {
      projectId: "demo",
      name: "linked",
      type: "MAVEN",
      category: "REMOTE",
      configuration: { type: "remote", url: "https://repository.example" },
    },
  });
  const asked: [string, number, string][] = [
    ["/maven/none/maven/a", 404, "project [none]"],
    ["/maven/demo/none/a", 404, "repository [demo/none]"],
    ["/maven/demo/files/a", 404, "GENERIC"],
    ["/maven/demo/linked/a", 404, "linked"],
    [`/maven/demo/maven${JAR}x`, 404, "node"],
    ["/maven/demo/maven/org/example", 404, "folder"],
    ["/maven/demo/maven/", 404, "folder"],
    [`/maven/demo/maven${JAR}x.sha1`, 404, "node"],
  ];
  for (const [path, status, text] of asked) {
    const { status: found, headers, body } = await send(server.port, "GET", path);
    expect([path, found, headers["content-type"], body.toString()]).toEqual([
      path,
      status,
      expect.stringContaining("text/plain"),
      expect.stringContaining(text),
    ]);
  }
  for (const [method, path, authorization, status] of [
    ["GET", `/maven/demo/maven${JAR}`, "Basic d3Jvbmc6b25l", 401],
    ["POST", "/maven/demo/maven/a", LOGIN, 405],
    ["GET", "/maven/demo", LOGIN, 404],
  ] as const) {
    const { status: found, headers } = await send(server.port, method, path, {
      authorization,
    });
    expect([
      path,
      found,
      headers["content-type"],
      found === 401 ? headers["www-authenticate"] : "",
    ]).toEqual([
      path,
      status,
      expect.stringContaining("text/plain"),
      expect.stringContaining(status === 401 ? "Basic" : ""),
    ]);
  }
  expect((await server.put(`${JAR}/inside`, "x")).status).toBe(409);
  expect((await server.put("/org/example", "x")).status).toBe(409);
});

/** Sends a request line and returns the reason phrase and the body of the answer. */
async function refusalOf(line: string, headers: readonly string[] = []) {
  const head = [line, "Host: localhost", `Authorization: ${LOGIN}`, ...headers];
  const answer = await sendRaw(
    server.port,
    `${[...head, "Connection: close", "Content-Length: 1"].join("\r\n")}\r\n\r\nx`,
  );
  const [statusLine = ""] = answer.headers.split("\r\n", 1);
  const [, reason = ""] = /^HTTP\/1\.1 \d{3} (.*)$/.exec(statusLine) ?? [];
  return { status: answer.status, reason, body: answer.body.trim() };
}

test("every error below /maven has its English sentence as the reason phrase of the status line", async () => {
  await server.put(JAR, "jar");
  for (const [line, status, words] of [
    ["GET /maven/none/maven/a", 404, "project [none]"],
    ["GET /maven/demo/none/a", 404, "repository [demo/none]"],
    ["GET /maven/demo/files/a", 404, "GENERIC"],
    [`PUT /maven/demo/maven${JAR}`, 409, "a released file must not change"],
    [`PUT /maven/demo/maven${POM}.md5`, 400, "md5"],
    ["PUT /maven/demo/maven/a//b", 400, "path"],
    ["PUT /maven/demo/maven/a%0d%0aInjected:%20b/c", 400, "path"],
    ["POST /maven/demo/maven/a", 405, "POST"],
    ["GET /maven/demo/maven/%zz", 400, ""],
    [`GET /maven/demo/none/${"a/".repeat(10_000)}`, 431, "shorten"],
  ] as const) {
    const { reason, body, ...refused } = await refusalOf(`${line} HTTP/1.1`);
    expect([line, refused.status]).toEqual([line, status]);
    expect(reason).toContain(words);
    expect(body).toContain(reason.replace(/\.\.\.$/, ""));
    expect(reason.length).toBeLessThanOrEqual(200);
  }
});

test("the reason phrase is in English and ASCII, whatever language the client prefers and the path has", async () => {
  const { reason, body } = await refusalOf("GET /maven/demo/none/a HTTP/1.1", [
    "Accept-Language: zh",
  ]);
  expect(reason).toMatch(/^[\x20-\x7e]*repository \[demo\/none\][\x20-\x7e]*$/);
  expect(body).toMatch(/\p{Script=Han}/u);
  const path = encodeURIComponent("例子");
  const named = await refusalOf(`GET /maven/demo/maven/${path} HTTP/1.1`);
  expect([named.status, named.reason]).toEqual([404, expect.stringContaining("??")]);
  expect(named.body).toContain("例子");
});

test.each([
  "/../x",
  "/a/../../x",
  "/a/%2e%2e/x",
  "/a%2Fb",
  "/a/%2fetc",
  "/a//b",
  "/a/b%00c",
  "/a/%252e%252e/b",
  `/${"a".repeat(256)}`,
  "/a\\b/c",
  "/%ff",
  "/org/example/app/1.0/..%2f..%2fapp-1.0.jar",
])("an upload to the Maven path %s is refused and nothing is kept", async (path) => {
  const { status } = await rawRequest(server.port, "PUT", `${server.base}${path}`, "x");
  expect(status).toBe(400);
  expect(server.db.$client.prepare("SELECT count(*) FROM node").pluck().get()).toBe(0);
});

test("files whose Maven coordinates have unusual characters are stored and served like others", async () => {
  const names = [
    "/org/exämple/app/1/app-1.jar",
    "/o/a b/1/a b-1.jar",
    "/o/a/1<2/a-1<2.jar",
    "/o/a/$%7Bx%7D/a-$%7Bx%7D.jar",
    "/o/__proto__/1/__proto__-1.jar",
  ];
  for (const name of names) {
    const path = name
      .split("/")
      .map((part) => encodeURIComponent(decodeURIComponent(part)))
      .join("/");
    expect((await server.put(path, name)).status).toBe(201);
    expect(await server.text(path)).toBe(name);
  }
  expect(server.versions()).toEqual(["o:__proto__ 1 lacking"]);
});

test("a Maven upload that is cut off leaves nothing behind", async () => {
  const socket = connect(server.port, "127.0.0.1");
  socket.write(
    `PUT ${server.base}${JAR} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${LOGIN}\r\n` +
      "Content-Length: 9000000\r\n\r\n",
  );
  await new Promise((resolve) => void socket.write(random(3_000_000), resolve));
  socket.destroy();
  const staging = join(server.directory, "blobs", "staging");
  await expect
    .poll(() => server.logs.filter(({ facts }) => facts["method"] === "PUT").length)
    .toBe(1);
  expect([readdirSync(staging), server.versions(), await server.text(JAR)]).toEqual([
    [],
    [],
    "404",
  ]);
});

test("a Maven upload larger than MAX_UPLOAD is refused", async () => {
  await server.close();
  server = await startMaven({ maxUpload: 1000 }, mkdtempSync(join(tmpdir(), "maven-")));
  const refused = await server.put(JAR, random(1001));
  expect([refused.status, refused.body.toString()]).toEqual([
    413,
    expect.stringContaining("1000"),
  ]);
});
