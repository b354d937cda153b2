import { afterAll, beforeAll, expect, test } from "vitest";
import { parsePath, PathError } from "../../domain/path.ts";
import { encodePath } from "../rigs/api/encode-path.ts";
import { rawRequest, startApi } from "../rigs/api/socket-fixture.ts";

let api: Awaited<ReturnType<typeof startApi>>;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const long = (length: number) => "n".repeat(length);
const deep = (total: number) => `${"d/".repeat(total / 2 - 1)}d`;
const named = (path: string) => ({
  path,
  toString: () => (path.length > 60 ? `${path.slice(0, 20)}… of ${path.length}` : path),
});

test.each(
  [
    "../other/file",
    "a/../b",
    "a/..",
    "./a",
    "a/.",
    "a/./b",
    "%2e%2e/x",
    "a/%2E%2e/b",
    ".%2e/x",
    "%2e/x",
    "..%2f..%2fetc%2fpasswd",
    "a/..%2fb",
    "%252e%252e/x",
    "%25252e./x",
    "..%5c..%5cx",
    "a%5cb",
    "a%2fb",
    "a%2Fb",
    "a//b",
    "//a",
    "a/",
    "%c0%ae%c0%ae/x",
    "%ff",
    "%e4%b8",
    "%",
    "%zz",
    "a%00b",
    "%00",
    "a%0ab",
    "a%0d%0aX-Injected:%201",
    "%1b",
    "%7f",
    "%c2%85",
    long(256),
    `a/${"%E4%B8%AD".repeat(256)}`,
    deep(1026),
  ].map(named),
)("an upload to the path %s is refused", async ({ path }) => {
  const answer = await rawRequest(api.port, "PUT", `/generic/demo/files/${path}`, "x");
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, 251011]);
  expect(answer.headers).not.toContain("X-Injected");
  expect(api.db.$client.prepare("SELECT count(*) FROM node").pluck().get()).toBe(0);
});

test.each([
  "/generic/demo/files/..",
  "/generic/demo/../demo/files/x",
  "/generic/%2e%2e/generic/demo/files/x",
  "/x/../generic/demo/files/x",
])(
  "an upload to %s is refused because of a dot segment outside the file's path",
  async (target) => {
    const answer = await rawRequest(api.port, "PUT", target, "x");
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(api.db.$client.prepare("SELECT count(*) FROM node").pluck().get()).toBe(0);
  },
);

test.each(["a\\b", "a b", "' OR 1=1 --", "größe"])(
  "an upload to a path with characters that no URL may contain is refused: %s",
  async (path) => {
    expect(
      (await rawRequest(api.port, "PUT", `/generic/demo/files/${path}`, "x")).status,
    ).toBe(400);
  },
);

test.each([
  ["plain.txt", "/plain.txt"],
  ["a%20b/c%20d", "/a b/c d"],
  ["a+b", "/a+b"],
  ["a%2Bb%26c", "/a+b&c"],
  ["100%25", "/100%"],
  ["%E4%B8%AD/%F0%9F%98%80", "/中/😀"],
  ["what%3F%23", "/what?#"],
  ["...", "/..."],
  ["..a", "/..a"],
  ["a..b", "/a..b"],
  ["%2525", "/%25"],
  ["@scope/~n;v=1,2:3", "/@scope/~n;v=1,2:3"],
  ["%27%20OR%201%3D1%20--", "/' OR 1=1 --"],
  ["%3Cscript%3E", "/<script>"],
  [long(255), `/${long(255)}`],
  ["%E4%B8%AD".repeat(255), `/${"中".repeat(255)}`],
  [`deep/${deep(1018)}`, `/deep/${deep(1018)}`],
])("the path $0 names the file $1 at each endpoint", async (path, fullPath) => {
  const target = (prefix: string) => `${prefix}/demo/files/${path}`;
  const put = await rawRequest(api.port, "PUT", target("/generic"), fullPath);
  expect(JSON.parse(put.body).data.fullPath).toBe(fullPath);
  expect((await rawRequest(api.port, "GET", target("/generic"))).body).toBe(fullPath);
  expect(
    JSON.parse(
      (await rawRequest(api.port, "GET", target("/repository/api/node/detail"))).body,
    ).data.fullPath,
  ).toBe(fullPath);
  expect(parsePath(fullPath)).toBe(fullPath);
  expect(
    (
      await rawRequest(
        api.port,
        "DELETE",
        `/repository/api/node/delete/demo/files${encodePath(fullPath)}`,
      )
    ).status,
  ).toBe(200);
  await rawRequest(api.port, "DELETE", `/generic/demo/files/${path.split("/")[0]}`);
});

test("a path in a request body is checked by the same rules as a path in a URL", () => {
  expect([
    parsePath("a/b"),
    parsePath("/a/b"),
    parsePath("/a/", { folder: true }),
    parsePath("", { folder: true }),
    parsePath("/", { folder: true }),
  ]).toEqual(["/a/b", "/a/b", "/a", "/", "/"]);
  for (const path of [
    "",
    "/",
    "a/",
    "a//b",
    "../a",
    "a\\b",
    "a\nb",
    "\ud800",
    "%2e%2e/a",
    "a//",
  ])
    expect(() => parsePath(path)).toThrow(PathError);
  expect(() => parsePath("a//", { folder: true })).toThrow(PathError);
});
