import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { task } from "../../db/schema/tasks.ts";
import { addRecord, addRepository, endRecord } from "../rigs/db/rows.ts";
import {
  createTaskApi,
  INSTANCE,
  TASK,
  type TaskApi,
} from "../rigs/api/api-task-fixture.ts";
import { AT, TO_REGISTRY, TO_CLUSTER } from "../rigs/api/distributions.ts";

const ONCE_PACKAGE = {
  name: "push",
  registry: "127.0.0.1:5000/mirror",
  username: "robot",
  password: "hush-hush",
  packageName: "nginx",
  versions: ["1.1"],
  targetVersions: ["1.2", "1.3"],
  description: "xxxx",
};
const ONCE_PATH = {
  name: "push",
  clusterId: INSTANCE,
  remoteProjectId: "xxxx",
  remoteRepoName: "xxxx",
  pathConstraints: ["/a.txt"],
  description: "xxxx",
};

let api: TaskApi;
beforeEach(() => {
  api = createTaskApi();
  addRepository(api.db, "p", "hosted", "DOCKER");
});
afterEach(() => api.close());

const create = (configs: object[], repo = "p/files") =>
  api.call("POST", `${AT}/create/${repo}`, { body: { configs } });
const once = (body: object, repo = "p/files") =>
  api.call("POST", `${AT}/create/runOnceTask/${repo}`, { body });
const done = { status: 200, code: 0, message: null, data: null };
const taskNamed = (name: string) =>
  api.db.select().from(task).where(eq(task.name, name)).get();

