import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { record } from "../../db/schema/records.ts";
import { cluster, task } from "../../db/schema/tasks.ts";
import { addRecord, addRepository, endRecord } from "../rigs/api/api-rows.ts";
import {
  createTaskApi,
  INSTANCE,
  REGISTRY,
  TASK,
  type TaskApi,
} from "../rigs/api/api-task-fixture.ts";

const AT = "/replication/api/remote/distribution";
const SETTING = {
  rateLimit: 0,
  includeMetadata: true,
  conflictStrategy: "SKIP",
  errorStrategy: "CONTINUE",
  executionStrategy: "IMMEDIATELY",
  executionPlan: { executeImmediately: true },
};
/** The documents' examples, with a registry that can be. */
const TO_REGISTRY = {
  name: "mirrors",
  registry: "127.0.0.1:5000/mirror",
  username: "robot",
  password: "hush-hush",
  packageConstraints: [],
  pathConstraints: [],
  replicaType: "REAL_TIME",
  setting: SETTING,
  enable: true,
  description: "test replica task",
};
const TO_CLUSTER = {
  ...TO_REGISTRY,
  registry: undefined,
  username: undefined,
  password: undefined,
  clusterId: INSTANCE,
  remoteProjectId: "xxxx",
  remoteRepoName: "xxxx",
};
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
const infoOf = async (path: string) =>
  (await api.call("GET", `${AT}/info/${path}`)).data as Record<string, unknown>[];
const done = { status: 200, code: 0, message: null, data: null };
const taskNamed = (name: string) =>
  api.db.select().from(task).where(eq(task.name, name)).get();
const clusterNamed = (name: string) =>
  api.db.select().from(cluster).where(eq(cluster.name, name)).get();

