import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestApi } from "../rigs/api/api-fixture.ts";
import { createFilesApi, fileCalls } from "../rigs/api/files-api.ts";

let api: TestApi;
let time: number;
beforeEach(async () => {
  time = Date.UTC(2030, 0, 1, 4);
  api = await createFilesApi(() => time);
});
afterEach(() => api.close());

const { files, node, put } = fileCalls(() => api);

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

test("exactly one of many simultaneous uploads to a path succeeds without overwrite", async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => put("one", `content ${i}`)),
  );
  const codes = answers.map(({ code }) => code);
  expect(codes.filter((code) => code === 0)).toHaveLength(1);
  expect(codes.filter((code) => code === 251012)).toHaveLength(19);
  expect(await (await files("GET", "one")).text()).toBe(`content ${codes.indexOf(0)}`);
});

test("an upload is refused if its path is a folder, or if a parent of its path is a file", async () => {
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

test("metadata is read from single headers and from X-BKREPO-META, and is returned", async () => {
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

test("an expired file is not found, and its path can be used again", async () => {
  await put("f", "x", { "X-BKREPO-EXPIRES": "1" });
  time += 86_399_000;
  expect((await files("GET", "f")).status).toBe(200);
  time += 1000;
  expect((await files("GET", "f")).status).toBe(404);
  expect(await node("f")).toMatchObject({ status: 404, code: 251010 });
  expect(await put("f", "again")).toMatchObject({ code: 0 });
});

test("both endpoints for deleting delete files and folders, and refuse to delete the root", async () => {
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

test("a page of a folder lists folders first, the whole tree with deep, and metadata on request", async () => {
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

test("requests for unknown projects, repositories or files get specific codes, and 401 without login", async () => {
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