describe("a run-once task", () => {
  const execute = (name = "push", repo = "p/files") =>
    api.call("POST", `${AT}/execute/runOnceTask/${repo}?name=${name}`);
  const status = (name = "push") =>
    api.call("GET", `${AT}/get/runOnceTaskStatus/p/files?name=${name}`);
  const remove = (name = "push") =>
    api.call("DELETE", `${AT}/delete/runOnceTask/p/files?name=${name}`);

  test("a run-once task can send a version of a package to a registry under other tags", async () => {
    expect(await once(ONCE_PACKAGE, "p/hosted")).toMatchObject(done);
    const saved = taskNamed("p/hosted/push");
    expect(saved).toMatchObject({
      kind: "runOnce",
      replicaType: "RUN_ONCE",
      replicaObjectType: "PACKAGE",
      setting: { conflictStrategy: "OVERWRITE", errorStrategy: "CONTINUE" },
    });
    const detail = (await api.call("GET", `${TASK}/detail/${saved?.key}`)).data as {
      objects: unknown[];
    };
    expect(detail.objects).toMatchObject([
      {
        packageConstraints: [
          {
            packageKey: "docker://nginx",
            versions: ["1.1"],
            targetVersions: ["1.2", "1.3"],
          },
        ],
      },
    ]);
    expect(api.started).toEqual([]);
  });

  test("a run-once task can send a package or a path to a cluster", async () => {
    const {
      targetVersions: _tags,
      registry: _registry,
      ...toCluster
    } = {
      ...ONCE_PACKAGE,
      clusterId: INSTANCE,
      remoteProjectId: "xxxx",
      remoteRepoName: "xxxx",
    };
    expect(await once(toCluster, "p/hosted")).toMatchObject(done);
    expect(await once(ONCE_PATH)).toMatchObject(done);
    expect(taskNamed("p/files/push")).toMatchObject({ replicaObjectType: "PATH" });
  });

  test.each(["com.acme:lib", "gav://com.acme:lib"])(
    "a run-once task accepts the package %s, given by name or by key",
    async (packageName) => {
      addRepository(api.db, "p", "libs", "MAVEN");
      const body = {
        name: "push",
        clusterId: INSTANCE,
        remoteProjectId: "xxxx",
        remoteRepoName: "xxxx",
        packageName,
        versions: ["1.1"],
      };
      expect(await once(body, "p/libs")).toMatchObject(done);
      const detail = (
        await api.call("GET", `${TASK}/detail/${taskNamed("p/libs/push")?.key}`)
      ).data;
      expect(detail).toMatchObject({
        objects: [{ packageConstraints: [{ packageKey: "gav://com.acme:lib" }] }],
      });
      expect(await once({ ...body, packageName: "npm://lib" }, "p/libs")).toMatchObject({
        status: 400,
        code: 250105,
      });
    },
  );

  test("a run-once task runs on demand, shows its newest execution, and can be deleted after that ended", async () => {
    await once(ONCE_PATH);
    expect(await status()).toMatchObject(done);
    const key = taskNamed("p/files/push")?.key ?? "";
    expect(await execute()).toMatchObject(done);
    expect(api.started).toEqual([`start ${key}`]);
    const run = addRecord(api.db, key, api.time.now);
    expect(await status()).toMatchObject({
      code: 0,
      data: {
        id: run,
        taskKey: key,
        status: "RUNNING",
        endTime: null,
        errorReason: null,
      },
    });
    expect(await remove()).toMatchObject({ status: 400, code: 250112 });
    expect(await once({ ...ONCE_PATH, pathConstraints: ["/b.txt"] })).toMatchObject({
      status: 400,
      code: 250303,
    });
    endRecord(api.db, run, "SUCCESS", api.time.now);
    expect(await status()).toMatchObject({ data: { status: "SUCCESS" } });
    expect(await once({ ...ONCE_PATH, pathConstraints: ["/b.txt"] })).toMatchObject(done);
    expect(taskNamed("p/files/push")?.key).toBe(key);
    expect(await remove()).toMatchObject(done);
    expect(taskNamed("p/files/push")).toBeUndefined();
  });

  test.each([
    ["neither package nor path", { pathConstraints: null }, 250105],
    [
      "a package without versions",
      { pathConstraints: null, packageName: "nginx" },
      250105,
    ],
    [
      "two versions and other tags for the target",
      {
        pathConstraints: null,
        packageName: "nginx",
        versions: ["1", "2"],
        targetVersions: ["3"],
      },
      250105,
    ],
    ["an invalid name", { name: "-" }, 250105],
    ["neither registry nor cluster", { clusterId: null }, 250105],
  ])("a run-once task is refused with %s", async (_what, changes, code) => {
    expect(await once({ ...ONCE_PATH, ...changes }, "p/files")).toMatchObject({
      status: 400,
      code,
    });
  });

  test.each([
    ["targetVersions", { targetVersions: ["../other"] }],
    ["packageKey", { packageName: "nginx?x" }],
  ])(
    "a run-once task of an image is refused if no registry would accept its %s",
    async (field, changes) => {
      expect(await once({ ...ONCE_PACKAGE, ...changes }, "p/hosted")).toMatchObject({
        status: 400,
        code: 250105,
        message: expect.stringContaining(`[${field}]`),
      });
    },
  );

  test("a run-once task and a distribution cannot have the same name", async () => {
    await create([TO_REGISTRY, { ...TO_CLUSTER, name: "push" }]);
    expect(await once(ONCE_PATH)).toMatchObject({ status: 400, code: 250107 });
    expect(
      [await execute("mirrors"), await status("mirrors"), await remove("mirrors")].map(
        ({ code }) => code,
      ),
    ).toEqual([250112, 250112, 250112]);
    await once({ ...ONCE_PATH, name: "other" });
    expect(await create([{ ...TO_CLUSTER, name: "other" }])).toMatchObject({
      status: 400,
      code: 250107,
    });
  });

  test("a request for a run-once task with an unknown name or no name is refused", async () => {
    expect(
      [await execute(), await status(), await remove()].map(({ status, code }) => [
        status,
        code,
      ]),
    ).toEqual([
      [400, 250108],
      [400, 250108],
      [400, 250108],
    ]);
    expect(await api.call("POST", `${AT}/execute/runOnceTask/p/files`)).toMatchObject({
      status: 400,
      code: 250103,
    });
    expect(await execute("push", "p/nope")).toMatchObject({ status: 404, code: 251006 });
  });
});
