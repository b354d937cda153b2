import type { Mistake } from "./row.ts";

const CLUSTER = "/replication/api/cluster";
type Words = { en: RegExp; zh: RegExp };

const attached = (
  what: string,
  changes: Record<string, unknown>,
  code: number,
  words: Words,
): Mistake => ({
  what,
  ask: (name) => ({
    path: `${CLUSTER}/create`,
    body: { name, type: "REMOTE", url: "https://r.example", ...changes },
  }),
  status: code === 0 ? 200 : 400,
  code,
  ...words,
});

const asked = (
  what: string,
  method: string,
  path: string,
  code: number,
  words: Words,
): Mistake => ({
  what,
  ask: () => ({ method, path: `${CLUSTER}/${path}` }),
  status: code === 0 ? 200 : 400,
  code,
  ...words,
});

/** Mistakes with clusters. */
export const CLUSTER_MISTAKES: readonly Mistake[] = [
  attached(
    "a cluster whose name and url are wrong",
    { name: "n", url: "ftp://r" },
    250105,
    {
      en: /\[name\].*2 to 256.*\[url\].*only http and https are supported/,
      zh: /\[name\].*2 到 256.*\[url\].*仅支持 http 和 https/,
    },
  ),
  attached("a cluster without name and url", { name: " ", url: "" }, 250104, {
    en: /\[name\] must not be empty; parameter \[url\] must not be empty/,
    zh: /参数\[name\]不能为空；参数\[url\]不能为空/,
  }),
  attached("a cluster whose name is taken", { name: "shanghai" }, 250305, {
    en: /cluster node \[shanghai\] already exists/,
    zh: /集群节点\[shanghai\]已存在/,
  }),
  attached("credentials in a url", { url: "https://a:b@r.example" }, 250105, {
    en: /write credentials into username and password/,
    zh: /凭据请写入 username 和 password/,
  }),
  attached("a protocol of an instance", { type: "EDGE", protocol: "OCI" }, 250105, {
    en: /only a REMOTE cluster has a protocol; a cluster of type EDGE is another instance/,
    zh: /只有 REMOTE 集群有协议；EDGE 集群是本产品的另一个实例/,
  }),
  attached("an unknown type of cluster", { type: "MIRROR" }, 250106, {
    en: /type: .*"CENTER"\|"EDGE"\|"STANDALONE"\|"REMOTE"/,
    zh: /type：.*"CENTER"\|"EDGE"\|"STANDALONE"\|"REMOTE"/,
  }),
  attached("a certificate for http", { url: "http://r.example", certificate: "PEM" }, 0, {
    en: /"certificate" will not be used: the url begins with http:/,
    zh: /"certificate" 不会被使用：url 以 http: 开头/,
  }),
  attached(
    "insecureSkipVerify for http",
    { url: "http://r.example", insecureSkipVerify: true },
    0,
    {
      en: /"insecureSkipVerify" will not be used/,
      zh: /"insecureSkipVerify" 不会被使用/,
    },
  ),
  attached("a password without a user", { password: "secret" }, 0, {
    en: /"password" will not be used: it is sent with a username only/,
    zh: /"password" 不会被使用/,
  }),
  attached("a password and a token", { username: "u", password: "p", token: "t" }, 0, {
    en: /"token" will not be used: of a password and a token, only one is sent/,
    zh: /"token" 不会被使用/,
  }),
  attached("fields of a cluster that are stored only", { appId: "a", udpPort: 9 }, 0, {
    en: /"appId" will not be used: it is stored and has no effect.*"udpPort"/s,
    zh: /"appId" 不会被使用：它只被存储，不起作用.*"udpPort"/s,
  }),
  attached("passwort for password", { username: "u", passwort: "p" }, 0, {
    en: /"passwort" is unknown and was ignored: did you mean "password"\?/,
    zh: /"passwort" 未知，已被忽略：是否应为 "password"？/,
  }),
  asked(
    "information about a cluster name that does not exist",
    "GET",
    "info?name=nowhere",
    0,
    {
      en: /no cluster has the name "nowhere": GET \/replication\/api\/cluster\/list shows all/,
      zh: /没有名称为 "nowhere" 的集群/,
    },
  ),
  asked("information by name where an id is wanted", "GET", "info/shanghai", 0, {
    en: /no cluster has the id "shanghai"; the cluster of that name has the id 1{24}/,
    zh: /没有 ID 为 "shanghai" 的集群；使用该名称的集群的 ID 是 1{24}/,
  }),
  asked("deleting a cluster by its name", "DELETE", "delete/shanghai", 250306, {
    en: /the cluster of that name has the id 1{24}: write the id/,
    zh: /使用该名称的集群的 ID 是 1{24}：请写 ID/,
  }),
  asked("deleting a cluster in use", "DELETE", `delete/${"3".repeat(24)}`, 250112, {
    en: /cluster used is used by tasks: task-in-use\. Delete them first, or change them/,
    zh: /集群 used 正被以下任务使用：task-in-use。请先删除这些任务/,
  }),
  asked(
    "testing a cluster that does not exist",
    "POST",
    "tryConnect?name=nowhere",
    250306,
    {
      en: /cluster node \[nowhere\] is not found/,
      zh: /集群节点\[nowhere\]不存在/,
    },
  ),
  asked("testing a cluster without its name", "POST", "tryConnect", 250103, {
    en: /\[name\] is missing/,
    zh: /参数\[name\]缺失/,
  }),
  {
    what: "changing a cluster that does not exist",
    ask: () => ({
      path: `${CLUSTER}/update`,
      body: { name: "nowhere", url: "https://r" },
    }),
    status: 400,
    code: 250306,
    en: /cluster node \[nowhere\] is not found/,
    zh: /集群节点\[nowhere\]不存在/,
  },
];
