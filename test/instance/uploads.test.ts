import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { haveBlobs } from "../../db/content/blobs.ts";
import { FILES_MEDIA_TYPE, SYNC_LIMITS } from "../../domain/sync.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import {
  frameFiles as frame,
  statedFile as file,
} from "../rigs/transfer/file-statement-fixture.ts";
import { startInstance, type Instance } from "../rigs/transfer/instance-fixture.ts";
import {
  callProtocol,
  createRepository,
  JSON_TYPE,
  type ProtocolAnswer,
} from "../rigs/transfer/protocol-fixture.ts";

let target: Instance;

beforeAll(async () => {
  target = await startInstance();
});

afterAll(async () => {
  await target.stop();
  target.remove();
});

const call = (
  method: string,
  path: string,
  body?: Uint8Array | string,
  headers: Record<string, string> = {},
) => callProtocol(target, method, path, body, headers);
const isThere = (content: Buffer) =>
  haveBlobs(target.db, [sha256(content)], Date.now()).size > 0;

describe("an upload session", () => {
  let content: Buffer;
  let said: string;
  let path: string;

  beforeEach(async () => {
    content = randomBytes(3000);
    said = JSON.stringify({ sha256: sha256(content), size: content.length });
    const { data } = await call("POST", "/uploads", said, JSON_TYPE);
    path = `/uploads/${(data as { id: string }).id}`;
  });

  const append = (offset: string, bytes: Buffer) =>
    call("PATCH", path, bytes, {
      "content-type": "application/octet-stream",
      "upload-offset": offset,
    });

  it("an upload is sent in pieces, reports its offset, and is verified at its end", async () => {
    expect((await append("0", content.subarray(0, 1000))).data).toMatchObject({
      offset: 1000,
      done: false,
    });
    expect((await call("GET", path)).data).toMatchObject({ offset: 1000, done: false });
    expect((await append("1000", content.subarray(1000))).data).toMatchObject({
      offset: 3000,
    });
    expect((await call("PUT", path, said, JSON_TYPE)).data).toMatchObject({
      offset: 3000,
      done: true,
    });
    expect((await call("POST", "/uploads", said, JSON_TYPE)).data).toEqual({
      id: "",
      offset: 3000,
      done: true,
    });
    const repoName = unique("files-");
    await createRepository(target, repoName, "GENERIC");
    const statement = frame([file(content, { attached: false })]);
    const answer = await call("POST", `/files/copies/${repoName}`, statement, {
      "content-type": FILES_MEDIA_TYPE,
    });
    expect(answer.data).toEqual({ files: [{ result: "made" }] });
    expect(await target.fetchFile("/f", { projectId: "copies", repoName })).toEqual(
      content,
    );
  });

  it("an upload's piece at a wrong offset is refused, and the answer has the current offset", async () => {
    await append("0", content.subarray(0, 1000));
    expect(await append("900", content)).toMatchObject({
      status: 409,
      message: expect.stringContaining("1000"),
    });
    expect((await call("GET", path)).data).toMatchObject({ offset: 1000 });
  });

  it.each(["-1", "1e3", "", "0x10", "99999999999999999999"])(
    "an upload's piece with the invalid offset %j is refused",
    async (offset) => {
      expect(await append(offset, content)).toMatchObject({ status: 400 });
    },
  );

  it("an upload whose content differs from the announced digest is refused and not kept", async () => {
    await append("0", randomBytes(3000));
    expect(await call("PUT", path, said, JSON_TYPE)).toMatchObject({
      status: 400,
      code: 251003,
    });
    expect(await call("GET", path)).toMatchObject({ status: 404 });
    expect(isThere(content)).toBe(false);
  });

  it("an upload that ends before its announced size is refused and not kept", async () => {
    await append("0", content.subarray(0, 2999));
    expect(await call("PUT", path, said, JSON_TYPE)).toMatchObject({
      status: 400,
      code: 251003,
    });
    expect(await call("GET", path)).toMatchObject({ status: 404 });
  });

  it("an upload's piece larger than the maximum chunk is refused", async () => {
    expect(await append("0", Buffer.alloc(SYNC_LIMITS.chunkBytes + 1))).toMatchObject({
      status: 413,
    });
  });

  it("an upload that was aborted is not found, and neither is an unknown one", async () => {
    expect(await call("DELETE", path)).toMatchObject({ status: 200 });
    for (const id of [path, "/uploads/0123456789abcdef01234567", "/uploads/%2e%2e%2fx"]) {
      expect(await call("GET", id)).toMatchObject({ status: 404 });
      expect(await call("PUT", id, said, JSON_TYPE)).toMatchObject({ status: 404 });
      expect(await call("PATCH", id, content, { "upload-offset": "0" })).toMatchObject({
        status: 404,
      });
    }
  });
});

