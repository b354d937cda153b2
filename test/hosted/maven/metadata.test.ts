import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { write } from "../../../db/open.ts";
import { putVersion } from "../../../db/packages/versions.ts";
import {
  elements,
  type MavenServer,
  pom,
  startMaven,
} from "../../rigs/api/maven-fixture.ts";

let server: MavenServer;
beforeEach(async () => {
  server = await startMaven();
});
afterEach(() => server.close());

const METADATA = "/org/example/app/maven-metadata.xml";
const SNAPSHOT = "/org/example/app/1.1-SNAPSHOT";

/** Deploys a version as mvn does: files with checksums, then the metadata it has read, with this version as release. */
async function deploy(version: string): Promise<void> {
  const folder = `/org/example/app/${version}`;
  const sha1 = (text: string) => createHash("sha1").update(text).digest("hex");
  for (const [extension, content] of [
    ["jar", `jar ${version}`],
    ["pom", pom("app", version)],
  ] as const) {
    const path = `${folder}/app-${version}.${extension}`;
    expect((await server.put(path, content)).status).toBe(201);
    expect((await server.put(`${path}.sha1`, sha1(content))).status).toBe(201);
  }
  const before = elements(await server.text(METADATA), "version");
  const versions = before.map((each) => `<version>${each}</version>`).join("");
  const mine =
    "<metadata><groupId>org.example</groupId><artifactId>app</artifactId>" +
    `<versioning><release>${version}</release><versions>${versions}</versions></versioning></metadata>`;
  expect((await server.put(METADATA, mine)).status).toBe(201);
  expect((await server.put(`${METADATA}.sha1`, sha1(mine))).status).toBe(201);
}

test("maven-metadata.xml lists versions in Maven's order, and names the newest version and release", async () => {
  for (const version of ["1.10", "1.9", "1.0-rc1", "1.0", "2.0-SNAPSHOT"])
    await deploy(version);
  const xml = await server.text(METADATA);
  expect(elements(xml, "version")).toEqual([
    "1.0-rc1",
    "1.0",
    "1.9",
    "1.10",
    "2.0-SNAPSHOT",
  ]);
  expect([
    elements(xml, "latest"),
    elements(xml, "release"),
    elements(xml, "groupId"),
    elements(xml, "artifactId"),
  ]).toEqual([["2.0-SNAPSHOT"], ["1.10"], ["org.example"], ["app"]]);
  expect(elements(xml, "lastUpdated")).toEqual([expect.stringMatching(/^20\d{12}$/)]);
});

test("maven-metadata.xml names no release if there are only snapshots, and is 404 without versions", async () => {
  expect(await server.text(METADATA)).toBe("404");
  await deploy("1.0-SNAPSHOT");
  expect([
    elements(await server.text(METADATA), "latest"),
    elements(await server.text(METADATA), "release"),
  ]).toEqual([["1.0-SNAPSHOT"], []]);
});

test("maven-metadata.xml lists an incomplete version, but names a complete one as the newest", async () => {
  await server.put("/org/example/app/2.0/app-2.0.jar", "jar");
  expect(elements(await server.text(METADATA), "release")).toEqual(["2.0"]);
  await deploy("1.0");
  const xml = await server.text(METADATA);
  expect([
    elements(xml, "version"),
    elements(xml, "release"),
    elements(xml, "latest"),
  ]).toEqual([["1.0", "2.0"], ["1.0"], ["1.0"]]);
  await server.put("/org/example/app/2.0/app-2.0.pom", pom("app", "2.0"));
  expect(elements(await server.text(METADATA), "release")).toEqual(["2.0"]);
});

test("maven-metadata.xml is answered with 304 to a client that has it, until it changes", async () => {
  await deploy("1.0");
  const { headers } = await server.get(METADATA);
  expect(headers["content-type"]).toContain("xml");
  expect(
    (await server.get(METADATA, { "if-none-match": headers["etag"] ?? "" })).status,
  ).toBe(304);
  const head = await server.head(METADATA);
  expect([head.status, head.body.length, Number(head.headers["content-length"])]).toEqual(
    [200, 0, (await server.text(METADATA)).length],
  );
  await deploy("1.1");
  expect(
    (await server.get(METADATA, { "if-none-match": headers["etag"] ?? "" })).status,
  ).toBe(200);
});

