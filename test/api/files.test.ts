import { afterEach, beforeEach, expect, test } from "vitest";
import { md5, random, sha256 } from "../rigs/api/content-fixture.ts";
import { ADMIN, basic, createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";

let api: TestApi;
let time: number;
beforeEach(async () => {
  time = Date.UTC(2030, 0, 1, 4);
  api = createTestApi({ now: () => time });
  await api.call("POST", "/repository/api/project/create", {
    body: { name: "demo", displayName: "Demo" },
  });
  await api.call("POST", "/repository/api/repo/create", {
    body: { projectId: "demo", name: "files", type: "GENERIC" },
  });
});
afterEach(() => api.close());

const put = (path: string, body: string, headers: Record<string, string> = {}) =>
  api.call("PUT", `/generic/demo/files/${path}`, { body, headers });
const node = (path: string) =>
  api.call("GET", `/repository/api/node/detail/demo/files/${path}`);

/** The raw answer of the files' endpoint. */
function files(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: Uint8Array<ArrayBuffer>,
) {
  const init = {
    method,
    headers: { authorization: basic(`${ADMIN.username}:${ADMIN.password}`), ...headers },
    ...(body ? { body } : {}),
  };
  return api.app.fetch(
    new Request(`http://localhost/generic/demo/files/${path}`, init),
    {},
  );
}

test("an upload is answered with the digests and the file that it created", async () => {
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

test("a download has the uploaded bytes, with the headers that describe them", async () => {
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
  "requested ranges of a file of %i bytes are answered",
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

test("a client that has the file gets 304, and a download as attachment names the file", async () => {
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

test("a page that was uploaded cannot run with the API's origin", async () => {
  await put("evil.html", "<script>alert(1)</script>");
  const { headers } = await files("GET", "evil.html");
  expect(headers.get("content-security-policy")).toContain("sandbox");
  expect(headers.get("x-content-type-options")).toBe("nosniff");
});

test.each([
  ["X-BKREPO-SHA256", sha256("other")],
  ["X-BKREPO-MD5", md5("other")],
])("content that does not match %s is refused and not kept", async (header, digest) => {
  expect(await put("f", "hello", { [header]: digest })).toMatchObject({
    status: 400,
    code: 251003,
    message: expect.stringContaining(digest),
  });
  expect(await node("f")).toMatchObject({ status: 404, code: 251010 });
  expect(api.db.$client.prepare("SELECT count(*) FROM blob").pluck().get()).toBe(0);
});

test.each([
  ["X-BKREPO-SHA256", "abc"],
  ["X-BKREPO-MD5", "z".repeat(32)],
  ["X-BKREPO-OVERWRITE", "yes"],
  ["X-BKREPO-EXPIRES", "-1"],
  ["X-BKREPO-EXPIRES", "99999"],
  ["X-BKREPO-META", "not base64!"],
])("%s: %s is refused by name", async (header, value) => {
  expect(await put("f", "hello", { [header]: value })).toMatchObject({
    status: 400,
    code: 250105,
    message: expect.stringContaining(header),
  });
});

test.each(["Content-Range", "X-BKREPO-UPLOAD-ID", "X-BKREPO-SEQUENCE"])(
  "a piece of a file (%s) is not taken for the file",
  async (header) => {
    expect(await put("f", "hello", { [header]: "bytes 0-4/10" })).toMatchObject({
      status: 400,
      code: 250112,
      message: expect.stringContaining(header),
    });
    expect(await node("f")).toMatchObject({ code: 251010 });
  },
);

test("right digests are accepted in capitals as well", async () => {
  const headers = {
    "X-BKREPO-SHA256": sha256("hello").toUpperCase(),
    "X-BKREPO-MD5": md5("hello").toUpperCase(),
  };
  expect(await put("f", "hello", headers)).toMatchObject({ code: 0 });
});

test("an existing file is replaced only with X-BKREPO-OVERWRITE", async () => {
  await put("f", "old");
  time += 1000;
  expect(await put("f", "new")).toMatchObject({ status: 400, code: 251012 });
  expect(await (await files("GET", "f")).text()).toBe("old");
  expect((await put("f", "new", { "X-BKREPO-OVERWRITE": "true" })).data).toMatchObject({
    createdDate: "2030-01-01T12:00:00.000",
    lastModifiedDate: "2030-01-01T12:00:01.000",
  });
  expect(await (await files("GET", "f")).text()).toBe("new");
});

test("exactly one of many uploads to one path without overwrite succeeds, and the file has its content", async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => put("one", `content ${i}`)),
  );
  const codes = answers.map(({ code }) => code);
  expect(codes.filter((code) => code === 0)).toHaveLength(1);
  expect(codes.filter((code) => code === 251012)).toHaveLength(19);
  expect(await (await files("GET", "one")).text()).toBe(`content ${codes.indexOf(0)}`);
});

test("a file is not a folder, and a folder not a file", async () => {
  await put("a/b", "x");
  expect(await put("a", "x", { "X-BKREPO-OVERWRITE": "true" })).toMatchObject({
    status: 400,
    code: 251012,
    message: expect.stringContaining("folder"),
  });
  expect(await put("a/b/c", "x")).toMatchObject({
    status: 400,
    code: 251012,
    message: expect.stringContaining("/a/b"),
  });
  expect(await api.call("GET", "/generic/demo/files/a")).toMatchObject({
    status: 404,
    code: 251010,
  });
});

test("metadata of single headers or of one header is stored and answered", async () => {
  const packed = Buffer.from("Kept=Case&text=a%20b&utf8=中&__proto__=x&empty=").toString(
    "base64",
  );
  const answer = await put("f", "x", {
    "X-BKREPO-META-Key": "value%20one",
    "X-BKREPO-META-text": "loses",
    "X-BKREPO-META": packed,
  });
  const metadata = {
    key: "value one",
    Kept: "Case",
    text: "a b",
    utf8: "中",
    empty: "",
    ["__proto__"]: "x",
  };
  expect(JSON.stringify(answer.data)).toContain('"__proto__":"x"');
  expect((answer.data as { metadata: object }).metadata).toEqual(metadata);
  expect((await node("f")).data).toMatchObject({
    metadata: { key: "value one", utf8: "中" },
  });
});

test("an expired file is gone", async () => {
  await put("f", "x", { "X-BKREPO-EXPIRES": "1" });
  time += 86_399_000;
  expect((await files("GET", "f")).status).toBe(200);
  time += 1000;
  expect((await files("GET", "f")).status).toBe(404);
  expect(await node("f")).toMatchObject({ status: 404, code: 251010 });
  expect(await put("f", "again")).toMatchObject({ code: 0 });
});

test("files and folders, but not the root, are deleted through both endpoints", async () => {
  for (const path of ["a/1", "a/b/2", "c", "d/e"]) await put(path, path);
  expect(await api.call("DELETE", "/generic/demo/files/c")).toMatchObject({
    code: 0,
    data: null,
  });
  expect(
    await api.call("DELETE", "/repository/api/node/delete/demo/files/a/"),
  ).toMatchObject({ code: 0, data: null });
  expect(await api.call("DELETE", "/generic/demo/files/a/1")).toMatchObject({
    status: 404,
    code: 251010,
  });
  expect(await api.call("DELETE", "/generic/demo/files/")).toMatchObject({
    status: 400,
    code: 251011,
  });
  expect(
    await api.call("DELETE", "/repository/api/node/delete/demo/files/"),
  ).toMatchObject({
    status: 400,
    code: 251011,
  });
  expect((await node("d/e")).code).toBe(0);
});

test("a page of a folder shows folders first, all below with deep, and metadata on request", async () => {
  for (const path of ["z", "b/2", "b/a/1"])
    await put(path, path, { "X-BKREPO-META-k": "v" });
  const page = async (path: string, query = "") => {
    const { data } = await api.call(
      "GET",
      `/repository/api/node/page/demo/files/${path}${query}`,
    );
    return data as {
      records: { fullPath: string; metadata: object; path: string }[];
      totalRecords: number;
      pageNumber: number;
    };
  };
  const paths = async (path: string, query = "") =>
    (await page(path, query)).records.map(({ fullPath }) => fullPath);
  expect(await paths("")).toEqual(["/b", "/z"]);
  expect(await paths("/")).toEqual(["/b", "/z"]);
  expect(await paths("b")).toEqual(["/b/a", "/b/2"]);
  expect(await paths("b/")).toEqual(["/b/a", "/b/2"]);
  expect(await paths("", "?deep=true&includeFolder=false&sort=true")).toEqual([
    "/b/2",
    "/b/a/1",
    "/z",
  ]);
  expect(await paths("", "?deep=true")).toEqual(["/b", "/b/2", "/b/a", "/b/a/1", "/z"]);
  expect(await page("", "?deep=true&sort=true&pageNumber=2&pageSize=2")).toMatchObject({
    totalRecords: 5,
    pageNumber: 2,
    totalPages: 3,
    records: [{ fullPath: "/b/2", path: "/b/", metadata: {} }, {}],
  });
  expect(
    (await page("", "?includeFolder=false&includeMetadata=true")).records[0],
  ).toMatchObject({
    fullPath: "/z",
    metadata: { k: "v" },
  });
  expect(
    await api.call("GET", "/repository/api/node/page/demo/files/nothing"),
  ).toMatchObject({
    status: 404,
    code: 251010,
  });
  expect(
    await api.call("GET", "/repository/api/node/page/demo/files/?pageSize=0"),
  ).toMatchObject({
    status: 400,
    code: 250131,
  });
  expect((await node("")).data).toMatchObject({ folder: true, fullPath: "/", path: "/" });
  expect((await node("b")).data).toMatchObject({
    folder: true,
    fullPath: "/b",
    size: 0,
    sha256: null,
  });
});

test("unknown projects, repositories and files have codes of their own, and strangers get nothing", async () => {
  expect(await api.call("GET", "/generic/nowhere/files/f")).toMatchObject({
    status: 404,
    code: 251004,
  });
  expect(await api.call("PUT", "/generic/demo/nowhere/f", { body: "x" })).toMatchObject({
    status: 404,
    code: 251006,
  });
  expect(await api.call("GET", "/generic/demo/files/f")).toMatchObject({
    status: 404,
    code: 251010,
  });
  expect(await api.call("POST", "/generic/demo/files/f", { body: "x" })).toMatchObject({
    status: 405,
    code: 250112,
  });
  for (const method of ["GET", "PUT", "DELETE"])
    expect(
      await api.call(method, "/generic/demo/files/f", { login: null }),
    ).toMatchObject({
      status: 401,
      code: 250114,
    });
});

test("a file larger than the limit is refused, with and without its length", async () => {
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
