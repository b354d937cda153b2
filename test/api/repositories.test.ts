import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { insertTask } from "../../db/tasks/tasks.ts";
import { SETTING_DEFAULTS } from "../../domain/task.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";

let api: TestApi;
beforeEach(() => {
  api = createTestApi();
});
afterEach(() => api.close());

const post = (path: string, body: unknown) =>
  api.call("POST", `/repository/api${path}`, { body });
const get = (path: string) => api.call("GET", `/repository/api${path}`);

async function makeProject(name = "demo") {
  expect(
    await post("/project/create", { name, displayName: "Demo", description: null }),
  ).toMatchObject({
    status: 200,
    code: 0,
    data: null,
  });
}

const linked = (url: string, more: object = {}) => ({
  projectId: "demo",
  name: "hub",
  type: "DOCKER",
  category: "REMOTE",
  public: false,
  description: "elsewhere",
  configuration: {
    type: "remote",
    url,
    credentials: { username: "u", password: "top secret" },
    ...more,
  },
  displayName: null,
});

test("a project is created once and listed", async () => {
  await makeProject();
  expect(await post("/project/create", { name: "demo", displayName: "x" })).toMatchObject(
    {
      status: 400,
      code: 251005,
    },
  );
  expect(await get("/project/list")).toMatchObject({
    data: [{ name: "demo", displayName: "Demo", description: null }],
  });
});

test.each(["x", "1abc", "a/b", "../x", "a b", "ä1", "a".repeat(101), ""])(
  "%j is not a valid name of a project",
  async (name) => {
    expect(await post("/project/create", { name, displayName: "x" })).toMatchObject({
      status: 400,
      code: 250105,
    });
  },
);

test("a hosted repository is created, shown, found, changed and deleted", async () => {
  await makeProject();
  const body = {
    projectId: "demo",
    name: "files",
    type: "GENERIC",
    category: "LOCAL",
    public: true,
    description: "d",
    configuration: null,
    displayName: null,
  };
  expect(await post("/repo/create", body)).toMatchObject({ status: 200, code: 0 });
  expect(await post("/repo/create", body)).toMatchObject({ status: 409, code: 251007 });
  const info = await get("/repo/info/demo/files");
  expect(info.data).toEqual({
    projectId: "demo",
    name: "files",
    type: "GENERIC",
    category: "LOCAL",
    public: true,
    description: "d",
    displayName: null,
    configuration: {
      type: "local",
      url: null,
      protocol: null,
      credentials: null,
      certificate: null,
      insecureSkipVerify: false,
    },
    createdBy: "admin",
    createdDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/),
    lastModifiedBy: "admin",
    lastModifiedDate: expect.any(String),
  });
  expect((await get("/repo/info/demo/files/GENERIC")).code).toBe(0);
  expect(await get("/repo/info/demo/files/NPM")).toMatchObject({
    status: 404,
    code: 251006,
  });
  expect(await get("/repo/exist/demo/files")).toMatchObject({ data: true });
  expect(await get("/repo/exist/demo/other")).toMatchObject({ data: false });
  expect(
    await post("/repo/update/demo/files", { public: null, description: "new" }),
  ).toMatchObject({ code: 0 });
  expect((await get("/repo/info/demo/files")).data).toMatchObject({
    public: true,
    description: "new",
  });
  expect(
    await api.call("DELETE", "/repository/api/repo/delete/demo/files"),
  ).toMatchObject({ code: 0, data: null });
  expect(await get("/repo/info/demo/files")).toMatchObject({ status: 404, code: 251006 });
});

test("repositories are listed and paged by the beginning of their names and by type", async () => {
  await makeProject();
  for (const [name, type] of [
    ["gen-b", "GENERIC"],
    ["gen-a", "GENERIC"],
    ["npm-a", "NPM"],
    ["x%y_", "GENERIC"],
  ])
    await post("/repo/create", { projectId: "demo", name, type });
  const names = async (path: string) =>
    ((await get(path)).data as { name: string }[]).map(({ name }) => name);
  expect(await names("/repo/list/demo")).toEqual(["gen-a", "gen-b", "npm-a"]);
  expect(await names("/repo/list/demo?name=gen&type=GENERIC")).toEqual([
    "gen-a",
    "gen-b",
  ]);
  expect(await names("/repo/list/demo?name=%25")).toEqual([]);
  const page = await get("/repo/page/demo/2/2?name=");
  expect(page.data).toMatchObject({
    pageNumber: 2,
    pageSize: 2,
    totalRecords: 3,
    totalPages: 2,
    count: 3,
    page: 2,
    records: [{ name: "npm-a" }],
  });
  expect((await get("/repo/page/demo/0/20")).data).toMatchObject({
    pageNumber: 0,
    records: [{ name: "gen-a" }, { name: "gen-b" }, { name: "npm-a" }],
  });
  expect(await get("/repo/page/demo/1/1001")).toMatchObject({
    status: 400,
    code: 250131,
  });
  expect(await get("/repo/list/demo?type=NOPE")).toMatchObject({
    status: 400,
    code: 250131,
  });
  expect(await get("/repo/list/nowhere")).toMatchObject({ status: 404, code: 251004 });
});

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
  });
});

const credentials = async () =>
  ((await get("/repo/info/demo/hub")).data as { configuration: { credentials: unknown } })
    .configuration.credentials;

