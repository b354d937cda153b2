import { mkdtempSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  deleteMavenPackage,
  deleteMavenVersion,
} from "../../../db/packages/maven/delete.ts";
import { random, sha256 } from "../../rigs/api/content-fixture.ts";
import {
  elements,
  type MavenServer,
  pom,
  startMaven,
} from "../../rigs/api/maven-fixture.ts";
import { LOGIN, rawRequest, send } from "../../rigs/api/socket-fixture.ts";

let server: MavenServer;
beforeEach(async () => {
  server = await startMaven();
});
afterEach(() => server.close());

const JAR = "/org/example/app/1.0/app-1.0.jar";
const POM = "/org/example/app/1.0/app-1.0.pom";
const METADATA = "/org/example/app/maven-metadata.xml";

test("a deployed file is read back whole, in part, and not again by a client that has it", async () => {
  const bytes = random(100_000);
  expect((await server.put(JAR, bytes)).status).toBe(201);
  const got = await server.get(JAR);
  expect([got.status, sha256(got.body), got.headers["etag"]]).toEqual([
    200,
    sha256(bytes),
    `"${sha256(bytes)}"`,
  ]);
  expect(Date.parse(got.headers["last-modified"] ?? "")).toBeGreaterThan(0);
  const head = await server.head(JAR);
  expect([head.status, head.headers["content-length"], head.body.length]).toEqual([
    200,
    "100000",
    0,
  ]);
  const part = await server.get(JAR, { range: "bytes=10-19" });
  expect([part.status, part.body]).toEqual([206, bytes.subarray(10, 20)]);
  expect((await server.get(JAR, { range: "bytes=100000-" })).status).toBe(416);
  expect(
    (await server.get(JAR, { "if-none-match": got.headers["etag"] ?? "" })).status,
  ).toBe(304);
});

test("a version exists from its first file, and makes events once it has POM and main artifact", async () => {
  await server.put(JAR, "jar");
  expect([server.versions(), server.told()]).toEqual([
    ["org.example:app 1.0 lacking"],
    [],
  ]);
  await server.put(POM, pom("app", "1.0"));
  expect([server.versions(), server.told()]).toEqual([
    ["org.example:app 1.0 complete"],
    ["version gav://org.example:app 1.0"],
  ]);
  await server.put("/org/example/app/1.0/app-1.0-sources.jar", "sources");
  expect(server.told()).toHaveLength(2);
  await server.put("/org/example/app/1.0/app-1.0-sources.jar", "sources");
  expect(server.told()).toHaveLength(2);
});

test.each([
  ["pom", "complete"],
  ["jar", "lacking"],
  ["war", "lacking"],
  [undefined, "lacking"],
])("a POM of packaging %s alone is %s", async (packaging, state) => {
  await server.put(POM, pom("app", "1.0", packaging));
  expect(server.versions()).toEqual([`org.example:app 1.0 ${state}`]);
});

test("a POM that is not XML, or would grow when read, is kept as it is and has no packaging", async () => {
  const bomb = `<!DOCTYPE p [<!ENTITY a "pom"><!ENTITY b "&a;&a;">]><project><packaging>&a;</packaging></project>`;
  const deep = "<a>".repeat(100_000);
  for (const [version, text] of Object.entries({
    "1": bomb,
    "2": deep,
    "3": "\0no",
    "4": "",
    "5": `<project><!--<packaging>pom</packaging>--></project>`,
  })) {
    expect(
      (await server.put(`/org/example/app/${version}/app-${version}.pom`, text)).status,
    ).toBe(201);
  }
  expect(server.versions()).toEqual(
    ["1", "2", "3", "4", "5"].map((version) => `org.example:app ${version} lacking`),
  );
});

test("a release cannot change, but the same content can be deployed again", async () => {
  await server.put(JAR, "one");
  expect((await server.put(JAR, "one")).status).toBe(200);
  for (const other of ["two", "longer than one"]) {
    const refused = await server.put(JAR, other);
    expect([
      refused.status,
      refused.headers["content-type"],
      refused.body.toString(),
    ]).toEqual([
      409,
      expect.stringContaining("text/plain"),
      expect.stringContaining("must not change"),
    ]);
  }
  expect(await server.text(JAR)).toBe("one");
});

test("a release changes where the repository allows it, until that is revoked", async () => {
  const allow = async (allowOverwrite: boolean) =>
    server.call("POST", "/repository/api/repo/update/demo/maven", {
      body: { configuration: { type: "local", settings: { allowOverwrite } } },
    });
  await server.put(JAR, "one");
  expect((await allow(true)).code).toBe(0);
  expect(
    (await server.call("GET", "/repository/api/repo/info/demo/maven")).data,
  ).toMatchObject({
    configuration: { settings: { allowOverwrite: true } },
  });
  expect((await server.put(JAR, "two")).status).toBe(200);
  await allow(false);
  expect((await server.put(JAR, "three")).status).toBe(409);
  expect(await server.text(JAR)).toBe("two");
  const refused = await server.call("POST", "/repository/api/repo/update/demo/files", {
    body: { configuration: { type: "local", settings: { allowOverwrite: true } } },
  });
  expect([refused.code, refused.message]).toEqual([
    250105,
    expect.stringContaining("allowOverwrite"),
  ]);
});