describe("a configuration", () => {
  test("a configuration is the task project/repository/name, and owns the cluster of its registry", async () => {
    expect(await create([TO_REGISTRY])).toMatchObject(done);
    expect(taskNamed("p/files/mirrors")).toMatchObject({
      kind: "config",
      replicaObjectType: "REPOSITORY",
      replicaType: "REAL_TIME",
      enabled: true,
    });
    expect(clusterNamed("p/files/mirrors")).toMatchObject({
      type: "REMOTE",
      url: "http://127.0.0.1:5000/mirror",
      username: "robot",
      ownerTaskKey: taskNamed("p/files/mirrors")?.key,
    });
    expect(await infoOf("p/files/mirrors")).toEqual([
      {
        projectId: "p",
        repoName: "files",
        name: "mirrors",
        registry: "http://127.0.0.1:5000/mirror",
        protocol: null,
        clusterId: null,
        certificate: null,
        username: "robot",
        password: null,
        remoteProjectId: null,
        remoteRepoName: null,
        packageConstraints: [],
        pathConstraints: [],
        replicaType: "REAL_TIME",
        setting: expect.objectContaining({
          ...SETTING,
          executionPlan: {
            executeImmediately: true,
            executeTime: null,
            cronExpression: null,
            timeZone: null,
          },
        }),
        description: "test replica task",
        enable: true,
      },
    ]);
    expect(api.logs.map((line) => JSON.stringify(line)).join()).not.toContain(
      "hush-hush",
    );
  });

  test("a configuration gives its registry a protocol, kept by an update without it and cleared by null", async () => {
    expect(await create([{ ...TO_REGISTRY, protocol: "WEBDAV" }])).toMatchObject(done);
    expect(await infoOf("p/files/mirrors")).toMatchObject([{ protocol: "WEBDAV" }]);
    expect(clusterNamed("p/files/mirrors")?.protocol).toBe("WEBDAV");
    await create([TO_REGISTRY]);
    expect(await infoOf("p/files/mirrors")).toMatchObject([{ protocol: "WEBDAV" }]);
    await create([{ ...TO_REGISTRY, protocol: null }]);
    expect(await infoOf("p/files/mirrors")).toMatchObject([{ protocol: null }]);
    expect(
      await create([{ ...TO_REGISTRY, registry: "s3://bucket", protocol: "HTTP" }]),
    ).toMatchObject({
      code: 250105,
      message: expect.stringMatching(/\[registry\].*S3, not HTTP/),
    });
    expect(
      await once({
        ...ONCE_PATH,
        clusterId: undefined,
        registry: "file:///srv/carry",
        protocol: "DIRECTORY",
      }),
    ).toMatchObject(done);
    expect(clusterNamed("p/files/push")).toMatchObject({
      url: "file:///srv/carry",
      protocol: "DIRECTORY",
    });
  });

  test("a configuration can go to a cluster that is there already, which it does not own", async () => {
    expect(await create([TO_CLUSTER])).toMatchObject(done);
    expect(await infoOf("p/files")).toMatchObject([
      {
        name: "mirrors",
        clusterId: INSTANCE,
        registry: null,
        remoteProjectId: "xxxx",
        remoteRepoName: "xxxx",
      },
    ]);
    expect(await infoOf("p/files/other")).toEqual([]);
  });

  test("a configuration comes with all others of its request, or none does", async () => {
    expect(
      await create([TO_REGISTRY, { ...TO_CLUSTER, name: "second", clusterId: "nope" }]),
    ).toMatchObject({
      status: 400,
      code: 250306,
    });
    expect([taskNamed("p/files/mirrors"), clusterNamed("p/files/mirrors")]).toEqual([
      undefined,
      undefined,
    ]);
    expect(await create([TO_REGISTRY, TO_REGISTRY])).toMatchObject({
      status: 400,
      code: 250107,
    });
    expect(await create([TO_REGISTRY, { ...TO_CLUSTER, name: "second" }])).toMatchObject(
      done,
    );
    expect((await infoOf("p/files")).map(({ name }) => name)).toEqual([
      "mirrors",
      "second",
    ]);
  });

  test("a configuration is changed by creating it again: key and records stay", async () => {
    await create([TO_REGISTRY]);
    const key = taskNamed("p/files/mirrors")?.key ?? "";
    endRecord(api.db, addRecord(api.db, key, api.time.now), "SUCCESS", api.time.now);
    expect(
      await create([{ ...TO_REGISTRY, description: "changed", enable: false }]),
    ).toMatchObject(done);
    expect(taskNamed("p/files/mirrors")).toMatchObject({
      key,
      description: "changed",
      enabled: false,
    });
    expect(
      api.db.select().from(record).where(eq(record.taskKey, key)).all(),
    ).toHaveLength(1);
  });

  test("a configuration keeps its password in an update without one, while the registry's host stays", async () => {
    await create([TO_REGISTRY]);
    const sealed = () => {
      const { id = "", secret = null } = clusterNamed("p/files/mirrors") ?? {};
      return secret === null
        ? null
        : (JSON.parse(api.deps.sealer.open(secret, `cluster:${id}`)) as {
            password?: string;
          });
    };
    const update = (changes: object) =>
      api.call("POST", `${AT}/update/p/files/mirrors`, {
        body: { ...TO_REGISTRY, name: undefined, password: null, ...changes },
      });
    expect(
      await update({
        registry: "127.0.0.1:5000/other",
        replicaType: "SCHEDULED",
        enable: false,
      }),
    ).toMatchObject(done);
    expect(sealed()).toEqual({ password: "hush-hush" });
    expect(taskNamed("p/files/mirrors")).toMatchObject({
      replicaType: "SCHEDULED",
      enabled: false,
    });
    expect(await update({ registry: "https://127.0.0.1:5000/other" })).toMatchObject(
      done,
    );
    expect(sealed()).toEqual({ password: "hush-hush" });
    expect(await update({ registry: "127.0.0.1:6000/other" })).toMatchObject(done);
    expect(sealed()).toBeNull();
    await update({ registry: "https://registry.example", password: "hush-hush" });
    await update({ registry: "http://registry.example" });
    expect(sealed()).toBeNull();
  });

  test("a configuration keeps in an update what only its task and its cluster can be told", async () => {
    await create([TO_REGISTRY]);
    api.db
      .update(task)
      .set({ record: false, recordReserveDays: 7 })
      .where(eq(task.name, "p/files/mirrors"))
      .run();
    api.db
      .update(cluster)
      .set({ insecureSkipVerify: true })
      .where(eq(cluster.name, "p/files/mirrors"))
      .run();
    await create([TO_REGISTRY]);
    expect([taskNamed("p/files/mirrors"), clusterNamed("p/files/mirrors")]).toMatchObject(
      [{ record: false, recordReserveDays: 7 }, { insecureSkipVerify: true }],
    );
  });

  test("a configuration is not changed by a request of which another part is refused", async () => {
    await create([TO_REGISTRY]);
    const before = [taskNamed("p/files/mirrors"), clusterNamed("p/files/mirrors")];
    expect(
      await create([
        { ...TO_CLUSTER, name: "mirrors" },
        { ...TO_CLUSTER, name: "second", clusterId: "nope" },
      ]),
    ).toMatchObject({ code: 250306 });
    expect([taskNamed("p/files/mirrors"), clusterNamed("p/files/mirrors")]).toEqual(
      before,
    );
  });

  test("a configuration whose task is changed keeps one object and one cluster", async () => {
    await create([TO_REGISTRY]);
    const { key = "" } = taskNamed("p/files/mirrors") ?? {};
    const object = { localRepoName: "files", repoType: "GENERIC" };
    const body = {
      key,
      name: "p/files/mirrors",
      localProjectId: "p",
      replicaObjectType: "REPOSITORY",
      replicaTaskObjects: [object],
      remoteClusterIds: [INSTANCE],
    };
    const change = (changes: object = {}) =>
      api.call("POST", `${TASK}/update`, { body: { ...body, ...changes } });
    const refused = [
      { name: "renamed" },
      { localProjectId: "q" },
      { replicaTaskObjects: [{ localRepoName: "maven", repoType: "MAVEN" }] },
      { replicaTaskObjects: [object, object] },
      { remoteClusterIds: [INSTANCE, REGISTRY] },
      {
        replicaObjectType: "PATH",
        replicaTaskObjects: [{ ...object, pathConstraints: ["/a"] }],
      },
    ];
    for (const changes of refused)
      expect([changes, await change(changes)]).toMatchObject([
        changes,
        { status: 400, code: 250105 },
      ]);
    expect(clusterNamed("p/files/mirrors")).toBeDefined();
    expect(await change()).toMatchObject(done);
    expect(clusterNamed("p/files/mirrors")).toBeUndefined();
    expect(await infoOf("p/files/mirrors")).toMatchObject([
      { clusterId: INSTANCE, registry: null },
    ]);
  });

  test("a configuration lets its own cluster go when it turns to another, and when it is deleted", async () => {
    await create([TO_REGISTRY]);
    expect(
      await api.call("POST", `${AT}/update/p/files/mirrors`, { body: TO_CLUSTER }),
    ).toMatchObject(done);
    expect(clusterNamed("p/files/mirrors")).toBeUndefined();
    await create([{ ...TO_REGISTRY, name: "second" }]);
    expect(await api.call("DELETE", `${AT}/delete/p/files/second`)).toMatchObject(done);
    expect([taskNamed("p/files/second"), clusterNamed("p/files/second")]).toEqual([
      undefined,
      undefined,
    ]);
    await create([{ ...TO_REGISTRY, name: "third" }]);
    expect(
      await api.call("DELETE", `${TASK}/delete/${taskNamed("p/files/third")?.key}`),
    ).toMatchObject(done);
    expect(clusterNamed("p/files/third")).toBeUndefined();
  });

  test("a configuration guards its cluster: it cannot be deleted alone, nor used by others", async () => {
    await create([TO_REGISTRY]);
    const id = clusterNamed("p/files/mirrors")?.id ?? "";
    const alone = await api.call("DELETE", `/replication/api/cluster/delete/${id}`);
    expect(alone).toMatchObject({
      status: 400,
      code: 250112,
      message: expect.stringContaining("p/files/mirrors"),
    });
    expect(await api.create({ remoteClusterIds: [id] })).toMatchObject({
      status: 400,
      code: 250112,
    });
    expect(
      await create([{ ...TO_CLUSTER, name: "second", clusterId: id }]),
    ).toMatchObject({
      status: 400,
      code: 250112,
    });
    expect(await create([{ ...TO_CLUSTER, clusterId: id }])).toMatchObject({
      status: 400,
      code: 250112,
    });
    expect(
      await api.call("POST", `${TASK}/copy`, {
        body: { name: "copy", key: taskNamed("p/files/mirrors")?.key },
      }),
    ).toMatchObject({ status: 400, code: 250112 });
    expect(clusterNamed("p/files/mirrors")?.id).toBe(id);
  });

  test("a configuration is switched off and on", async () => {
    await create([TO_REGISTRY]);
    expect(await api.call("POST", `${AT}/toggle/status/p/files/mirrors`)).toMatchObject(
      done,
    );
    expect(await infoOf("p/files/mirrors")).toMatchObject([{ enable: false }]);
  });

  test.each([
    ["a name that is none", { name: "1x" }, 250105],
    ["a name that is too long", { name: `a${"b".repeat(128)}` }, 250105],
    ["neither registry nor cluster", { registry: null }, 250105],
    ["a registry that cannot be", { registry: "ftp://host" }, 250105],
    ["a registry at a metadata address", { registry: "http://169.254.169.254" }, 250105],
    ["an unknown cluster", { clusterId: "nope" }, 250306],
    ["credentials in the registry", { registry: "robot:hush-hush@host/x" }, 250105],
    ["a project that climbs", { remoteProjectId: "../.." }, 250105],
    ["a path that leaves the repository", { pathConstraints: ["/../x"] }, 251011],
  ])("a configuration is refused with %s", async (_what, changes, code) => {
    const answer = await create([{ ...TO_REGISTRY, ...changes }]);
    expect(answer).toMatchObject({ status: 400, code, data: null });
    expect(answer.text).not.toContain("hush-hush");
    expect(api.db.select().from(cluster).all()).toHaveLength(2);
  });

  test("a configuration is refused where there is no such project, repository or configuration", async () => {
    expect(await create([TO_REGISTRY], "q/files")).toMatchObject({
      status: 404,
      code: 251004,
    });
    expect(await create([TO_REGISTRY], "p/nope")).toMatchObject({
      status: 404,
      code: 251006,
    });
    expect(await create([])).toMatchObject({ status: 400, code: 250104 });
    for (const name of ["nope", "1x"])
      expect(
        await api.call("POST", `${AT}/update/p/files/${name}`, { body: TO_REGISTRY }),
      ).toMatchObject({
        status: 400,
        code: 250310,
      });
    expect(await api.call("DELETE", `${AT}/delete/p/files/nope`)).toMatchObject({
      status: 400,
      code: 250310,
    });
    expect(await api.call("POST", `${AT}/toggle/status/p/files/nope`)).toMatchObject({
      status: 400,
      code: 250310,
    });
    expect(await api.call("GET", `${AT}/info/p/nope`)).toMatchObject({
      status: 404,
      code: 251006,
    });
  });

  test("a configuration of a linked repository cannot follow uploads", async () => {
    expect(await create([TO_REGISTRY], "p/images")).toMatchObject({
      status: 400,
      code: 250105,
      message: expect.stringContaining("CRON_EXPRESSION"),
    });
  });

  test("a configuration may have the longest of names", async () => {
    const [project, repo, name] = ["p".repeat(100), "r".repeat(64), "n".repeat(128)];
    addRepository(api.db, project, repo, "GENERIC");
    expect(await create([{ ...TO_REGISTRY, name }], `${project}/${repo}`)).toMatchObject(
      done,
    );
    expect(clusterNamed(`${project}/${repo}/${name}`)?.name).toHaveLength(294);
  });
});