test("16 clients deploy versions of one artifact at once, and maven-metadata.xml lists all of them", async () => {
  const versions = Array.from({ length: 16 * 6 }, (_, i) => `1.${i}`);
  await Promise.all(
    Array.from({ length: 16 }, async (_, client) => {
      for (const version of versions.slice(client * 6, client * 6 + 6))
        await deploy(version);
    }),
  );
  const xml = await server.text(METADATA);
  expect([
    elements(xml, "version"),
    elements(xml, "latest"),
    elements(xml, "release"),
  ]).toEqual([versions, ["1.95"], ["1.95"]]);
  expect(server.versions().every((each) => each.endsWith(" complete"))).toBe(true);
  expect(await server.text(`${METADATA}.sha1`)).toBe(
    createHash("sha1").update(xml).digest("hex"),
  );
});

test("16 clients upload different content for one release file, and only one content is accepted", async () => {
  const answers = await Promise.all(
    Array.from({ length: 16 }, (_, i) =>
      server.put("/org/example/app/1.0/app-1.0.jar", `content ${i % 10}`),
    ),
  );
  const content = await server.text("/org/example/app/1.0/app-1.0.jar");
  const right = answers.map(({ status }, i) =>
    `content ${i % 10}` === content ? status === 200 || status === 201 : status === 409,
  );
  expect([
    right.every(Boolean),
    answers.filter(({ status }) => status === 201).length,
  ]).toEqual([true, 1]);
});

test("the metadata of a snapshot names its newest build and the newest build of each file", async () => {
  const put = (name: string) => server.put(`${SNAPSHOT}/app-1.1-${name}`, name);
  for (const name of [
    "20260102.030405-2.jar",
    "20260102.030405-2.pom",
    "20260101.000000-1.jar",
    "20260101.000000-1-sources.jar",
    "20260102.030405-10.tar.gz",
  ])
    expect((await put(name)).status).toBe(201);
  const xml = await server.text(`${SNAPSHOT}/maven-metadata.xml`);
  expect([
    elements(xml, "timestamp"),
    elements(xml, "buildNumber"),
    elements(xml, "lastUpdated"),
  ]).toEqual([["20260102.030405"], ["10"], ["20260102030405"]]);
  expect([elements(xml, "extension"), elements(xml, "classifier")]).toEqual([
    ["jar", "pom", "tar.gz", "jar"],
    ["sources"],
  ]);
  expect(elements(xml, "value")).toEqual([
    "1.1-20260102.030405-2",
    "1.1-20260102.030405-2",
    "1.1-20260102.030405-10",
    "1.1-20260101.000000-1",
  ]);
  expect(elements(xml, "updated")).toEqual([
    "20260102030405",
    "20260102030405",
    "20260102030405",
    "20260101000000",
  ]);
  expect([
    elements(xml, "version"),
    await server.text(`${SNAPSHOT}/maven-metadata.xml.md5`),
  ]).toEqual([["1.1-SNAPSHOT"], createHash("md5").update(xml).digest("hex")]);

  await server.remove(`${SNAPSHOT}/app-1.1-20260102.030405-10.tar.gz`);
  await server.remove(`${SNAPSHOT}/app-1.1-20260102.030405-2.jar`);
  const after = await server.text(`${SNAPSHOT}/maven-metadata.xml`);
  expect([elements(after, "buildNumber"), elements(after, "value")]).toEqual([
    ["2"],
    ["1.1-20260101.000000-1", "1.1-20260102.030405-2", "1.1-20260101.000000-1"],
  ]);
  await server.remove(SNAPSHOT);
  expect(await server.text(`${SNAPSHOT}/maven-metadata.xml`)).toBe("404");
});

test("a snapshot file without timestamp can be overwritten, and the metadata has no timestamp", async () => {
  const path = `${SNAPSHOT}/app-1.1-SNAPSHOT.jar`;
  expect([
    (await server.put(path, "one")).status,
    (await server.put(path, "two")).status,
    await server.text(path),
  ]).toEqual([201, 200, "two"]);
  const xml = await server.text(`${SNAPSHOT}/maven-metadata.xml`);
  expect([elements(xml, "value"), elements(xml, "timestamp")]).toEqual([
    ["1.1-SNAPSHOT"],
    [],
  ]);
});

