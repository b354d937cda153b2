import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { haveBlobs } from "../../db/content/blobs.ts";
import { FILES_MEDIA_TYPE, SYNC_LIMITS, SYNC_PREFIX } from "../../domain/sync.ts";
import { basic } from "../rigs/api/api-fixture.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import {
  frameFiles as frame,
  statedFile as file,
} from "../rigs/transfer/file-statement-fixture.ts";
import { startInstance, type Instance } from "../rigs/transfer/instance-fixture.ts";
import {
  callProtocol,
  createRepository,
  JSON_TYPE,
} from "../rigs/transfer/protocol-fixture.ts";

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
  await createRepository(target, remote.repoName, "GENERIC");
});

const call = (
  method: string,
  path: string,
  body?: Uint8Array | string,
  headers: Record<string, string> = {},
) => callProtocol(target, method, path, body, headers);
const post = (body: Uint8Array, path = `/files/copies/${remote.repoName}`) =>
  call("POST", path, body, { "content-type": FILES_MEDIA_TYPE });
const fetchFile = (path: string) => target.fetchFile(path, remote);
const isThere = (content: Buffer) =>
  haveBlobs(target.db, [sha256(content)], Date.now()).size > 0;

describe("a statement of files", () => {
  it("a content with a wrong digest in a statement fails only its file and is not stored", async () => {
    const [good, changed, alsoGood] = [
      randomBytes(500),
      randomBytes(500),
      randomBytes(200_000),
    ];
    const files = [
      file(good, { path: "/a" }),
      file(randomBytes(500), { path: "/b" }),
      file(alsoGood, { path: "/c" }),
    ];
    const { data } = await post(frame(files, [good, changed, alsoGood]));
    expect(data).toEqual({
      files: [{ result: "made" }, { result: "damaged" }, { result: "made" }],
    });
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
    "a file with the path %j in a statement is refused, and the other files are handled",
    async (_shown, path) => {
      const content = randomBytes(10);
      const { status, data } = await post(
        frame(
          [file(content, { path }), file(content, { path: "/good", attached: false })],
          [content],
        ),
      );
      expect(status).toBe(200);
      expect(data).toMatchObject({
        files: [{ result: "refused", code: 251011 }, { result: "need" }],
      });
    },
  );

  it("a declared file is refused if the target has a folder at its path, or a file at a parent", async () => {
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
    ["ends within its length field", Buffer.from([0, 0])],
    ["has a length beyond its end", Buffer.from([0, 0, 1, 0, 123, 125])],
    [
      "has a length of 4 GiB",
      Buffer.concat([Buffer.from([255, 255, 255, 255]), content]),
    ],
    ["does not contain JSON", Buffer.from([0, 0, 0, 2, 123, 123])],
    ["is a JSON list", Buffer.from([0, 0, 0, 2, 91, 93])],
    ["has too few content bytes", cut.subarray(0, cut.length - 1)],
    ["has too many content bytes", Buffer.concat([cut, Buffer.from([1])])],
    ["has no files", frame([], [], { files: undefined })],
    ["has null for a file", frame([null])],
    ["has an unknown strategy", frame([], [], { conflictStrategy: "MERGE" })],
    ["has an unknown type", frame([], [], { type: "__proto__" })],
    ["has no includeMetadata", frame([], [], { includeMetadata: undefined })],
    ["has a negative size", frame([{ ...file(content), size: -1 }], [content])],
    [
      "has a size that is not an integer",
      frame([{ ...file(content), size: 1.5 }], [content]),
    ],
    ["has a size of 1e300 bytes", frame([{ ...file(content), size: 1e300 }], [content])],
    [
      "has a file above the limit attached",
      frame([{ ...file(content), size: MIB + 1 }], [content]),
    ],
    [
      "has a digest in capitals",
      frame([{ ...file(content), sha256: sha256(content).toUpperCase() }], [content]),
    ],
    [
      "has a digest that is a path",
      frame([{ ...file(content), sha256: "../../etc/passwd" }], [content]),
    ],
    [
      "has metadata that is not text",
      frame([{ ...file(content), metadata: { a: 1 } }], [content]),
    ],
    ["has no metadata", frame([{ ...file(content), metadata: null }], [content])],
    [
      "has a date that is not valid",
      frame([{ ...file(content), createdDate: 1e17 }], [content]),
    ],
    [
      "has a user name that is too long",
      frame([{ ...file(content), createdBy: "x".repeat(300) }], [content]),
    ],
    [
      "names a path twice",
      frame([file(content, { attached: false }), file(content, { attached: false })]),
    ],
    [
      "has too many files",
      frame(
        Array.from({ length: SYNC_LIMITS.files + 1 }, (_, i) =>
          file(content, { path: `/${i}`, attached: false }),
        ),
      ),
    ],
  ])("a statement of files that %s is refused as a whole", async (_name, body) => {
    const { status, code, data } = await post(body);
    expect([status, code, data]).toEqual([400, 250106, null]);
    expect(await fetchFile("/f")).toBeNull();
    expect(isThere(content)).toBe(false);
  });

  it("a statement of files larger than the limits is refused with 413", async () => {
    const body = Buffer.alloc(SYNC_LIMITS.contentBytes + SYNC_LIMITS.statementBytes + 5);
    expect(await post(body)).toMatchObject({ status: 413, code: 250106 });
    const head = Buffer.alloc(4);
    head.writeUInt32BE(SYNC_LIMITS.statementBytes + 1);
    expect(
      await post(Buffer.concat([head, Buffer.alloc(SYNC_LIMITS.statementBytes + 1)])),
    ).toMatchObject({
      status: 413,
    });
  });

  it('a declared file may have metadata with names like "__proto__"', async () => {
    const content = randomBytes(30);
    const metadata = JSON.parse('{"__proto__":"x","constructor":"y","":"z"}') as Record<
      string,
      string
    >;
    await post(frame([file(content, { metadata })], [content]));
    expect(
      (await post(frame([file(content, { metadata, attached: false })]))).data,
    ).toEqual({
      files: [{ result: "same" }],
    });
    const row = target.db.$client
      .prepare("SELECT metadata FROM node WHERE sha256 = ?")
      .pluck()
      .get(sha256(content));
    expect(row).toBe('{"__proto__":"x","constructor":"y","":"z"}');
  });

  it("a statement is refused without its media type, a login and an existing hosted repository", async () => {
    expect(
      await call("POST", `/files/copies/${remote.repoName}`, cut, JSON_TYPE),
    ).toMatchObject({
      status: 415,
      code: 250119,
    });
    expect(
      await call("POST", `/files/copies/${remote.repoName}`, cut, {
        "content-type": FILES_MEDIA_TYPE,
        authorization: basic("admin:wrong"),
      }),
    ).toMatchObject({ status: 401 });
    expect(await post(cut, "/files/copies/nowhere")).toMatchObject({
      status: 404,
      code: 251006,
    });
    expect(await post(cut, "/files/nowhere/files")).toMatchObject({
      status: 404,
      code: 251004,
    });
    expect(await post(cut, "/files/%2e%2e%2f/files")).toMatchObject({ status: 400 });
  });
});

it("the OpenAPI document lists every path of the replication protocol", async () => {
  const answer = await fetch(`${target.url}/openapi.json`);
  const { paths } = (await answer.json()) as { paths: Record<string, object> };
  const ours = Object.entries(paths).filter(([path]) => path.startsWith(SYNC_PREFIX));
  expect(
    Object.fromEntries(
      ours.map(([path, methods]) => [
        path.slice(SYNC_PREFIX.length),
        Object.keys(methods),
      ]),
    ),
  ).toEqual({
    "/capabilities": ["get"],
    "/repositories/{projectId}/{repoName}": ["post"],
    "/files/{projectId}/{repoName}": ["post"],
    "/versions/{projectId}/{repoName}": ["post"],
    "/uploads": ["post"],
    "/uploads/{id}": ["get", "patch", "put", "delete"],
  });
});
