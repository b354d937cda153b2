import { afterEach, beforeEach, expect, test } from "vitest";
import { insertTask } from "../../db/tasks/tasks.ts";
import { isHostedType } from "../../domain/repository-types.ts";
import { SYNC_PREFIX } from "../../domain/sync.ts";
import { SETTING_DEFAULTS } from "../../domain/task.ts";
import { REPOSITORY_TYPES } from "../../domain/vocabulary.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { taskBody } from "../rigs/api/api-task-fixture.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import { linked, repositoryCalls } from "../rigs/api/repository-calls.ts";

let api: TestApi;
beforeEach(() => {
  api = createTestApi();
});
afterEach(() => api.close());

const { post, get, makeProject } = repositoryCalls(() => api);

test("a project is created and listed, and cannot be created twice", async () => {
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
  "a project with the name %j is refused",
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
      acceptedRealms: null,
      certificate: null,
      insecureSkipVerify: false,
    },
    quota: null,
    used: 0,
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

test("a repository with files is deleted only with forced=true", async () => {
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

test("deleting a repository that tasks use is refused, and the answer names the tasks", async () => {
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

test("the file endpoints refuse to write to NPM repositories and to linked repositories", async () => {
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

test("a hosted repository of a type without an endpoint is refused, a linked one is made", async () => {
  await makeProject();
  const unhosted = REPOSITORY_TYPES.filter((type) => !isHostedType(type));
  expect(unhosted).toContain("HELM");
  for (const type of unhosted) {
    const refusal = {
      status: 400,
      code: 250105,
      message: expect.stringMatching(
        new RegExp(
          `^parameter \\[type\\] is invalid: .*${type}.*GENERIC, .*NPM.*REMOTE$`,
        ),
      ),
    };
    const name = `hosted-${type.toLowerCase()}`;
    expect(await post("/repo/create", { projectId: "demo", name, type })).toMatchObject(
      refusal,
    );
    const ensured = await api.call("POST", `${SYNC_PREFIX}/repositories/demo/${name}`, {
      body: { type },
    });
    expect(ensured).toMatchObject(refusal);
    const link = {
      projectId: "demo",
      name: `linked-${type.toLowerCase()}`,
      type,
      category: "REMOTE",
      configuration: { type: "remote", url: "https://registry.example" },
    };
    expect(await post("/repo/create", link)).toMatchObject({ code: 0 });
  }
});

test("a hosted repository of such a type that an older release made stays, and a task for it is saved", async () => {
  addRepository(api.db, "old", "charts", "HELM");
  addCluster(api.db, "shanghai", "STANDALONE", "1".repeat(24));
  expect((await get("/repo/info/old/charts")).data).toMatchObject({ type: "HELM" });
  const update = await post("/repo/update/old/charts", { description: "charts" });
  expect(update.code).toBe(0);
  const task = await api.call("POST", "/replication/api/task/create", {
    body: {
      ...taskBody({ localProjectId: "old" }),
      replicaTaskObjects: [{ localRepoName: "charts", repoType: "HELM" }],
    },
  });
  expect(task.code).toBe(0);
});