test("files outside the layout belong to no version, may change, and make events of files", async () => {
  for (const path of ["/archetype-catalog.xml", "/org/example/app/1.0/README.md"]) {
    expect((await server.put(path, "one")).status).toBe(201);
    expect((await server.put(path, "two")).status).toBe(200);
    expect(await server.text(path)).toBe("two");
  }
  expect(server.versions()).toEqual([]);
  expect(server.told()).toEqual([
    "node /archetype-catalog.xml",
    "node /archetype-catalog.xml",
    "node /org/example/app/1.0/README.md",
    "node /org/example/app/1.0/README.md",
  ]);
});

test("deleting files and folders through any endpoint updates versions and metadata at once", async () => {
  for (const version of ["1.0", "1.1", "1.2", "1.3"]) {
    await server.put(`/org/example/app/${version}/app-${version}.jar`, version);
    await server.put(
      `/org/example/app/${version}/app-${version}.pom`,
      pom("app", version),
    );
  }
  const left = async () => elements(await server.text(METADATA), "version");
  expect((await server.remove("/org/example/app/1.1/app-1.1.jar")).status).toBe(204);
  expect(server.versions()[1]).toBe("org.example:app 1.1 lacking");
  expect((await server.remove("/org/example/app/1.1/")).status).toBe(204);
  expect(await left()).toEqual(["1.0", "1.2", "1.3"]);
  expect(
    (await send(server.port, "DELETE", "/generic/demo/maven/org/example/app/1.2")).json
      .code,
  ).toBe(0);
  expect(await left()).toEqual(["1.0", "1.3"]);
  expect(
    (
      await server.call(
        "DELETE",
        "/repository/api/node/delete/demo/maven/org/example/app/1.3",
      )
    ).code,
  ).toBe(0);
  expect([await left(), elements(await server.text(METADATA), "release")]).toEqual([
    ["1.0"],
    ["1.0"],
  ]);
  expect((await server.remove("/org")).status).toBe(204);
  expect([
    server.versions(),
    await server.text(METADATA),
    (await server.remove("/org")).status,
  ]).toEqual([[], "404", 404]);
});

test("a version and a package are deleted with everything in their folders", async () => {
  const repository = { id: 2, projectId: "demo", name: "maven", type: "MAVEN" as const };
  for (const version of ["1.0", "1.1", "1.2"])
    await server.put(`/org/example/app/${version}/app-${version}.jar`, version);
  await server.put("/org/example/app/1.0/notes/README", "text");
  await server.put("/org/example/app/child/2.0/child-2.0.jar", "of another package");
  await server.put(
    "/org/example/app/1.0/3/1.0-3.jar",
    "of the package org.example.app:1.0",
  );
  expect(
    await deleteMavenVersion(server.db, repository, "org.example:app", "1.0", Date.now()),
  ).toBe(true);
  expect(
    await deleteMavenVersion(server.db, repository, "org.example:app", "1.0", Date.now()),
  ).toBe(false);
  expect(
    server.versions().filter((version) => version.startsWith("org.example.app:1.0")),
  ).toEqual([]);
  expect([
    elements(await server.text(METADATA), "version"),
    await server.text("/org/example/app/1.0/notes/README"),
  ]).toEqual([["1.1", "1.2"], "404"]);
  expect(
    await deleteMavenPackage(server.db, repository, "org.example:app", Date.now()),
  ).toBe(true);
  expect([
    await deleteMavenPackage(server.db, repository, "org.example:app", Date.now()),
    server.versions(),
    await server.text(METADATA),
  ]).toEqual([false, ["org.example.app:child 2.0 lacking"], "404"]);
});

test("a large version is deleted in steps, and nothing of it is left", async () => {
  const puts = Array.from(
    { length: 1100 },
    (_, i) => `/org/example/app/1.0/app-1.0-c${i}.txt`,
  );
  for (const path of puts) await server.put(path, "text");
  expect(
    await deleteMavenVersion(
      server.db,
      { id: 2, projectId: "demo", name: "maven", type: "MAVEN" },
      "org.example:app",
      "1.0",
      Date.now(),
    ),
  ).toBe(true);
  expect(server.db.$client.prepare("SELECT count(*) FROM node").pluck().get()).toBe(0);
});

test("files that are written through the API of files follow Maven's rules", async () => {
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

test("impossible requests are answered in plain text", async () => {
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
])("the path %s is refused and nothing is kept", async (path) => {
  const { status } = await rawRequest(server.port, "PUT", `${server.base}${path}`, "x");
  expect(status).toBe(400);
  expect(server.db.$client.prepare("SELECT count(*) FROM node").pluck().get()).toBe(0);
});

test("files with strange coordinates are files like any others", async () => {
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

test("an upload that is cut off leaves nothing behind", async () => {
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

test("a file larger than MAX_UPLOAD is refused", async () => {
  await server.close();
  server = await startMaven({ maxUpload: 1000 }, mkdtempSync(join(tmpdir(), "maven-")));
  const refused = await server.put(JAR, random(1001));
  expect([refused.status, refused.body.toString()]).toEqual([
    413,
    expect.stringContaining("1000"),
  ]);
});
