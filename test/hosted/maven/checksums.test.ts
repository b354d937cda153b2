import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { random } from "../../rigs/api/content-fixture.ts";
import { type MavenServer, pom, startMaven } from "../../rigs/api/maven-fixture.ts";

let server: MavenServer;
beforeEach(async () => {
  server = await startMaven();
});
afterEach(() => server.close());

const JAR = "/org/example/app/1.0/app-1.0.jar";
const METADATA = "/org/example/app/maven-metadata.xml";
const KINDS = ["md5", "sha1", "sha256", "sha512"] as const;
const sum = (kind: string, bytes: string | Buffer) =>
  createHash(kind).update(bytes).digest("hex");

test.each([[0], [1000], [5_000_000]])(
  "a Maven file of %i bytes has all four checksums, even if no client sent one",
  async (size) => {
    const bytes = random(size);
    await server.put(JAR, bytes);
    for (const kind of KINDS) {
      expect([kind, await server.text(`${JAR}.${kind}`)]).toEqual([
        kind,
        sum(kind, bytes),
      ]);
      expect((await server.head(`${JAR}.${kind}`)).headers["content-length"]).toBe(
        String(sum(kind, bytes).length),
      );
    }
  },
);

test("the checksum of a replaced snapshot file is that of its new content", async () => {
  const path = "/org/example/app/1.0-SNAPSHOT/app-1.0-SNAPSHOT.jar";
  for (const content of ["one", "two"]) {
    await server.put(path, content);
    expect(await server.text(`${path}.sha1`)).toBe(sum("sha1", content));
  }
});

test.each(KINDS)(
  "a correct %s of an existing file is accepted; a wrong one is refused and the answer has the right one",
  async (kind) => {
    await server.put(JAR, "content");
    const right = sum(kind, "content");
    for (const text of [
      right,
      `${right}\n`,
      `${right.toUpperCase()}  app-1.0.jar\n`,
      `${kind.toUpperCase()} (app-1.0.jar) = ${right}`,
    ]) {
      expect((await server.put(`${JAR}.${kind}`, text)).status).toBe(201);
    }
    const refused = await server.put(`${JAR}.${kind}`, sum(kind, "other"));
    expect([refused.status, refused.body.toString()]).toEqual([
      400,
      expect.stringContaining(`the ${kind} of ${JAR} is ${right}`),
    ]);
    expect([await server.text(JAR), await server.text(`${JAR}.${kind}`)]).toEqual([
      "content",
      right,
    ]);
  },
);

test.each(["", "no checksum", "abc123", "z".repeat(40), "a".repeat(41)])(
  "a checksum file with the content %j is refused",
  async (text) => {
    await server.put(JAR, "content");
    expect((await server.put(`${JAR}.sha1`, text)).status).toBe(400);
  },
);

test.each(KINDS)(
  "a %s that is uploaded before its file is compared with the file when that is uploaded",
  async (kind) => {
    expect((await server.put(`${JAR}.${kind}`, sum(kind, "content"))).status).toBe(201);
    expect(await server.text(`${JAR}.${kind}`)).toBe("404");
    const refused = await server.put(JAR, "other");
    expect([
      refused.status,
      refused.body.toString(),
      await server.text(JAR),
      server.versions(),
    ]).toEqual([400, expect.stringContaining(kind), "404", []]);
    await server.put(`${JAR}.${kind}`, sum(kind, "content"));
    expect((await server.put(JAR, "content")).status).toBe(201);
  },
);

test("a large file that differs from its earlier uploaded checksum is refused and not kept", async () => {
  await server.put(`${JAR}.sha512`, sum("sha512", "content"));
  expect((await server.put(JAR, random(3_000_000))).status).toBe(400);
  expect(server.db.$client.prepare("SELECT count(*) FROM blob").pluck().get()).toBe(0);
});

test("the checksums of maven-metadata.xml are those of the served bytes, not those that clients send", async () => {
  await server.put("/org/example/app/1.0/app-1.0.pom", pom("app", "1.0", "pom"));
  expect((await server.put(METADATA, "<metadata/>")).status).toBe(201);
  for (const kind of KINDS) {
    expect(
      (await server.put(`${METADATA}.${kind}`, "0".repeat(sum(kind, "").length))).status,
    ).toBe(201);
    expect(await server.text(`${METADATA}.${kind}`)).toBe(
      sum(kind, await server.text(METADATA)),
    );
  }
  expect(await server.text("/org/example/none/maven-metadata.xml.sha1")).toBe("404");
});

test("checksums are not files: they are not listed, have no checksums, and disappear with their file", async () => {
  await server.put(JAR, "content");
  await server.put(`${JAR}.md5`, sum("md5", "content"));
  expect((await server.put(`${JAR}.md5.sha1`, sum("sha1", "x"))).status).toBe(400);
  expect(await server.text(`${JAR}.md5.sha1`)).toBe("404");
  expect((await server.remove(`${JAR}.md5`)).status).toBe(204);
  expect(await server.text(`${JAR}.md5`)).toBe(sum("md5", "content"));
  const page = await server.call(
    "GET",
    "/repository/api/node/page/demo/maven/?deep=true&includeFolder=false",
  );
  expect(page.data).toMatchObject({ totalRecords: 1, records: [{ fullPath: JAR }] });
  await server.remove(JAR);
  expect(await server.text(`${JAR}.md5`)).toBe("404");
});
