import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { task } from "../../db/schema/tasks.ts";
import {
  type Changes,
  createTaskApi,
  FILES,
  IMAGES,
  MAVEN,
  planned,
  REGISTRY,
  type TaskApi,
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

describe("a task that breaks a rule", () => {
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
    ["a retention of 0 days", { recordReserveDays: 0 }, 250105, /\[recordReserveDays\]/],
    [
      "a retention of 61 days",
      { recordReserveDays: 61 },
      250105,
      /\[recordReserveDays\]/,
    ],
    [
      "an unknown repository type",
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
      "a rate limit that is not an integer",
      { setting: { rateLimit: 0.5 } },
      250106,
      /setting\.rateLimit/,
    ],
    [
      "an unknown compare mode",
      { setting: { compare: "GUESS" } },
      250106,
      /setting\.compare/,
    ],
    [
      "a negative compareReadLimit",
      { setting: { compareReadLimit: -1 } },
      250106,
      /setting\.compareReadLimit/,
    ],
    [
      "an unknown verification",
      { setting: { verification: "HOPE" } },
      250106,
      /setting\.verification/,
    ],
    [
      "type PACKAGE and two objects",
      {
        ...packageObject({ packageKey: "docker://a" }),
        replicaTaskObjects: [IMAGES, IMAGES],
      },
      250106,
      /exactly one object/,
    ],
    [
      "type PACKAGE and no packageConstraints",
      { replicaObjectType: "PACKAGE", replicaTaskObjects: [IMAGES] },
      250103,
      /\[packageConstraints\]/,
    ],
    [
      "type PACKAGE and empty packageConstraints",
      packageObject(),
      250104,
      /\[packageConstraints\]/,
    ],
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
      'a package key with ".."',
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
      "type PATH and no pathConstraints",
      { replicaObjectType: "PATH" },
      250103,
      /\[pathConstraints\]/,
    ],
    ["type PATH and empty pathConstraints", pathObject(), 250104, /\[pathConstraints\]/],
    [
      "a path that is null",
      pathObject({ path: null }),
      250106,
      /pathConstraints\[0\]\.path is missing$/,
    ],
    ["a blank path", pathObject(" "), 250104, /\[path\]/],
    ['a path with ".."', pathObject("/a/../b"), 251011, /\.\./],
    [
      "a path with a control character",
      pathObject("/a\u0000b"),
      251011,
      /control character/,
    ],
    ["a wildcard in a folder's name", pathObject("/a*/b"), 251011, /last segment/],
    [
      "a path of 1,100 characters",
      pathObject(`/${"a/".repeat(550)}b`),
      251011,
      /longer than 1024/,
    ],
    [
      "type PATH and packageConstraints",
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
      "strategy IMMEDIATELY and executeImmediately=false",
      planned("IMMEDIATELY", { executeImmediately: false }),
      250105,
      /\[executeImmediately\]/,
    ],
    [
      "strategy SPECIFIED_TIME and no time",
      planned("SPECIFIED_TIME", {}),
      250103,
      /\[executeTime\]/,
    ],
    [
      "a start time that has passed",
      planned("SPECIFIED_TIME", { executeTime: "2029-12-31T23:59:59Z" }),
      250105,
      /\[executeTime\].*passed/,
    ],
    [
      "a local start time that has passed",
      planned("SPECIFIED_TIME", { executeTime: "2030-01-01T08:00:00" }),
      250105,
      /passed/,
    ],
    [
      "a start time that is not a time",
      planned("SPECIFIED_TIME", { executeTime: "tomorrow" }),
      250105,
      /\[executeTime\]/,
    ],
    [
      "strategy CRON_EXPRESSION and no expression",
      planned("CRON_EXPRESSION", {}),
      250103,
      /\[cronExpression\]/,
    ],
    [
      "a blank cron expression",
      planned("CRON_EXPRESSION", { cronExpression: "  " }),
      250104,
      /\[cronExpression\]/,
    ],
    [
      "an invalid cron expression",
      planned("CRON_EXPRESSION", { cronExpression: "0 0 25 * * ?" }),
      250105,
      /hour/,
    ],
    [
      'a cron expression with "?" for both day fields',
      planned("CRON_EXPRESSION", { cronExpression: "0 0 0 ? * ?" }),
      250105,
      /\[cronExpression\].*write "\*" for one of them: 0 0 0 \* \* \?$/,
    ],
    [
      "a cron expression with values for both day fields",
      planned("CRON_EXPRESSION", { cronExpression: "0 0 2 13 * FRI" }),
      250105,
      /write "\?" for the other/,
    ],
    [
      'a cron expression with "*" for both day fields',
      planned("CRON_EXPRESSION", { cronExpression: "0 0 2 * * *" }),
      250105,
      /neither is "\?".*: 0 0 2 \* \* \?$/,
    ],
    [
      "a cron expression that never fires",
      planned("CRON_EXPRESSION", { cronExpression: "0 0 0 30 2 ?" }),
      250105,
      /never/,
    ],
    [
      "an unknown time zone",
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
      "type PACKAGE and a GENERIC repository",
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
      "type PATH and an image repository",
      {
        replicaObjectType: "PATH",
        replicaTaskObjects: [{ ...IMAGES, pathConstraints: ["/a"] }],
        remoteClusterIds: [REGISTRY],
      },
      250105,
      /by package, not by path/,
    ],
    [
      "images and a remote repository name that is not lower-case",
      { replicaTaskObjects: [{ ...IMAGES, remoteRepoName: "Images" }] },
      250105,
      /\[remoteRepoName\].*p\/Images is not lower-case/,
    ],
    [
      "type REAL_TIME and a linked repository",
      { replicaType: "REAL_TIME", replicaTaskObjects: [IMAGES] },
      250105,
      /CRON_EXPRESSION/,
    ],
    [
      "targetVersions for a Maven package",
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
      "targetVersions for two versions",
      packageObject({
        packageKey: "docker://a",
        versions: ["1", "2"],
        targetVersions: ["3"],
      }),
      250105,
      /exactly one version/,
    ],
    [
      "a Maven package key without an artifact",
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
      "type PATH and a HELM repository",
      {
        replicaObjectType: "PATH",
        replicaTaskObjects: [
          { localRepoName: "helm", repoType: "HELM", pathConstraints: ["/a"] },
        ],
      },
      250105,
      /no paths/,
    ],
  ])("creating a task with %s is refused", async (_case, changes, code, message) => {
    const answer = await api.create(changes);
    expect([answer.code, answer.message]).toEqual([code, expect.stringMatching(message)]);
    expect(answer.status).toBe(code === 251004 || code === 251006 ? 404 : 400);
    expect(api.db.select().from(task).all()).toEqual([]);
    expect(api.started).toEqual([]);
  });
});
