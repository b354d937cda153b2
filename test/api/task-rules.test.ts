import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eq } from "drizzle-orm";
import { cluster, task } from "../../db/schema/tasks.ts";
import { addRepository } from "../rigs/db/rows.ts";
import {
  type Changes,
  createTaskApi,
  FILES,
  IMAGES,
  INSTANCE,
  MAVEN,
  REGISTRY,
  TASK,
  type TaskApi,
  taskBody,
} from "../rigs/api/api-task-fixture.ts";

let api: TaskApi;
beforeEach(() => {
  api = createTaskApi();
});
afterEach(() => api.close());

const pathObject = (...pathConstraints: unknown[]) => ({
  replicaObjectType: "PATH",
  replicaTaskObjects: [{ ...FILES, pathConstraints }],
});

describe("creating a task", () => {
  test("creating a task fills in the defaults and returns the whole task", async () => {
    const data = await api.created();
    expect(data).toMatchObject({
      projectId: "p",
      replicaType: "SCHEDULED",
      enabled: true,
      record: true,
      recordReserveDays: 30,
      status: "WAITING",
      remoteClusters: [{ id: INSTANCE, name: "shanghai" }],
      executionTimes: 0,
      replicatedBytes: 0,
      totalBytes: 0,
      description: null,
      lastExecutionStatus: null,
      createdBy: "admin",
      createdDate: "2030-01-01T08:00:00.000",
    });
    expect(data["setting"]).toEqual({
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
      compare: "AUTO",
      compareReadLimit: 1_073_741_824,
      verification: "DIGEST",
    });
    expect([data["id"], data.key]).toEqual([
      expect.stringMatching(/^[0-9a-f]{24}$/),
      expect.stringMatching(/^[0-9a-f]{32}$/),
    ]);
    expect(api.started).toEqual([`saved ${data.key}`]);
  });

  test("creating a task with paths of a linked or hosted image repository is refused", async () => {
    addRepository(api.db, "p", "hosted-images", "OCI");
    for (const object of [IMAGES, { localRepoName: "hosted-images", repoType: "OCI" }]) {
      const answer = await api.create({
        replicaObjectType: "PATH",
        replicaTaskObjects: [{ ...object, pathConstraints: ["/a"] }],
        remoteClusterIds: [REGISTRY],
      });
      expect([answer.code, answer.message]).toEqual([
        250105,
        expect.stringMatching(/by package, not by path/),
      ]);
    }
  });

  test("creating a task with a name that is taken is refused before its other fields are checked", async () => {
    await api.created();
    expect((await api.create({ replicaTaskObjects: [] })).code).toBe(250107);
  });

  test("creating a task with the cluster of a distribution is refused", async () => {
    api.db
      .update(cluster)
      .set({ ownerTaskKey: "k" })
      .where(eq(cluster.id, REGISTRY))
      .run();
    expect(
      (await api.create({ replicaTaskObjects: [IMAGES], remoteClusterIds: [REGISTRY] }))
        .code,
    ).toBe(250112);
  });

  test("creating a task is accepted even if this release cannot send its files to the cluster", async () => {
    expect((await api.create({ remoteClusterIds: [REGISTRY] })).code).toBe(0);
    expect(
      (
        await api.create({
          name: "Maven to a registry",
          replicaTaskObjects: [MAVEN],
          remoteClusterIds: [REGISTRY],
        })
      ).code,
    ).toBe(0);
  });

  test("creating a task stores paths in normal form, and keeps constraints even if type is REPOSITORY", async () => {
    const { key } = await api.created(pathObject("a/b/", { path: "/c/*.jar" }, "/"));
    const { data } = await api.call("GET", `${TASK}/detail/${key}`);
    expect(data).toMatchObject({
      task: { key },
      objects: [
        {
          ...FILES,
          packageConstraints: null,
          pathConstraints: [{ path: "/a/b" }, { path: "/c/*.jar" }, { path: "/" }],
        },
      ],
    });
    const whole = await api.created({
      name: "some images",
      replicaTaskObjects: [
        { ...IMAGES, packageConstraints: [{ packageKey: "oci://a", versions: [] }] },
        { ...FILES, packageConstraints: [], pathConstraints: [] },
      ],
      remoteClusterIds: [REGISTRY, REGISTRY],
    });
    expect(whole["remoteClusters"]).toEqual([{ id: REGISTRY, name: "hub" }]);
    const detail = (await api.call("GET", `${TASK}/detail/${whole.key}`)).data as {
      objects: unknown[];
    };
    expect(detail.objects).toMatchObject([
      {
        remoteProjectId: null,
        packageConstraints: [
          { packageKey: "oci://a", versions: [], targetVersions: null },
        ],
        pathConstraints: null,
      },
      { packageConstraints: [], pathConstraints: [] },
    ]);
  });

  test.each([
    [
      "for a local time",
      { executeTime: "2030-01-02T03:04:05.678" },
      "SPECIFIED_TIME",
      "2030-01-02T03:04:05.678",
    ],
    [
      "for a time with an offset",
      { executeTime: "2030-01-02T03:04:05Z" },
      "SPECIFIED_TIME",
      "2030-01-02T11:04:05.000",
    ],
    [
      "with a Quartz cron expression",
      { cronExpression: "0 0 2 * * ?" },
      "CRON_EXPRESSION",
      "2030-01-02T02:00:00.000",
    ],
    [
      "with a Unix cron expression in its own time zone",
      { cronExpression: "0 2 * * *", timeZone: "Europe/Berlin" },
      "CRON_EXPRESSION",
      "2030-01-01T09:00:00.000",
    ],
  ])(
    "creating a task %s sets its strategy and next execution time",
    async (_case, executionPlan, executionStrategy, nextExecutionTime) => {
      const data = await api.created({ setting: { executionPlan } });
      expect(data).toMatchObject({
        nextExecutionTime,
        setting: { executionStrategy },
        status: "WAITING",
      });
      const disabled = await api.created({
        name: "disabled",
        enabled: false,
        setting: { executionPlan },
      });
      expect(disabled).toMatchObject({ nextExecutionTime: null, enabled: false });
    },
  );
});

