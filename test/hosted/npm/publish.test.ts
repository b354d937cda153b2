import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { random, sha256 } from "../../rigs/api/content-fixture.ts";
import { npmCaller, startNpm } from "../../rigs/api/npm-fixture.ts";
import { integrity, publication } from "../../rigs/servers/npm-publication.ts";
import { forkApi, LOGIN, send } from "../../rigs/api/socket-fixture.ts";
import { NOTHING, npmPublishing } from "../../rigs/api/npm-publishing.ts";

let api: Awaited<ReturnType<typeof startNpm>>;
beforeEach(async () => {
  api = await startNpm({ maxUpload: 1024 * 1024 });
});
afterEach(() => api.close());

const MIB = 1024 * 1024;
const { publish, put, staged, stored } = npmPublishing(() => api);

test("a published npm version cannot be published again, even with the same content", async () => {
  const content = random(1000);
  expect((await publish("pear", "1.0.0", content)).status).toBe(201);
  for (const again of [content, random(1000)]) {
    const { status, json } = await publish("pear", "1.0.0", again);
    expect([status, json]).toEqual([
      409,
      {
        error: "you cannot publish over the previously published version: pear@1.0.0",
        reason: "conflict",
      },
    ]);
  }
  expect((await api.npm("GET", "/pear/-/pear-1.0.0.tgz")).body.equals(content)).toBe(
    true,
  );
  expect(staged()).toEqual([]);
});

test("an npm version that differs from a published one only in build metadata is refused", async () => {
  expect((await publish("pear", "1.0.0", random(100))).status).toBe(201);
  expect((await publish("pear", "2.0.0-rc.1+a", random(100))).status).toBe(201);
  for (const [version, twin] of [
    ["1.0.0+build.5", "1.0.0"],
    ["2.0.0-rc.1", "2.0.0-rc.1+a"],
    ["2.0.0-rc.1+b", "2.0.0-rc.1+a"],
  ] as const) {
    const { status, json } = await publish("pear", version, random(100));
    const error =
      `you cannot publish over the previously published version: pear@${version} and pear@${twin} ` +
      "differ in their build metadata only, which npm ignores: publish it under a higher version";
    expect([status, json]).toEqual([409, { error, reason: "conflict" }]);
  }
  for (const version of ["1.0.0-1", "1.0.0-x", "2.0.0-rc.1.a", "1.0.1+build.5"])
    expect([version, (await publish("pear", version, random(100))).status]).toEqual([
      version,
      201,
    ]);
  expect(staged()).toEqual([]);
});

test("npm versions that differ only in build metadata can be read and removed if already stored", async () => {
  const content = random(100);
  await publish("pear", "1.0.0", random(100));
  await publish("pear", "1.0.1", content);
  api.db.$client.exec(
    "UPDATE version SET name = '1.0.0+b', document = replace(document, '1.0.1', '1.0.0+b') WHERE name = '1.0.1'; " +
      "UPDATE node SET full_path = replace(full_path, '1.0.1', '1.0.0+b')",
  );
  expect((await api.npm("GET", "/pear/-/pear-1.0.0+b.tgz")).body.equals(content)).toBe(
    true,
  );
  const { json } = await api.npm("GET", "/pear?write=true");
  expect(Object.keys(json["versions"] as object)).toEqual(["1.0.0", "1.0.0+b"]);
  expect((await publish("pear", "1.0.0+b", content)).json["error"]).toBe(
    "you cannot publish over the previously published version: pear@1.0.0+b",
  );
  expect((await put("pear", json)).status).toBe(200);
  const { "1.0.0+b": _, ...left } = json["versions"] as Record<string, unknown>;
  expect(
    (
      await api.npm("PUT", `/pear/-rev/${String(json["_rev"])}`, {
        body: { ...json, "dist-tags": { latest: "1.0.0" }, versions: left },
      })
    ).status,
  ).toBe(200);
  expect(Object.keys((await api.npm("GET", "/pear")).json["versions"] as object)).toEqual(
    ["1.0.0"],
  );
});

