import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { linked, repositoryCalls } from "../rigs/api/repository-calls.ts";

let api: TestApi;
beforeEach(() => {
  api = createTestApi();
});
afterEach(() => api.close());

const { post, get, makeProject } = repositoryCalls(() => api);

test("a linked repository shows everything but its secrets, which are stored sealed", async () => {
  await makeProject();
  const made = await post(
    "/repo/create",
    linked("https://registry.example/team", { token: "bearer-token" }),
  );
  expect(made.code).toBe(0);
  const info = await get("/repo/info/demo/hub");
  expect(info.data).toMatchObject({
    category: "REMOTE",
    configuration: {
      type: "remote",
      url: "https://registry.example/team",
      credentials: { username: "u" },
      insecureSkipVerify: false,
    },
  });
  const everything = [
    made.text,
    info.text,
    (await get("/repo/list/demo")).text,
    JSON.stringify(api.logs),
    JSON.stringify(api.db.$client.prepare("SELECT * FROM repository").all()),
  ].join();
  expect(everything).not.toContain("top secret");
  expect(everything).not.toContain("bearer-token");
  const secret = api.db.$client
    .prepare("SELECT secret FROM repository")
    .pluck()
    .get() as string;
  expect(JSON.parse(api.deps.sealer.open(secret, "repository:demo/hub"))).toEqual({
    password: "top secret",
    token: "bearer-token",
    end: "https://registry.example",
    realms: null,
  });
});

const credentials = async () =>
  ((await get("/repo/info/demo/hub")).data as { configuration: { credentials: unknown } })
    .configuration.credentials;

test("credentials of a linked repository are kept for the same host, and dropped for another host", async () => {
  await makeProject();
  await post("/repo/create", linked("https://registry.example/team"));
  await post("/repo/update/demo/hub", {
    configuration: { type: "remote", url: "https://registry.example/other" },
  });
  expect(await credentials()).toEqual({ username: "u" });
  await post("/repo/update/demo/hub", {
    configuration: { type: "remote", url: "https://evil.example/other" },
  });
  expect(await credentials()).toBeNull();
  expect(
    api.db.$client.prepare("SELECT secret FROM repository").pluck().get(),
  ).toBeNull();
});

test.each([
  [
    "category LOCAL and a remote configuration",
    { category: "LOCAL", configuration: { type: "remote", url: "https://x.example" } },
    250105,
  ],
  ["category REMOTE and no configuration", { category: "REMOTE" }, 250103],
  [
    "category REMOTE and no url",
    { category: "REMOTE", configuration: { type: "remote" } },
    250103,
  ],
  [
    "credentials in the url",
    {
      category: "REMOTE",
      configuration: { type: "remote", url: "https://u:p@x.example" },
    },
    250105,
  ],
  [
    "an ftp url",
    { category: "REMOTE", configuration: { type: "remote", url: "ftp://x.example" } },
    250105,
  ],
  [
    "the url of a bucket and the protocol WEBDAV",
    {
      category: "REMOTE",
      configuration: { type: "remote", url: "s3://bucket", protocol: "WEBDAV" },
    },
    250105,
  ],
  [
    "category LOCAL and a protocol",
    { configuration: { type: "local", protocol: "WEBDAV" } },
    250105,
  ],
  [
    "an unknown protocol",
    {
      category: "REMOTE",
      configuration: { type: "remote", url: "https://x.example", protocol: "GOPHER" },
    },
    250106,
  ],
  [
    "a metadata address",
    {
      category: "REMOTE",
      configuration: { type: "remote", url: "http://169.254.169.254/latest" },
    },
    250105,
  ],
  [
    "an invalid certificate",
    {
      category: "REMOTE",
      configuration: {
        type: "remote",
        url: "https://x.example",
        certificate: "nonsense",
      },
    },
    250105,
  ],
  ["an unknown type", { type: "FLOPPY" }, 250106],
  ["an unknown category", { category: "VIRTUAL" }, 250106],
  ["a name with a slash", { name: "a/b" }, 250105],
  ["an upper-case name for images", { type: "DOCKER", name: "Images" }, 250105],
  ["an unknown project", { projectId: "nowhere" }, 251004],
  ["no name", { name: undefined }, 250106],
])("creating a repository with %s is refused", async (_what, change, code) => {
  await makeProject();
  const answer = await post("/repo/create", {
    projectId: "demo",
    name: "repo",
    type: "GENERIC",
    category: "LOCAL",
    ...change,
  });
  expect(answer).toMatchObject({ code, data: null, message: expect.any(String) });
  expect(await get("/repo/list/demo")).toMatchObject({ data: [] });
});