describe("an upload without a sha256", () => {
  const content = randomBytes(3000);
  const digests = Object.fromEntries(
    ["sha256", "sha512", "sha1", "md5"].map((name) => [
      name,
      createHash(name).update(content).digest("hex"),
    ]),
  );

  async function upload(
    beginning: object,
    end: object,
    bytes = content,
  ): Promise<ProtocolAnswer> {
    const { data } = await call("POST", "/uploads", JSON.stringify(beginning), JSON_TYPE);
    expect(data).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
      offset: 0,
      done: false,
    });
    const path = `/uploads/${(data as { id: string }).id}`;
    await call("PATCH", path, bytes.subarray(0, 1000), { "upload-offset": "0" });
    await call("PATCH", path, bytes.subarray(1000), { "upload-offset": "1000" });
    return call("PUT", path, JSON.stringify(end), JSON_TYPE);
  }

  it("the capabilities of an instance name the features of this release", async () => {
    expect((await call("GET", "/capabilities")).data).toMatchObject({
      version: 1,
      features: ["uploadsWithoutDigest", "versionsByOtherDigests"],
    });
  });

  it.each<[string, object, object]>([
    ["nothing", {}, {}],
    [
      "null fields",
      { sha256: null, size: null },
      { sha256: null, size: null, sha512: null, sha1: null, md5: null },
    ],
    ["its size", { size: 3000 }, { size: 3000 }],
    ["its sha512", {}, { sha512: digests["sha512"] }],
    ["its sha1 and size", { size: 3000 }, { sha1: digests["sha1"], size: 3000 }],
    ["its md5", {}, { md5: digests["md5"] }],
    ["all of its digests", {}, digests],
  ])(
    "an upload that announces %s returns its sha256 and size at the end",
    async (_, beginning, end) => {
      const { status, data } = await upload(beginning, end);
      expect(status).toBe(200);
      expect(data).toEqual({
        id: expect.any(String),
        offset: 3000,
        done: true,
        sha256: sha256(content),
        size: 3000,
      });
      expect(isThere(content)).toBe(true);
    },
  );

  it.each<[string, object]>([
    ["sha256", { sha256: sha256("other") }],
    ["sha512", { sha512: "0".repeat(128) }],
    ["sha1", { sha1: "0".repeat(40) }],
    ["md5", { md5: "0".repeat(32) }],
    ["size", { size: 2999 }],
  ])(
    "an upload whose %s differs from that in its last request is refused and not stored",
    async (name, end) => {
      const other = randomBytes(3000);
      expect(await upload({}, end, other)).toMatchObject({
        status: 400,
        code: 251003,
        message: expect.stringContaining(`[${name}]`),
      });
      expect(isThere(other)).toBe(false);
    },
  );

  it.each([
    { sha512: "0" },
    { sha1: "X".repeat(40) },
    { md5: 5 },
    { size: -1 },
    { sha256: "x" },
  ])(
    "an upload is refused if its last request has the invalid digests %j",
    async (end) => {
      expect(await upload({}, end)).toMatchObject({ status: 400 });
    },
  );

  it("an upload of content that the target already has is answered as done at its start", async () => {
    await upload({}, {});
    const answer = await call(
      "POST",
      "/uploads",
      JSON.stringify({ sha256: sha256(content) }),
      JSON_TYPE,
    );
    expect(answer.data).toEqual({ id: "", offset: 3000, done: true });
  });

  it("an upload without a sha256 continues after a restart of the instance", async () => {
    const first = await startInstance();
    const begun = await send(first, "POST", "/uploads", "{}");
    const path = `/uploads/${(begun as { id: string }).id}`;
    await send(first, "PATCH", path, content.subarray(0, 1500), { "upload-offset": "0" });
    await first.stop();
    const second = await startInstance({ dataDir: first.dataDir });
    expect(await send(second, "GET", path)).toMatchObject({ offset: 1500, done: false });
    await send(second, "PATCH", path, content.subarray(1500), {
      "upload-offset": "1500",
    });
    expect(
      await send(second, "PUT", path, JSON.stringify({ sha1: digests["sha1"] })),
    ).toMatchObject({
      done: true,
      sha256: sha256(content),
      size: 3000,
    });
    await second.stop();
    second.remove();
  });
});

async function send(
  target: Instance,
  method: string,
  path: string,
  body?: Uint8Array | string,
  headers?: Record<string, string>,
): Promise<unknown> {
  return (await callProtocol(target, method, path, body, headers)).data;
}