test("a new build of a snapshot writes an event only when this build is complete", async () => {
  const put = (name: string, content: string) =>
    server.put(`${SNAPSHOT}/app-1.1-${name}`, content);
  await put("20260101.000000-1.jar", "one");
  await put("20260101.000000-1.pom", pom("app", "1.1-SNAPSHOT"));
  expect(server.told()).toHaveLength(1);
  await put("20260102.000000-2.jar", "two");
  expect([server.told().length, server.versions()]).toEqual([
    1,
    ["org.example:app 1.1-SNAPSHOT complete"],
  ]);
  await put("20260102.000000-2.pom", pom("app", "1.1-SNAPSHOT"));
  expect(server.told()).toEqual([
    "version gav://org.example:app 1.1-SNAPSHOT",
    "version gav://org.example:app 1.1-SNAPSHOT",
  ]);
});

const pluginXml = (name: string) =>
  `<plugin><name>The &lt;${name}&gt; plugin</name><prefix>${name}</prefix>` +
  `<artifactId>${name}-maven-plugin</artifactId></plugin>`;

const plugins = (...names: string[]) =>
  `<metadata><plugins>${names.map(pluginXml).join("")}</plugins></metadata>`;

test("plugin prefixes come from artifact names or uploaded metadata, and disappear with their plugin", async () => {
  const group = "/org/example/maven-metadata.xml";
  const names = Array.from({ length: 12 }, (_, i) => `p${String(i).padStart(2, "0")}`);
  for (const name of names)
    await server.put(
      `/org/example/${name}-maven-plugin/1/${name}-maven-plugin-1.pom`,
      pom(`${name}-maven-plugin`, "1", "maven-plugin"),
    );
  expect([
    elements(await server.text(group), "prefix"),
    elements(await server.text(group), "name"),
  ]).toEqual([names, []]);
  await Promise.all(names.map((name) => server.put(group, plugins(name))));
  await server.put(
    group,
    `<metadata><plugins><plugin><prefix>stray</prefix><artifactId>not-there</artifactId></plugin></plugins></metadata>`,
  );
  const xml = await server.text(group);
  expect([elements(xml, "prefix"), elements(xml, "name")[0]]).toEqual([
    names,
    "The &lt;p00&gt; plugin",
  ]);
  await server.remove("/org/example/p00-maven-plugin");
  expect(elements(await server.text(group), "prefix")).toEqual(names.slice(1));
  expect(server.told().filter((each) => each.startsWith("node"))).toEqual([]);
});

test("one folder can be both a group with plugins and an artifact", async () => {
  await server.put("/org/example/1/example-1.jar", "jar");
  await server.put("/org/example/x-maven-plugin/1/x-maven-plugin-1.jar", "jar");
  await server.put("/org/example/maven-metadata.xml", plugins("x"));
  const xml = await server.text("/org/example/maven-metadata.xml");
  expect([elements(xml, "version"), elements(xml, "prefix")]).toEqual([["1"], ["x"]]);
});

test("uploaded metadata that is not XML or is too long changes nothing", async () => {
  await deploy("1.0");
  const before = await server.text(METADATA);
  for (const text of [
    "",
    "nonsense",
    "<metadata><plugins>",
    "<metadata><plugins><plugin><prefix>../x</prefix></plugin></plugins></metadata>",
  ])
    expect((await server.put(METADATA, text)).status).toBe(201);
  expect((await server.put(METADATA, "x".repeat(1024 * 1024 + 1))).status).toBe(413);
  expect(await server.text(METADATA)).toBe(before);
});

test("maven-metadata.xml lists 5,000 versions, and the time that it takes is printed", async () => {
  const audit = {
    createdBy: "admin",
    createdDate: 1,
    lastModifiedBy: "admin",
    lastModifiedDate: 1,
  };
  write(server.db, (tx) => {
    for (let i = 0; i < 5000; i += 1)
      putVersion(
        tx,
        2,
        "org.example:app",
        {
          name: `1.${i % 70}.${i}-rc${i % 3}`,
          digest: "sha256:0",
          size: 1,
          complete: true,
          document: null,
        },
        audit,
      );
  });
  await server.text(METADATA);
  const start = performance.now();
  const xml = await server.text(METADATA);
  const ms = performance.now() - start;
  expect(elements(xml, "version")).toHaveLength(5000);
  console.log(`metadata of 5,000 versions: ${Math.round(ms)} ms`);
});