const older = (changes: Changes) =>
  api.call("POST", `${TASK}/cluster`, {
    body: { ...taskBody(), replicaObjectType: undefined, ...changes },
  });
const typeOf = (name: string) =>
  api.db.select().from(task).where(eq(task.name, name)).get()?.replicaObjectType;

describe("the older endpoint for creating tasks", () => {
  test("the older endpoint for creating tasks infers the object type and returns no data", async () => {
    const constraints = {
      packageConstraints: [{ packageKey: "gav://g:a" }],
      pathConstraints: [],
    };
    expect(
      (
        await older({
          name: "packages",
          replicaTaskObjects: [{ ...MAVEN, ...constraints }],
        })
      ).data,
    ).toBeNull();
    await older({
      name: "paths",
      replicaTaskObjects: [{ ...FILES, pathConstraints: ["/a"] }],
    });
    await older({ name: "whole" });
    await older({
      name: "several",
      replicaTaskObjects: [{ ...MAVEN, ...constraints }, FILES],
    });
    expect(["packages", "paths", "whole", "several"].map(typeOf)).toEqual([
      "PACKAGE",
      "PATH",
      "REPOSITORY",
      "REPOSITORY",
    ]);
    expect(api.started).toHaveLength(4);
  });

  test("the older endpoint for creating tasks has the same rules, and accepts // after /replication", async () => {
    expect((await older({ name: "" })).code).toBe(250104);
    const answers = await Promise.all(
      [
        "/replication//api/task/cluster",
        "/replication///api/task/cluster",
        "/replication/api//task/cluster",
        "//replication/api/task/cluster",
      ].map((path, i) =>
        api.call("POST", path, {
          body: taskBody({ name: `slashes ${i}`, replicaObjectType: undefined }),
        }),
      ),
    );
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 250130, 250130]);
  });
});