const tarball = random(5_000);
const whole = publication("pear", "1.0.0", tarball);
const version = whole.versions["1.0.0"] ?? {};
const withDist = (dist: object) => ({
  ...whole,
  versions: { "1.0.0": { ...version, dist } },
});

test('packages with names like "constructor" or "__proto__" work, and change no JavaScript prototype', async () => {
  const hostile = JSON.stringify(publication("constructor", "1.0.0", tarball)).replace(
    '"name":',
    '"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"name":',
  );
  expect((await put("constructor", Buffer.from(hostile))).status).toBe(201);
  await api.npm("PUT", "/-/package/constructor/dist-tags/__proto__", { body: "1.0.0" });
  await publish("hasOwnProperty", "1.0.0", random(10), {
    document: JSON.parse(
      '{"__proto__":{"polluted":1},"dependencies":{"__proto__":"1"}}',
    ) as object,
  });
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  const { body } = await api.npm("GET", "/constructor");
  expect(JSON.parse(body.toString())).toHaveProperty(
    ["versions", "1.0.0", "name"],
    "constructor",
  );
  expect((await api.npm("GET", "/-/package/constructor/dist-tags")).body.toString()).toBe(
    '{"latest":"1.0.0","__proto__":"1.0.0"}',
  );
  expect((await api.npm("GET", "/toString")).status).toBe(404);
  expect((await api.npm("GET", "/constructor/toString")).status).toBe(404);
});

test("a publication that arrives byte by byte, attachments first, with rare escapes, is read correctly", async () => {
  const content = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 7) % 256));
  const { _attachments, ...rest } = publication("pear", "1.0.0", content, {
    document: {
      description: 'a "quoted" \\ backslash, _attachments: {"data": "x"}',
      _attachments: { x: { data: "kept" } },
    },
  });
  const encoded = content
    .toString("base64")
    .replaceAll("/", "\\/")
    .replaceAll("+", "\\u002b");
  const attached = `{"pear-1.0.0.tgz":{"content_type":"a","data":"${encoded}","length":300}}`;
  const text = `{ "\\u005fattachments" : ${attached} , ${JSON.stringify(rest).slice(1)}`;
  expect(encoded).toMatch(/\\\/.*\\u002b|\\u002b.*\\\//);
  const letters = [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
  const answer = await send(
    api.port,
    "PUT",
    `${api.base}/pear`,
    { "content-type": "application/json" },
    letters,
  );
  expect([answer.status, answer.body.toString()]).toEqual([
    201,
    expect.stringContaining('"ok":true'),
  ]);
  expect((await api.npm("GET", "/pear/-/pear-1.0.0.tgz")).body.equals(content)).toBe(
    true,
  );
  expect((await api.npm("GET", "/pear/1.0.0")).json).toMatchObject({
    description: expect.stringContaining('a "quoted" \\'),
    _attachments: { x: { data: "kept" } },
  });
});

test("integrity and shasum of a tarball are added if the client leaves them out", async () => {
  await put("pear", withDist({}));
  const { dist } = (await api.npm("GET", "/pear/1.0.0")).json;
  expect(dist).toEqual({
    integrity: integrity(tarball),
    shasum: createHash("sha1").update(tarball).digest("hex"),
    tarball: `${api.registry}/pear/-/pear-1.0.0.tgz`,
  });
});

test("an npm publication that is cut off leaves nothing behind", async () => {
  const bytes = Buffer.from(
    JSON.stringify(publication("pear", "1.0.0", random(600_000))),
  );
  for (const length of [200, 400_000, bytes.length - 1]) {
    const socket = connect(api.port, "127.0.0.1");
    socket.write(
      `PUT ${api.base}/pear HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${LOGIN}\r\n` +
        `Content-Length: ${bytes.length}\r\n\r\n`,
    );
    await new Promise((resolve) => void socket.write(bytes.subarray(0, length), resolve));
    socket.destroy();
  }
  await expect
    .poll(
      () =>
        api.logs.filter(
          ({ facts }) => facts["method"] === "PUT" && facts["status"] === 400,
        ).length,
    )
    .toBe(3);
  expect(stored()).toEqual(NOTHING);
  expect(api.logs.filter(({ level }) => level === "error")).toEqual([]);
});