describe("a run-once task", () => {
  const execute = (name = "push", repo = "p/files") =>
    api.call("POST", `${AT}/execute/runOnceTask/${repo}?name=${name}`);
  const status = (name = "push") =>
    api.call("GET", `${AT}/get/runOnceTaskStatus/p/files?name=${name}`);
  const remove = (name = "push") =>
    api.call("DELETE", `${AT}/delete/runOnceTask/p/files?name=${name}`);

  test("a run-once task sends a package's version under other tags to a registry", async () => {
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

  test("a run-once task sends a package or a path to a cluster", async () => {
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
    "a run-once task takes the package %s, by name or by key",
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

  test("a run-once task is executed on demand, shows its newest execution and is deleted after it", async () => {
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
      "two versions for the target's tags",
      {
        pathConstraints: null,
        packageName: "nginx",
        versions: ["1", "2"],
        targetVersions: ["3"],
      },
      250105,
    ],
    ["a name that is none", { name: "-" }, 250105],
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
    "a run-once task of an image is refused with %s that no registry takes",
    async (field, changes) => {
      expect(await once({ ...ONCE_PACKAGE, ...changes }, "p/hosted")).toMatchObject({
        status: 400,
        code: 250105,
        message: expect.stringContaining(`[${field}]`),
      });
    },
  );

  test("a run-once task and a configuration do not share a name", async () => {
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

  test("a run-once task of an unknown or no name is refused", async () => {
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
