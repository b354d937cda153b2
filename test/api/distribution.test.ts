import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { record } from "../../db/schema/records.ts";
import { cluster, task } from "../../db/schema/tasks.ts";
import { addRecord, addRepository, endRecord } from "../rigs/db/rows.ts";
import {
  createTaskApi,
  INSTANCE,
  REGISTRY,
  TASK,
  type TaskApi,
} from "../rigs/api/api-task-fixture.ts";
import { AT, TO_CLUSTER, TO_REGISTRY, SETTING } from "../rigs/api/distributions.ts";

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

describe("a distribution", () => {
  test("a distribution is stored as the task project/repository/name, with a cluster for its registry", async () => {
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

  test("a distribution has its registry's protocol: an update without it keeps it, null clears it", async () => {
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

  test("a distribution can use a cluster that exists already, and does not own it", async () => {
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

  test("several distributions in one request are created together or not at all", async () => {
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

  test("creating a distribution again changes it and keeps its key and records", async () => {
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

  test("an update without password keeps a distribution's password while the registry's host is the same", async () => {
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
    const kept = { password: "hush-hush", realms: null };
    expect(sealed()).toEqual({ ...kept, end: "http://127.0.0.1:5000" });
    expect(taskNamed("p/files/mirrors")).toMatchObject({
      replicaType: "SCHEDULED",
      enabled: false,
    });
    expect(await update({ registry: "https://127.0.0.1:5000/other" })).toMatchObject(
      done,
    );
    expect(sealed()).toEqual({ ...kept, end: "https://127.0.0.1:5000" });
    expect(await update({ registry: "127.0.0.1:6000/other" })).toMatchObject(done);
    expect(sealed()).toBeNull();
    await update({ registry: "https://registry.example", password: "hush-hush" });
    await update({ registry: "http://registry.example" });
    expect(sealed()).toBeNull();
  });

  test("an update of a distribution keeps settings that only its task or its cluster can have", async () => {
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

  test("a request in which one distribution is refused changes no other distribution", async () => {
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

  test("a change of a distribution's task is refused unless it keeps name, one object and one cluster", async () => {
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

  test("a distribution's own cluster is deleted with it, and when it changes to another cluster", async () => {
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

  test("the cluster of a distribution can neither be deleted alone nor be used by other tasks", async () => {
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

  test("toggling a distribution disables it", async () => {
    await create([TO_REGISTRY]);
    expect(await api.call("POST", `${AT}/toggle/status/p/files/mirrors`)).toMatchObject(
      done,
    );
    expect(await infoOf("p/files/mirrors")).toMatchObject([{ enable: false }]);
  });
});
