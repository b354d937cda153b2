import { afterEach, beforeEach, expect, test } from "vitest";
import { md5, random, sha256 } from "../rigs/api/content-fixture.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { createFilesApi, fileCalls } from "../rigs/api/files-api.ts";

let api: TestApi;
let time: number;
beforeEach(async () => {
  time = Date.UTC(2030, 0, 1, 4);
  api = await createFilesApi(() => time);
});
afterEach(() => api.close());

const { files, node, put } = fileCalls(() => api);

test("an upload is answered with the digests and the description of the new file", async () => {
  const answer = await put("a/test.json", "hello");
  expect(answer.headers.get("x-checksum-sha256")).toBe(sha256("hello"));
  expect(answer.headers.get("x-checksum-md5")).toBe(md5("hello"));
  expect(answer).toMatchObject({ status: 200, code: 0, message: null });
  expect(answer.data).toEqual({
    createdBy: "admin",
    createdDate: "2030-01-01T12:00:00.000",
    lastModifiedBy: "admin",
    lastModifiedDate: "2030-01-01T12:00:00.000",
    folder: false,
    path: "/a/",
    name: "test.json",
    fullPath: "/a/test.json",
    size: 5,
    sha256: sha256("hello"),
    md5: md5("hello"),
    metadata: {},
    projectId: "demo",
    repoName: "files",
  });
  expect((await node("a/test.json")).data).toEqual(answer.data);
});

test("a download has the uploaded bytes, and headers with their length, type and digests", async () => {
  for (const size of [0, 1, 16_384, 200_000]) {
    const bytes = random(size);
    expect((await files("PUT", `f${size}.bin`, {}, new Uint8Array(bytes))).status).toBe(
      200,
    );
    const answer = await files("GET", `f${size}.bin`);
    expect(answer.status).toBe(200);
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(bytes));
    const head = await files("HEAD", `f${size}.bin`);
    expect(await head.text()).toBe("");
    for (const { headers } of [answer, head]) {
      expect(Object.fromEntries(headers)).toMatchObject({
        "content-length": String(size),
        "accept-ranges": "bytes",
        etag: `"${sha256(bytes)}"`,
        "last-modified": "Tue, 01 Jan 2030 04:00:00 GMT",
        "x-checksum-sha256": sha256(bytes),
        "x-checksum-md5": md5(bytes),
      });
      expect(headers.get("content-disposition")).toBeNull();
    }
  }
});

test.each([100, 100_000])(
  "range requests for a file of %i bytes are answered with the requested bytes",
  async (size) => {
    const bytes = random(size);
    await files("PUT", "f", {}, new Uint8Array(bytes));
    const tag = `"${sha256(bytes)}"`;
    const part = async (headers: Record<string, string>) => {
      const answer = await files("GET", "f", headers);
      return [
        answer.status,
        answer.headers.get("content-range"),
        sha256(new Uint8Array(await answer.arrayBuffer())),
      ];
    };
    const cut = (start: number, end?: number) => sha256(bytes.subarray(start, end));
    expect(await part({ range: "bytes=10-19" })).toEqual([
      206,
      `bytes 10-19/${size}`,
      cut(10, 20),
    ]);
    expect(await part({ range: "bytes=90-" })).toEqual([
      206,
      `bytes 90-${size - 1}/${size}`,
      cut(90),
    ]);
    expect(await part({ range: "bytes=-7" })).toEqual([
      206,
      `bytes ${size - 7}-${size - 1}/${size}`,
      cut(size - 7),
    ]);
    expect(await part({ range: `bytes=0-${size * 9}` })).toEqual([
      206,
      `bytes 0-${size - 1}/${size}`,
      cut(0),
    ]);
    expect(await part({ range: "bytes=10-19", "if-range": tag })).toEqual([
      206,
      `bytes 10-19/${size}`,
      cut(10, 20),
    ]);
    expect(await part({ range: "bytes=10-19", "if-range": '"other"' })).toEqual([
      200,
      null,
      cut(0),
    ]);
    for (const range of ["bytes=1-2,5-6", "lines=1-2", "bytes=9-1", "bytes=x", "bytes=-"])
      expect(await part({ range })).toEqual([200, null, cut(0)]);
    for (const range of [`bytes=${size}-`, "bytes=-0"]) {
      const answer = await api.call("GET", "/generic/demo/files/f", {
        headers: { range },
      });
      expect(answer).toMatchObject({ status: 416, code: 250105 });
      expect(answer.headers.get("content-range")).toBe(`bytes */${size}`);
    }
    expect(
      (await files("HEAD", "f", { range: "bytes=10-19" })).headers.get("content-length"),
    ).toBe("10");
  },
);