test("16 npm versions can be published at once, and one version published twice at once exists once", async () => {
  const contents = Array.from({ length: 16 }, () => random(30_000));
  const answers = await Promise.all(
    contents.map((content, i) =>
      publish("@s/pear", `1.${i}.0`, content, { tag: `t${i}` }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(contents.map(() => 201));
  const { json } = await api.npm("GET", "/@s%2fpear");
  const versions = json["versions"] as Record<string, { dist: { integrity: string } }>;
  expect(contents.map((_, i) => versions[`1.${i}.0`]?.dist.integrity)).toEqual(
    contents.map(integrity),
  );
  expect(json["dist-tags"]).toEqual({
    latest: "1.15.0",
    ...Object.fromEntries(contents.map((_, i) => [`t${i}`, `1.${i}.0`])),
  });

  const both = [random(30_000), random(30_000)];
  const race = await Promise.all(
    both.map((content) => publish("@s/pear", "2.0.0", content)),
  );
  expect(race.map(({ status }) => status).sort()).toEqual([201, 409]);
  const winner = both[race.findIndex(({ status }) => status === 201)] ?? random(1);
  expect((await api.npm("GET", "/@s/pear/-/pear-2.0.0.tgz")).body.equals(winner)).toBe(
    true,
  );
  expect((await api.npm("GET", "/@s/pear/2.0.0")).json["dist"]).toMatchObject({
    integrity: integrity(winner),
  });
});

const rss = (pid: number, field: "VmRSS" | "VmHWM") =>
  Number(
    new RegExp(`${field}:\\s+(\\d+)`).exec(
      readFileSync(`/proc/${pid}/status`, "utf8"),
    )?.[1] ?? 0,
  ) / 1024;

test.skipIf(process.platform !== "linux")(
  "a tarball of 100 MiB is published with less than 100 MiB of additional memory",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "npm-large-"));
    const server = await forkApi(directory);
    const create = JSON.stringify({ projectId: "demo", name: "packages", type: "NPM" });
    await send(
      server.port,
      "POST",
      "/repository/api/repo/create",
      { "content-type": "application/json" },
      [Buffer.from(create)],
    );
    const npm = npmCaller(server.port, "/npm/demo/packages");
    await npm("PUT", "/warm", { body: publication("warm", "1.0.0", random(100_000)) });
    const before = rss(server.pid, "VmRSS");
    const piece = random(3 * MIB);
    const hash = createHash("sha512");
    for (let i = 0; i < 34; i += 1) hash.update(piece);
    const document = {
      name: "large",
      version: "1.0.0",
      dist: { integrity: `sha512-${hash.digest("base64")}` },
    };
    const body = (function* () {
      yield Buffer.from(
        `{"name":"large","versions":{"1.0.0":${JSON.stringify(document)}},"_attachments":{"large-1.0.0.tgz":{"data":"`,
      );
      for (let i = 0; i < 34; i += 1) yield Buffer.from(piece.toString("base64"));
      yield Buffer.from('"}}}');
    })();
    const start = performance.now();
    const answer = await send(server.port, "PUT", "/npm/demo/packages/large", {}, body);
    const ms = performance.now() - start;
    expect([answer.status, answer.body.toString()]).toEqual([
      201,
      expect.stringContaining('"ok":true'),
    ]);
    const grown = rss(server.pid, "VmHWM") - before;
    const got = await npm("GET", "/large/-/large-1.0.0.tgz");
    expect([
      got.body.length,
      sha256(got.body.subarray(0, piece.length)),
      sha256(got.body.subarray(-piece.length)),
    ]).toEqual([34 * piece.length, sha256(piece), sha256(piece)]);
    await server.kill();
    rmSync(directory, { recursive: true, force: true });
    console.log(
      `a tarball of 102 MiB: ${Math.round(ms)} ms, ` +
        `memory ${Math.round(before)} MiB and at most ${Math.round(grown)} MiB more`,
    );
    expect(grown).toBeLessThan(100);
  },
);
