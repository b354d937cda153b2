import { INSTANCE } from "../rigs/api/api-task-fixture.ts";
import type { Mistake } from "./row.ts";

const DISTRIBUTION = "/replication/api/remote/distribution";
type Words = { en: RegExp; zh: RegExp };

const made = (
  what: string,
  config: Record<string, unknown>,
  code: number,
  words: Words,
): Mistake => ({
  what,
  ask: (name) => ({
    path: `${DISTRIBUTION}/create/p/files`,
    body: { configs: [{ name, clusterId: INSTANCE, ...config }] },
  }),
  status: code === 0 ? 200 : 400,
  code,
  ...words,
});

/** Mistakes with distributions and run-once tasks. */
export const DISTRIBUTION_MISTAKES: readonly Mistake[] = [
  made(
    "a distribution without a destination, with a wrong cron",
    { clusterId: null, setting: { executionStrategy: "CRON_EXPRESSION" } },
    250105,
    {
      en: /\[registry\].*give a registry or a clusterId.*\[cronExpression\] is missing/,
      zh: /\[registry\].*请指定 registry 或 clusterId.*参数\[cronExpression\]缺失/,
    },
  ),
  made("a distribution to a cluster by its name", { clusterId: "shanghai" }, 250306, {
    en: /no cluster has the id "shanghai"; the cluster of that name has the id 1{24}/,
    zh: /使用该名称的集群的 ID 是 1{24}/,
  }),
  made("a distribution with a wrong name", { name: "9 lives" }, 250105, {
    en: /"9 lives": use a letter or _ and then 1 to 127/,
    zh: /"9 lives"：以字母或 _ 开头/,
  }),
  made(
    "a distribution to a cluster and a registry",
    { registry: "r.example", username: "u", replicaType: "SCHEDULED" },
    0,
    {
      en: /"configs\[0\]\.registry" will not be used: clusterId names where to send.*"configs\[0\]\.username"/s,
      zh: /"configs\[0\]\.registry" 不会被使用：clusterId 已指定目标.*"configs\[0\]\.username"/s,
    },
  ),
  made(
    "a REAL_TIME distribution with a cron",
    { setting: { executionPlan: { cronExpression: "0 0 2 * * ?" } } },
    0,
    {
      en: /"configs\[0\]\.setting\.executionPlan\.cronExpression" will not be used/,
      zh: /"configs\[0\]\.setting\.executionPlan\.cronExpression" 不会被使用/,
    },
  ),
  made("enabled for enable", { enabled: false }, 0, {
    en: /"configs\[0\]\.enabled" is unknown and was ignored: did you mean "enable"\?/,
    zh: /"configs\[0\]\.enabled" 未知，已被忽略：是否应为 "enable"？/,
  }),
  {
    what: "two distributions that are both wrong",
    ask: () => ({
      path: `${DISTRIBUTION}/create/p/files`,
      body: {
        configs: [
          { name: "first", clusterId: "none" },
          {
            name: "second",
            clusterId: INSTANCE,
            setting: { executionPlan: { timeZone: "Mars" } },
          },
        ],
      },
    }),
    status: 400,
    code: 250306,
    en: /cluster node \[none\] is not found.*\[timeZone\].*IANA/,
    zh: /集群节点\[none\]不存在.*\[timeZone\].*IANA/,
  },
  {
    what: "a run-once task without package and versions",
    ask: (name) => ({
      path: `${DISTRIBUTION}/create/runOnceTask/p/images`,
      body: { name, clusterId: INSTANCE },
    }),
    status: 400,
    code: 250105,
    en: /\[packageName\].*name a package with its versions.*\[versions\].*name the versions to send/,
    zh: /\[packageName\].*请指定包及其版本.*\[versions\].*请指定要发送的版本/,
  },
  {
    what: "a run-once task with a package and paths",
    ask: (name) => ({
      path: `${DISTRIBUTION}/create/runOnceTask/p/files`,
      body: {
        name,
        clusterId: INSTANCE,
        packageName: "a",
        versions: ["1"],
        pathConstraints: ["/a"],
      },
    }),
    status: 200,
    code: 0,
    en: /"packageName" will not be used: with pathConstraints.*"versions" will not be used/s,
    zh: /"packageName" 不会被使用：指定 pathConstraints 时.*"versions" 不会被使用/s,
  },
  {
    what: "the execution of a run-once task that does not exist",
    ask: () => ({ path: `${DISTRIBUTION}/execute/runOnceTask/p/files?name=nowhere` }),
    status: 400,
    code: 250108,
    en: /\[nowhere\] is not found/,
    zh: /\[nowhere\]不存在/,
  },
  {
    what: "the deletion of a distribution that does not exist",
    ask: () => ({ method: "DELETE", path: `${DISTRIBUTION}/delete/p/files/nowhere` }),
    status: 400,
    code: 250310,
    en: /replica task \[nowhere\] is not found/,
    zh: /同步任务\[nowhere\]不存在/,
  },
  {
    what: "information about a distribution that does not exist",
    ask: () => ({ method: "GET", path: `${DISTRIBUTION}/info/p/files/nowhere` }),
    status: 200,
    code: 0,
    en: /no distribution with the name "nowhere": leave the name out to see all/,
    zh: /没有名称为 "nowhere" 的分发：去掉名称可查看全部/,
  },
];
