import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eq } from "drizzle-orm";
import { cluster, task } from "../../db/schema/tasks.ts";
import { addRepository } from "../rigs/api/api-rows.ts";
import {
  type Changes,
  createTaskApi,
  FILES,
  IMAGES,
  INSTANCE,
  MAVEN,
  planned,
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
const packageObject = (...packageConstraints: unknown[]) => ({
  replicaObjectType: "PACKAGE",
  replicaTaskObjects: [{ ...IMAGES, packageConstraints }],
  remoteClusterIds: [REGISTRY],
});

describe("creating a task", () => {
  test("creating a task fills in what is left out and answers the whole task", async () => {
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

  test.each<[string, Changes, number, RegExp]>([
    ["no name", { name: null }, 250106, /: name is missing$/],
    ["a blank name", { name: "  " }, 250104, /\[name\]/],
    ["a name of one letter", { name: "n" }, 250105, /\[name\]/],
    ["a name of 257 letters", { name: "n".repeat(257) }, 250105, /\[name\]/],
    ["a name with a line break", { name: "a\nb" }, 250105, /\[name\]/],
    ["a blank project", { localProjectId: "" }, 250104, /\[localProjectId\]/],
    [
      "no object type",
      { replicaObjectType: undefined },
      250106,
      /: replicaObjectType is missing$/,
    ],
    ["no setting", { setting: undefined }, 250106, /: setting is missing$/],
    ["no objects", { replicaTaskObjects: [] }, 250104, /\[replicaTaskObjects\]/],
    ["no clusters", { remoteClusterIds: [] }, 250104, /\[remoteClusterIds\]/],
    ["retention of 0 days", { recordReserveDays: 0 }, 250105, /\[recordReserveDays\]/],
    ["retention of 61 days", { recordReserveDays: 61 }, 250105, /\[recordReserveDays\]/],
    [
      "a repository type nobody knows",
      { replicaTaskObjects: [{ ...FILES, repoType: "TAPE" }] },
      250106,
      /replicaTaskObjects\[0\]\.repoType/,
    ],
    [
      "an object without a repository",
      { replicaTaskObjects: [{ repoType: "GENERIC" }] },
      250106,
      /: replicaTaskObjects\[0\]\.localRepoName is missing$/,
    ],
    [
      "a fraction of a byte",
      { setting: { rateLimit: 0.5 } },
      250106,
      /setting\.rateLimit/,
    ],
    [
      "a way to compare nobody knows",
      { setting: { compare: "GUESS" } },
      250106,
      /setting\.compare/,
    ],
    [
      "a limit of reading below none",
      { setting: { compareReadLimit: -1 } },
      250106,
      /setting\.compareReadLimit/,
    ],
    [
      "a verification nobody knows",
      { setting: { verification: "HOPE" } },
      250106,
      /setting\.verification/,
    ],
    [
      "two objects by package",
      {
        ...packageObject({ packageKey: "docker://a" }),
        replicaTaskObjects: [IMAGES, IMAGES],
      },
      250106,
      /exactly one object/,
    ],
    [
      "by package without packages",
      { replicaObjectType: "PACKAGE", replicaTaskObjects: [IMAGES] },
      250103,
      /\[packageConstraints\]/,
    ],
    ["by package with none", packageObject(), 250104, /\[packageConstraints\]/],
    [
      "a package without a key",
      packageObject({ versions: ["1"] }),
      250106,
      /packageConstraints\[0\]\.packageKey is missing$/,
    ],
    ["a blank package key", packageObject({ packageKey: " " }), 250104, /\[packageKey\]/],
    [
      "a package key without a name",
      packageObject({ packageKey: "docker://" }),
      250105,
      /\[packageKey\]/,
    ],
    [
      "a package key of another type",
      packageObject({ packageKey: "npm://left-pad" }),
      250105,
      /docker:\/\/name or oci:\/\/name/,
    ],
    [
      "a package key that climbs",
      packageObject({ packageKey: "docker://../etc" }),
      250105,
      /\[packageKey\]/,
    ],
    [
      "a blank version",
      packageObject({ packageKey: "docker://a", versions: [""] }),
      250104,
      /\[versions\]/,
    ],
    [
      "by path without paths",
      { replicaObjectType: "PATH" },
      250103,
      /\[pathConstraints\]/,
    ],
    ["by path with none", pathObject(), 250104, /\[pathConstraints\]/],
    [
      "a path that is null",
      pathObject({ path: null }),
      250106,
      /pathConstraints\[0\]\.path is missing$/,
    ],
    ["a blank path", pathObject(" "), 250104, /\[path\]/],
    ["a path that climbs", pathObject("/a/../b"), 251011, /\.\./],
    [
      "a path with a control character",
      pathObject("/a\u0000b"),
      251011,
      /control character/,
    ],
    ["a wildcard in a folder", pathObject("/a*/b"), 251011, /last segment/],
    [
      "a path of 1,100 characters",
      pathObject(`/${"a/".repeat(550)}b`),
      251011,
      /longer than 1024/,
    ],
    [
      "paths and packages by path",
      {
        replicaObjectType: "PATH",
        replicaTaskObjects: [
          {
            ...FILES,
            pathConstraints: ["/a"],
            packageConstraints: [{ packageKey: "generic://a" }],
          },
        ],
      },
      250106,
      /packageConstraints/,
    ],
    [
      "at once, but not now",
      planned("IMMEDIATELY", { executeImmediately: false }),
      250105,
      /\[executeImmediately\]/,
    ],
    ["at a time, but none", planned("SPECIFIED_TIME", {}), 250103, /\[executeTime\]/],
    [
      "at a time that has passed",
      planned("SPECIFIED_TIME", { executeTime: "2029-12-31T23:59:59Z" }),
      250105,
      /\[executeTime\].*passed/,
    ],
    [
      "at a time that has passed in the zone",
      planned("SPECIFIED_TIME", { executeTime: "2030-01-01T08:00:00" }),
      250105,
      /passed/,
    ],
    [
      "at no time at all",
      planned("SPECIFIED_TIME", { executeTime: "tomorrow" }),
      250105,
      /\[executeTime\]/,
    ],
    ["by cron, but none", planned("CRON_EXPRESSION", {}), 250103, /\[cronExpression\]/],
    [
      "by a blank cron",
      planned("CRON_EXPRESSION", { cronExpression: "  " }),
      250104,
      /\[cronExpression\]/,
    ],
    [
      "by a cron that is none",
      planned("CRON_EXPRESSION", { cronExpression: "0 0 25 * * ?" }),
      250105,
      /hour/,
    ],
    [
      "by a cron without a day",
      planned("CRON_EXPRESSION", { cronExpression: "0 0 0 ? * ?" }),
      250105,
      /\[cronExpression\].*write "\*" for one of them: 0 0 0 \* \* \?$/,
    ],
    [
      "by a cron with both days",
      planned("CRON_EXPRESSION", { cronExpression: "0 0 2 13 * FRI" }),
      250105,
      /write "\?" for the other/,
    ],
    [
      "by a cron whose days are both open",
      planned("CRON_EXPRESSION", { cronExpression: "0 0 2 * * *" }),
      250105,
      /neither is "\?".*: 0 0 2 \* \* \?$/,
    ],
    [
      "by a cron that never fires",
      planned("CRON_EXPRESSION", { cronExpression: "0 0 0 30 2 ?" }),
      250105,
      /never/,
    ],
    [
      "in a zone nobody knows",
      planned("CRON_EXPRESSION", {
        cronExpression: "0 0 2 * * ?",
        timeZone: "Mars/Olympus",
      }),
      250105,
      /\[timeZone\]/,
    ],
    [
      "an unknown cluster",
      { remoteClusterIds: ["0123456789abcdef01234567"] },
      250306,
      /0123456789abcdef01234567/,
    ],
    ["an unknown project", { localProjectId: "q" }, 251004, /\[q\]/],
    [
      "an unknown repository",
      { replicaTaskObjects: [{ ...FILES, localRepoName: "none" }] },
      251006,
      /\[p\/none\]/,
    ],
    [
      "a repository of another type",
      { replicaTaskObjects: [{ ...FILES, repoType: "MAVEN" }] },
      250105,
      /\[repoType\].*GENERIC/,
    ],
    [
      "packages of files",
      {
        replicaObjectType: "PACKAGE",
        replicaTaskObjects: [
          { ...FILES, packageConstraints: [{ packageKey: "generic://a" }] },
        ],
      },
      250105,
      /pathConstraints/,
    ],
    [
      "paths of images",
      {
        replicaObjectType: "PATH",
        replicaTaskObjects: [{ ...IMAGES, pathConstraints: ["/a"] }],
        remoteClusterIds: [REGISTRY],
      },
      250105,
      /by package, not by path/,
    ],
    [
      "images to an instance under a name that is not lower-case",
      { replicaTaskObjects: [{ ...IMAGES, remoteRepoName: "Images" }] },
      250105,
      /\[remoteRepoName\].*p\/Images is not lower-case/,
    ],
    [
      "real time on a linked repository",
      { replicaType: "REAL_TIME", replicaTaskObjects: [IMAGES] },
      250105,
      /CRON_EXPRESSION/,
    ],
    [
      "other tags for Maven",
      {
        replicaObjectType: "PACKAGE",
        replicaTaskObjects: [
          {
            ...MAVEN,
            packageConstraints: [
              { packageKey: "gav://g:a", versions: ["1"], targetVersions: ["2"] },
            ],
          },
        ],
      },
      250105,
      /\[targetVersions\]/,
    ],
    [
      "other tags for two versions",
      packageObject({
        packageKey: "docker://a",
        versions: ["1", "2"],
        targetVersions: ["3"],
      }),
      250105,
      /exactly one version/,
    ],
    [
      "Maven coordinates without an artifact",
      {
        replicaObjectType: "PACKAGE",
        replicaTaskObjects: [
          { ...MAVEN, packageConstraints: [{ packageKey: "gav://g" }] },
        ],
      },
      250105,
      /gav:\/\/group:artifact/,
    ],
    [
      "paths to a registry of packages",
      {
        replicaObjectType: "PATH",
        replicaTaskObjects: [
          { localRepoName: "helm", repoType: "HELM", pathConstraints: ["/a"] },
        ],
      },
      250105,
      /no paths/,
    ],
  ])("creating a task refuses %s", async (_case, changes, code, message) => {
    const answer = await api.create(changes);
    expect([answer.code, answer.message]).toEqual([code, expect.stringMatching(message)]);
    expect(answer.status).toBe(code === 251004 || code === 251006 ? 404 : 400);
    expect(api.db.select().from(task).all()).toEqual([]);
    expect(api.started).toEqual([]);
  });

  test("creating a task refuses paths of images, linked or hosted", async () => {
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

  test("creating a task refuses a name that any task has, before anything else", async () => {
    await api.created();
    expect((await api.create({ replicaTaskObjects: [] })).code).toBe(250107);
  });

  test("creating a task refuses a cluster that belongs to a distribution", async () => {
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

  test("creating a task saves what is not built yet; its execution will say so", async () => {
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

  test("creating a task stores paths in normal form and keeps constraints of a whole repository", async () => {
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
      "at a time",
      { executeTime: "2030-01-02T03:04:05.678" },
      "SPECIFIED_TIME",
      "2030-01-02T03:04:05.678",
    ],
    [
      "at a time with an offset",
      { executeTime: "2030-01-02T03:04:05Z" },
      "SPECIFIED_TIME",
      "2030-01-02T11:04:05.000",
    ],
    [
      "by Quartz cron",
      { cronExpression: "0 0 2 * * ?" },
      "CRON_EXPRESSION",
      "2030-01-02T02:00:00.000",
    ],
    [
      "by Unix cron in its own zone",
      { cronExpression: "0 2 * * *", timeZone: "Europe/Berlin" },
      "CRON_EXPRESSION",
      "2030-01-01T09:00:00.000",
    ],
  ])(
    "infers the strategy and knows the next execution: %s",
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

describe("the older way to create a task", () => {
  test("the older way to create a task infers the object type and answers nothing", async () => {
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

  test("the older way to create a task has the same rules, and takes slashes after /replication only", async () => {
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
