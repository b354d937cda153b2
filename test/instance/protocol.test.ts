import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { haveBlobs } from "../../db/content/blobs.ts";
import {
  encodeStatement,
  FILES_MEDIA_TYPE,
  SYNC_LIMITS,
  SYNC_PREFIX,
  type StatedFile,
  type Statement,
} from "../../domain/sync.ts";
import { ADMIN, basic } from "../rigs/api/api-fixture.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import { startInstance, type Instance } from "../rigs/transfer/instance-fixture.ts";

const MIB = 1024 * 1024;

let target: Instance;
let remote = { projectId: "copies", repoName: "" };
let repositories = 0;

beforeAll(async () => {
  target = await startInstance();
});

afterAll(async () => {
  await target.stop();
  target.remove();
});

beforeEach(async () => {
  remote = { ...remote, repoName: `files${repositories++}` };
  await call("POST", `/repositories/${remote.projectId}/${remote.repoName}`, `{"type":"GENERIC"}`, json);
});

type Answer = { status: number; code: number; message: string | null; data: unknown };

async function call(
  method: string,
  path: string,
  body?: Uint8Array | string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await fetch(`${target.url}${SYNC_PREFIX}${path}`, {
    method,
    headers: { authorization: basic(`${ADMIN.username}:${ADMIN.password}`), ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const envelope = (await answer.json()) as Omit<Answer, "status">;
  return { ...envelope, status: answer.status };
}

const json = { "content-type": "application/json" };
const post = (body: Uint8Array, path = `/files/copies/${remote.repoName}`) =>
  call("POST", path, body, { "content-type": FILES_MEDIA_TYPE });
const fetchFile = (path: string) => target.fetchFile(path, remote);

function file(content: Buffer, changes: Partial<StatedFile> = {}): StatedFile {
  const dates = { createdBy: "ann", createdDate: 1, lastModifiedBy: "ann", lastModifiedDate: 2 };
  return {
    path: "/f",
    size: content.length,
    sha256: sha256(content),
    metadata: {},
    attached: true,
    ...dates,
    ...changes,
  };
}

function frame(
  files: unknown[],
  contents: Buffer[] = [],
  changes: Partial<Record<keyof Statement, unknown>> = {},
): Buffer {
  const statement = { type: "GENERIC", conflictStrategy: "SKIP", includeMetadata: true, files, ...changes };
  return Buffer.concat([encodeStatement(statement as Statement), ...contents]);
}

const isThere = (content: Buffer) => haveBlobs(target.db, [sha256(content)], Date.now()).size > 0;

describe("a batch of files", () => {
  it("with a wrong digest fails that file alone and leaves nothing of it", async () => {
    const [good, changed, alsoGood] = [randomBytes(500), randomBytes(500), randomBytes(200_000)];
    const files = [file(good, { path: "/a" }), file(randomBytes(500), { path: "/b" }), file(alsoGood, { path: "/c" })];
    const { data } = await post(frame(files, [good, changed, alsoGood]));
    expect(data).toEqual({ files: [{ result: "made" }, { result: "damaged" }, { result: "made" }] });
    expect(await fetchFile("/a")).toEqual(good);
    expect(await fetchFile("/b")).toBeNull();
    expect(await fetchFile("/c")).toEqual(alsoGood);
    expect(isThere(changed)).toBe(false);
  });

  const badPaths = [
    "/../outside",
    "/a/../../outside",
    "/a/./b",
    "/%2e%2e/outside",
    "relative",
    "//a",
    "/a/",
    "/",
    "",
    "/a\u0000b",
    "/a\nb",
    "/a\\..\\b",
    `/${"x".repeat(256)}`,
    `/${"x/".repeat(600)}x`,
  ];
  it.each(badPaths.map((path) => [path.slice(0, 24), path]))(
    "refuses the path %j and judges the others",
    async (_shown, path) => {
      const content = randomBytes(10);
      const { status, data } = await post(
        frame([file(content, { path }), file(content, { path: "/good", attached: false })], [content]),
      );
      expect(status).toBe(200);
      expect(data).toMatchObject({ files: [{ result: "refused", code: 251011 }, { result: "need" }] });
    },
  );

  it("refuses a file where a folder is and below a file", async () => {
    const content = randomBytes(10);
    await post(frame([file(content, { path: "/folder/file" })], [content]));
    const files = [
      file(content, { path: "/folder", attached: false }),
      file(content, { path: "/folder/file/below", attached: false }),
    ];
    const { data } = await post(frame(files));
    expect(data).toMatchObject({
      files: [
        { result: "refused", code: 251012 },
        { result: "refused", code: 251012 },
      ],
    });
  });

  const content = randomBytes(30);
  const cut = frame([file(content)], [content]);
  it.each<[string, Buffer]>([
    ["is empty", Buffer.alloc(0)],
    ["ends within the length", Buffer.from([0, 0])],
    ["has a length beyond its end", Buffer.from([0, 0, 1, 0, 123, 125])],
    ["has a length of 4 GiB", Buffer.concat([Buffer.from([255, 255, 255, 255]), content])],
    ["has no JSON", Buffer.from([0, 0, 0, 2, 123, 123])],
    ["has a list instead of a statement", Buffer.from([0, 0, 0, 2, 91, 93])],
    ["has too few content bytes", cut.subarray(0, cut.length - 1)],
    ["has too many content bytes", Buffer.concat([cut, Buffer.from([1])])],
    ["has no files", frame([], [], { files: undefined })],
    ["has null for a file", frame([null])],
    ["has an unknown strategy", frame([], [], { conflictStrategy: "MERGE" })],
    ["has an unknown type", frame([], [], { type: "__proto__" })],
    ["has no includeMetadata", frame([], [], { includeMetadata: undefined })],
    ["has a negative size", frame([{ ...file(content), size: -1 }], [content])],
    ["has a size that is no whole number", frame([{ ...file(content), size: 1.5 }], [content])],
    ["has a size beyond all reason", frame([{ ...file(content), size: 1e300 }], [content])],
    ["has a file above the limit attached", frame([{ ...file(content), size: MIB + 1 }], [content])],
    ["has a digest in capitals", frame([{ ...file(content), sha256: sha256(content).toUpperCase() }], [content])],
    ["has a digest that is a path", frame([{ ...file(content), sha256: "../../etc/passwd" }], [content])],
    ["has metadata that are no texts", frame([{ ...file(content), metadata: { a: 1 } }], [content])],
    ["has no metadata", frame([{ ...file(content), metadata: null }], [content])],
    ["has a date that is none", frame([{ ...file(content), createdDate: 1e17 }], [content])],
    ["has a name that is none", frame([{ ...file(content), createdBy: "x".repeat(300) }], [content])],
    ["names a path twice", frame([file(content, { attached: false }), file(content, { attached: false })])],
    [
      "has too many files",
      frame(Array.from({ length: SYNC_LIMITS.files + 1 }, (_, i) => file(content, { path: `/${i}`, attached: false }))),
    ],
  ])("that %s is refused whole", async (_name, body) => {
    const { status, code, data } = await post(body);
    expect([status, code, data]).toEqual([400, 250106, null]);
    expect(await fetchFile("/f")).toBeNull();
    expect(isThere(content)).toBe(false);
  });

  it("that is larger than the limits is refused before it is read", async () => {
    const body = Buffer.alloc(SYNC_LIMITS.contentBytes + SYNC_LIMITS.statementBytes + 5);
    expect(await post(body)).toMatchObject({ status: 413, code: 250106 });
    const head = Buffer.alloc(4);
    head.writeUInt32BE(SYNC_LIMITS.statementBytes + 1);
    expect(await post(Buffer.concat([head, Buffer.alloc(SYNC_LIMITS.statementBytes + 1)]))).toMatchObject({
      status: 413,
    });
  });

  it("takes metadata under any name", async () => {
    const content = randomBytes(30);
    const metadata = JSON.parse('{"__proto__":"x","constructor":"y","":"z"}') as Record<string, string>;
    await post(frame([file(content, { metadata })], [content]));
    expect((await post(frame([file(content, { metadata, attached: false })]))).data).toEqual({
      files: [{ result: "same" }],
    });
    const row = target.db.$client.prepare("SELECT metadata FROM node WHERE sha256 = ?").pluck().get(sha256(content));
    expect(row).toBe('{"__proto__":"x","constructor":"y","":"z"}');
  });

  it("needs its media type, a login and a hosted repository that is there", async () => {
    expect(await call("POST", `/files/copies/${remote.repoName}`, cut, json)).toMatchObject({
      status: 415,
      code: 250119,
    });
    expect(
      await call("POST", `/files/copies/${remote.repoName}`, cut, {
        "content-type": FILES_MEDIA_TYPE,
        authorization: basic("admin:wrong"),
      }),
    ).toMatchObject({ status: 401 });
    expect(await post(cut, "/files/copies/nowhere")).toMatchObject({ status: 404, code: 251006 });
    expect(await post(cut, "/files/nowhere/files")).toMatchObject({ status: 404, code: 251004 });
    expect(await post(cut, "/files/%2e%2e%2f/files")).toMatchObject({ status: 400 });
  });
});

describe("an upload", () => {
  let content: Buffer;
  let said: string;
  let path: string;

  beforeEach(async () => {
    content = randomBytes(3000);
    said = JSON.stringify({ sha256: sha256(content), size: content.length });
    const { data } = await call("POST", "/uploads", said, json);
    path = `/uploads/${(data as { id: string }).id}`;
  });

  const append = (offset: string, bytes: Buffer) =>
    call("PATCH", path, bytes, { "content-type": "application/octet-stream", "upload-offset": offset });

  it("goes in pieces, tells its offset, and is verified at its end", async () => {
    expect((await append("0", content.subarray(0, 1000))).data).toMatchObject({ offset: 1000, done: false });
    expect((await call("GET", path)).data).toMatchObject({ offset: 1000, done: false });
    expect((await append("1000", content.subarray(1000))).data).toMatchObject({ offset: 3000 });
    expect((await call("PUT", path, said, json)).data).toMatchObject({ offset: 3000, done: true });
    expect((await call("POST", "/uploads", said, json)).data).toEqual({ id: "", offset: 3000, done: true });
    expect((await post(frame([file(content, { attached: false })]))).data).toEqual({ files: [{ result: "made" }] });
    expect(await fetchFile("/f")).toEqual(content);
  });

  it("at another offset is refused and says where it stands", async () => {
    await append("0", content.subarray(0, 1000));
    expect(await append("900", content)).toMatchObject({ status: 409, message: expect.stringContaining("1000") });
    expect((await call("GET", path)).data).toMatchObject({ offset: 1000 });
  });

  it.each(["-1", "1e3", "", "0x10", "99999999999999999999"])("with the offset %j is refused", async (offset) => {
    expect(await append(offset, content)).toMatchObject({ status: 400 });
  });

  it("whose content is another leaves nothing", async () => {
    await append("0", randomBytes(3000));
    expect(await call("PUT", path, said, json)).toMatchObject({ status: 400, code: 251003 });
    expect(await call("GET", path)).toMatchObject({ status: 404 });
    expect(isThere(content)).toBe(false);
  });

  it("that is ended too early leaves nothing", async () => {
    await append("0", content.subarray(0, 2999));
    expect(await call("PUT", path, said, json)).toMatchObject({ status: 400, code: 251003 });
    expect(await call("GET", path)).toMatchObject({ status: 404 });
  });

  it("takes no more than a chunk at once", async () => {
    expect(await append("0", Buffer.alloc(SYNC_LIMITS.chunkBytes + 1))).toMatchObject({ status: 413 });
  });

  it("that was given up is gone, and so is what never was", async () => {
    expect(await call("DELETE", path)).toMatchObject({ status: 200 });
    for (const id of [path, "/uploads/0123456789abcdef01234567", "/uploads/%2e%2e%2fx"]) {
      expect(await call("GET", id)).toMatchObject({ status: 404 });
      expect(await call("PUT", id, said, json)).toMatchObject({ status: 404 });
      expect(await call("PATCH", id, content, { "upload-offset": "0" })).toMatchObject({ status: 404 });
    }
  });
});

describe("an upload whose sha256 nobody knows at its beginning", () => {
  const content = randomBytes(3000);
  const digests = Object.fromEntries(
    ["sha256", "sha512", "sha1", "md5"].map((name) => [name, createHash(name).update(content).digest("hex")]),
  );

  async function upload(beginning: object, end: object, bytes = content): Promise<Answer> {
    const { data } = await call("POST", "/uploads", JSON.stringify(beginning), json);
    expect(data).toEqual({ id: expect.stringMatching(/^[0-9a-f]{24}$/), offset: 0, done: false });
    const path = `/uploads/${(data as { id: string }).id}`;
    await call("PATCH", path, bytes.subarray(0, 1000), { "upload-offset": "0" });
    await call("PATCH", path, bytes.subarray(1000), { "upload-offset": "1000" });
    return call("PUT", path, JSON.stringify(end), json);
  }

  it("is told among the features", async () => {
    expect((await call("GET", "/capabilities")).data).toMatchObject({
      version: 1,
      features: ["uploadsWithoutDigest", "versionsByOtherDigests"],
    });
  });

  it.each<[string, object, object]>([
    ["nothing", {}, {}],
    ["nulls", { sha256: null, size: null }, { sha256: null, size: null, sha512: null, sha1: null, md5: null }],
    ["its size", { size: 3000 }, { size: 3000 }],
    ["its sha512", {}, { sha512: digests["sha512"] }],
    ["its sha1 and size", { size: 3000 }, { sha1: digests["sha1"], size: 3000 }],
    ["its md5", {}, { md5: digests["md5"] }],
    ["all of its digests", {}, digests],
  ])("begins and ends with %s, and answers what it is", async (_, beginning, end) => {
    const { status, data } = await upload(beginning, end);
    expect(status).toBe(200);
    expect(data).toEqual({ id: expect.any(String), offset: 3000, done: true, sha256: sha256(content), size: 3000 });
    expect(isThere(content)).toBe(true);
  });

  it.each<[string, object]>([
    ["sha256", { sha256: sha256("other") }],
    ["sha512", { sha512: "0".repeat(128) }],
    ["sha1", { sha1: "0".repeat(40) }],
    ["md5", { md5: "0".repeat(32) }],
    ["size", { size: 2999 }],
  ])("and that has another %s than is said at its end is refused, and nothing of it is kept", async (name, end) => {
    const other = randomBytes(3000);
    expect(await upload({}, end, other)).toMatchObject({
      status: 400,
      code: 251003,
      message: expect.stringContaining(`[${name}]`),
    });
    expect(isThere(other)).toBe(false);
  });

  it.each([{ sha512: "0" }, { sha1: "X".repeat(40) }, { md5: 5 }, { size: -1 }, { sha256: "x" }])(
    "is refused at its end with %j",
    async (end) => {
      expect(await upload({}, end)).toMatchObject({ status: 400 });
    },
  );

  it("is not needed where the sha256 alone is known and the content is there", async () => {
    await upload({}, {});
    const answer = await call("POST", "/uploads", JSON.stringify({ sha256: sha256(content) }), json);
    expect(answer.data).toEqual({ id: "", offset: 3000, done: true });
  });

  it("goes on after a restart of the instance", async () => {
    const first = await startInstance();
    const begun = await send(first, "POST", "/uploads", "{}");
    const path = `/uploads/${(begun as { id: string }).id}`;
    await send(first, "PATCH", path, content.subarray(0, 1500), { "upload-offset": "0" });
    await first.stop();
    const second = await startInstance({ dataDir: first.dataDir });
    expect(await send(second, "GET", path)).toMatchObject({ offset: 1500, done: false });
    await send(second, "PATCH", path, content.subarray(1500), { "upload-offset": "1500" });
    expect(await send(second, "PUT", path, JSON.stringify({ sha1: digests["sha1"] }))).toMatchObject({
      done: true,
      sha256: sha256(content),
      size: 3000,
    });
    await second.stop();
    second.remove();
  });
});

async function send(
  { url }: Instance,
  method: string,
  path: string,
  body?: Uint8Array | string,
  headers: Record<string, string> = json,
): Promise<unknown> {
  const login = { authorization: basic(`${ADMIN.username}:${ADMIN.password}`) };
  const answer = await fetch(`${url}${SYNC_PREFIX}${path}`, {
    method,
    headers: { ...login, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  return ((await answer.json()) as Answer).data;
}

it("is documented whole", async () => {
  const answer = await fetch(`${target.url}/openapi.json`);
  const { paths } = (await answer.json()) as { paths: Record<string, object> };
  const ours = Object.entries(paths).filter(([path]) => path.startsWith(SYNC_PREFIX));
  expect(
    Object.fromEntries(ours.map(([path, methods]) => [path.slice(SYNC_PREFIX.length), Object.keys(methods)])),
  ).toEqual({
    "/capabilities": ["get"],
    "/repositories/{projectId}/{repoName}": ["post"],
    "/files/{projectId}/{repoName}": ["post"],
    "/versions/{projectId}/{repoName}": ["post"],
    "/uploads": ["post"],
    "/uploads/{id}": ["get", "patch", "put", "delete"],
  });
});