test("credentials of a linked repository stay while its host does, and are never sent to another host", async () => {
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
    "a hosted one with a remote configuration",
    { category: "LOCAL", configuration: { type: "remote", url: "https://x.example" } },
    250105,
  ],
  ["a linked one without configuration", { category: "REMOTE" }, 250103],
  [
    "a linked one without url",
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
    "another scheme",
    { category: "REMOTE", configuration: { type: "remote", url: "ftp://x.example" } },
    250105,
  ],
  [
    "a bucket of another protocol",
    {
      category: "REMOTE",
      configuration: { type: "remote", url: "s3://bucket", protocol: "WEBDAV" },
    },
    250105,
  ],
  [
    "a protocol of a hosted one",
    { configuration: { type: "local", protocol: "WEBDAV" } },
    250105,
  ],
  [
    "a protocol nobody knows",
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
    "a certificate that is none",
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
  ["a project that is not there", { projectId: "nowhere" }, 251004],
  ["no name at all", { name: undefined }, 250106],
])("a repository is refused: %s", async (_what, change, code) => {
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

test("the protocol of a linked repository is answered as sent, kept by an update, and cleared by null", async () => {
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

test("a linked repository whose protocol this release lacks is saved, and its test says so", async () => {
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

test("a repository with files goes only when forced", async () => {
  await makeProject();
  await post("/repo/create", { projectId: "demo", name: "files", type: "GENERIC" });
  await api.call("PUT", "/generic/demo/files/a/b.txt", { body: "x" });
  const remove = (query = "") =>
    api.call("DELETE", `/repository/api/repo/delete/demo/files${query}`);
  expect(await remove()).toMatchObject({ status: 400, code: 251008 });
  expect((await api.call("GET", "/generic/demo/files/a/b.txt")).text).toBe("x");
  expect(await remove("?forced=maybe")).toMatchObject({ code: 250131 });
  expect(await remove("?forced=true")).toMatchObject({ code: 0 });
  expect(await remove()).toMatchObject({ status: 404, code: 251006 });
  expect(api.db.$client.prepare("SELECT count(*) FROM node").pluck().get()).toBe(0);
});

test("a repository that tasks use is not deleted, and the answer names them", async () => {
  await makeProject();
  await post("/repo/create", { projectId: "demo", name: "files", type: "GENERIC" });
  const setting = {
    rateLimit: 0,
    includeMetadata: true,
    conflictStrategy: "SKIP",
    errorStrategy: "CONTINUE",
    executionStrategy: "IMMEDIATELY",
    executionPlan: {
      executeImmediately: true,
      executeTime: null,
      cronExpression: null,
      timeZone: null,
    },
    storageConsistencyCheck: false,
    automaticCreateRemoteRepo: true,
    ...SETTING_DEFAULTS,
  } as const;
  const task = {
    kind: "task",
    projectId: "demo",
    replicaObjectType: "REPOSITORY",
    replicaType: "SCHEDULED",
    setting,
    description: null,
    enabled: true,
    record: true,
    recordReserveDays: 30,
    nextExecutionTime: null,
  } as const;
  const object = {
    localRepoName: "files",
    repoType: "GENERIC",
    remoteProjectId: null,
    remoteRepoName: null,
    packageConstraints: null,
    pathConstraints: null,
  } as const;
  for (const name of ["nightly", "weekly"])
    insertTask(api.db, { ...task, name }, [object, object], [], {
      user: "admin",
      now: 1,
    });
  const answer = await api.call(
    "DELETE",
    "/repository/api/repo/delete/demo/files?forced=true",
  );
  expect(answer).toMatchObject({
    status: 400,
    code: 250112,
    message: expect.stringContaining("nightly, weekly"),
  });
});

test("files of hosted repositories with packages cannot be written by their paths", async () => {
  await makeProject();
  await post("/repo/create", { projectId: "demo", name: "packages", type: "NPM" });
  expect(
    await api.call("PUT", "/generic/demo/packages/a.tgz", { body: "x" }),
  ).toMatchObject({
    status: 400,
    code: 250112,
  });
  expect(await api.call("DELETE", "/generic/demo/packages/a.tgz")).toMatchObject({
    status: 400,
    code: 250112,
  });
  expect(
    await api.call("DELETE", "/repository/api/node/delete/demo/packages/a.tgz"),
  ).toMatchObject({
    status: 400,
    code: 250112,
  });
  expect(await api.call("GET", "/generic/demo/packages/a.tgz")).toMatchObject({
    status: 404,
    code: 251010,
  });
  await post("/repo/create", linked("https://registry.example"));
  expect(await api.call("PUT", "/generic/demo/hub/a", { body: "x" })).toMatchObject({
    status: 400,
    code: 250112,
    message: expect.stringContaining("linked"),
  });
});

let registry: Server | undefined;
afterEach(() => registry?.close());

/** As much of a registry as asks for a login. */
async function startRegistry(): Promise<string> {
  registry = createServer((request, response) => {
    const login = Buffer.from("u:top secret").toString("base64");
    if (request.headers.authorization !== `Basic ${login}`)
      return response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
    return request.url?.includes("_catalog")
      ? response.writeHead(403).end()
      : response.writeHead(200).end("{}");
  });
  await new Promise<void>((resolve) => registry?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
}

test("the test of a linked repository has three answers: reachable, authenticated, allowed", async () => {
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
