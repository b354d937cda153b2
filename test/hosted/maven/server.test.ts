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
import { send } from "../../rigs/api/socket-fixture.ts";

let server: MavenServer;
beforeEach(async () => {
  server = await startMaven();
});
afterEach(() => server.close());

const JAR = "/org/example/app/1.0/app-1.0.jar";
const POM = "/org/example/app/1.0/app-1.0.pom";
const METADATA = "/org/example/app/maven-metadata.xml";

test("a deployed file can be read whole or in part, and a client that has it gets 304", async () => {
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

test("a Maven version exists from its first file on, and writes events once POM and main artifact exist", async () => {
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
])(
  "a Maven version that has only a POM of packaging %s is %s",
  async (packaging, state) => {
    await server.put(POM, pom("app", "1.0", packaging));
    expect(server.versions()).toEqual([`org.example:app 1.0 ${state}`]);
  },
);

test("a POM that is not XML or has entities is stored unchanged, and its packaging is unknown", async () => {
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

test("a Maven release file cannot be changed, but the same content can be deployed again", async () => {
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

test("a Maven release file can be changed while the repository's setting allowOverwrite is true", async () => {
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

test("files outside Maven's layout belong to no version, can be changed, and write file events", async () => {
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

test("deleting Maven files and folders through any endpoint updates versions and metadata at once", async () => {
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

test("a Maven version or package is deleted with its folders, but not with those of other packages", async () => {
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

test("a Maven version of 1,100 files is deleted completely", async () => {
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