test("a client that has a file gets 304, and download=true adds the file's name", async () => {
  await put("%E6%96%87%20%22a%22.txt", "x");
  const tag = `"${sha256("x")}"`;
  for (const given of [tag, `W/${tag}`, `"y", ${tag}`, "*"])
    expect(
      (await files("GET", "%E6%96%87%20%22a%22.txt", { "if-none-match": given })).status,
    ).toBe(304);
  expect(
    (await files("GET", "%E6%96%87%20%22a%22.txt", { "if-none-match": '"y"' })).status,
  ).toBe(200);
  const kept = await files("GET", "%E6%96%87%20%22a%22.txt?download=true");
  expect(kept.headers.get("content-disposition")).toBe(
    `attachment; filename="_ _a_.txt"; filename*=UTF-8''%E6%96%87%20%22a%22.txt`,
  );
});

test("an uploaded HTML page is served in a sandbox, so its scripts cannot use the API", async () => {
  await put("evil.html", "<script>alert(1)</script>");
  const { headers } = await files("GET", "evil.html");
  expect(headers.get("content-security-policy")).toContain("sandbox");
  expect(headers.get("x-content-type-options")).toBe("nosniff");
});

test.each([
  ["X-BKREPO-SHA256", sha256("other")],
  ["X-BKREPO-MD5", md5("other")],
])(
  "an upload whose content does not match %s is refused and not kept",
  async (header, digest) => {
    expect(await put("f", "hello", { [header]: digest })).toMatchObject({
      status: 400,
      code: 251003,
      message: expect.stringContaining(digest),
    });
    expect(await node("f")).toMatchObject({ status: 404, code: 251010 });
    expect(api.db.$client.prepare("SELECT count(*) FROM blob").pluck().get()).toBe(0);
  },
);

test.each([
  ["X-BKREPO-SHA256", "abc"],
  ["X-BKREPO-MD5", "z".repeat(32)],
  ["X-BKREPO-OVERWRITE", "yes"],
  ["X-BKREPO-EXPIRES", "-1"],
  ["X-BKREPO-EXPIRES", "99999"],
  ["X-BKREPO-META", "not base64!"],
])(
  'an upload with "%s: %s" is refused, and the answer names the header',
  async (header, value) => {
    expect(await put("f", "hello", { [header]: value })).toMatchObject({
      status: 400,
      code: 250105,
      message: expect.stringContaining(header),
    });
  },
);

test.each(["Content-Range", "X-BKREPO-UPLOAD-ID", "X-BKREPO-SEQUENCE"])(
  "an upload of a part of a file, with the header %s, is refused",
  async (header) => {
    expect(await put("f", "hello", { [header]: "bytes 0-4/10" })).toMatchObject({
      status: 400,
      code: 250112,
      message: expect.stringContaining(header),
    });
    expect(await node("f")).toMatchObject({ code: 251010 });
  },
);

test("an upload with correct digests in capital letters is accepted", async () => {
  const headers = {
    "X-BKREPO-SHA256": sha256("hello").toUpperCase(),
    "X-BKREPO-MD5": md5("hello").toUpperCase(),
  };
  expect(await put("f", "hello", headers)).toMatchObject({ code: 0 });
});

test("an upload larger than the limit is refused, with and without Content-Length", async () => {
  const limited = createTestApi({ maxUpload: 1000 });
  try {
    await limited.call("POST", "/repository/api/project/create", {
      body: { name: "demo", displayName: "Demo" },
    });
    await limited.call("POST", "/repository/api/repo/create", {
      body: { projectId: "demo", name: "files", type: "GENERIC" },
    });
    const upload = (size: number, headers = {}) =>
      limited.call("PUT", "/generic/demo/files/f", { body: "x".repeat(size), headers });
    expect(await upload(1001)).toMatchObject({ status: 413, code: 250106 });
    expect(await upload(1001, { "content-length": "1001" })).toMatchObject({
      status: 413,
      code: 250106,
    });
    expect(await upload(1000)).toMatchObject({ code: 0 });
    expect(
      await upload(10, { "content-length": "11", "X-BKREPO-OVERWRITE": "true" }),
    ).toMatchObject({
      status: 400,
      code: 250106,
    });
  } finally {
    limited.close();
  }
});