test("the protocol of a linked repository is kept by an update without it, and cleared by null", async () => {
  await makeProject();
  const link = (configuration: object) => ({
    projectId: "demo",
    name: "hub",
    type: "GENERIC",
    category: "REMOTE",
    configuration: { type: "remote", url: "https://files.example", ...configuration },
  });
  const protocol = async () =>
    ((await get("/repo/info/demo/hub")).data as { configuration: { protocol: unknown } })
      .configuration.protocol;
  const update = (configuration: object) =>
    post("/repo/update/demo/hub", {
      configuration: { type: "remote", ...configuration },
    });
  expect((await post("/repo/create", link({ protocol: "WEBDAV" }))).data).toMatchObject({
    configuration: { protocol: "WEBDAV" },
  });
  await update({ url: "https://files.example/below" });
  expect(await protocol()).toBe("WEBDAV");
  expect(await update({ protocol: "S3" })).toMatchObject({ code: 0 });
  expect(await protocol()).toBe("S3");
  expect(await update({ protocol: "DIRECTORY" })).toMatchObject({
    code: 250105,
    message: expect.stringMatching(/configuration\.url.*file:\/\/\//),
  });
  await update({ protocol: null });
  expect(await protocol()).toBeNull();
  expect(await update({ url: "file:///srv/carry" })).toMatchObject({ code: 0 });
  await post("/repo/create", { projectId: "demo", name: "here", type: "GENERIC" });
  expect((await get("/repo/info/demo/here")).data).toMatchObject({
    configuration: { protocol: null },
  });
});

test("a linked repository whose protocol this release lacks is saved, and its connection test says so", async () => {
  await makeProject();
  await post("/repo/create", {
    projectId: "demo",
    name: "hub",
    type: "OCI",
    category: "REMOTE",
    configuration: { type: "remote", url: "file:///srv/Carry" },
  });
  expect((await get("/repo/tryConnect/demo/hub")).data).toMatchObject({
    reachable: { ok: null, message: expect.stringMatching(/cannot be tested yet/) },
  });
});

let registry: Server | undefined;
afterEach(() => registry?.close());

/** Starts a registry that checks the login and nothing else. */
async function startRegistry(): Promise<string> {
  registry = createServer((request, response) => {
    const login = Buffer.from("u:top secret").toString("base64");
    if (request.headers.authorization !== `Basic ${login}`)
      return response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
    if (request.url === "/v2/") return response.writeHead(200).end("{}");
    return response.writeHead(request.url?.includes("_catalog") ? 403 : 404).end();
  });
  await new Promise<void>((resolve) => registry?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
}

test("the connection test of a linked repository reports reachable, authenticated and allowed", async () => {
  await makeProject();
  const url = await startRegistry();
  await post("/repo/create", linked(url));
  const connect = () => get("/repo/tryConnect/demo/hub");
  expect((await connect()).data).toMatchObject({
    reachable: { ok: true },
    authenticated: { ok: true },
    allowed: { ok: false },
  });
  await post("/repo/update/demo/hub", {
    configuration: { type: "remote", credentials: { password: "wrong" } },
  });
  expect((await connect()).data).toMatchObject({
    reachable: { ok: true },
    authenticated: { ok: false },
    allowed: { ok: null },
  });
  registry?.closeAllConnections();
  await new Promise((resolve) => registry?.close(resolve));
  const gone = await connect();
  expect(gone.data).toMatchObject({
    reachable: { ok: false },
    authenticated: { ok: null },
    allowed: { ok: null },
  });
  expect(gone.text).not.toContain("wrong");
  await post("/repo/create", { projectId: "demo", name: "files", type: "GENERIC" });
  expect(await get("/repo/tryConnect/demo/files")).toMatchObject({
    status: 400,
    code: 250112,
  });
});
