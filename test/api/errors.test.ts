import { text } from "../../domain/text.ts";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ClusterProblem } from "../../api/deps.ts";
import { type Code, MESSAGES } from "../../api/http/messages.ts";
import { TransferError } from "../../domain/failure.ts";
import { type Answer, createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import {
  FILES,
  INSTANCE,
  planned,
  TASK,
  taskBody,
} from "../rigs/api/api-task-fixture.ts";

const CLUSTER = "/replication/api/cluster";
const REPO = "/repository/api/repo";
const hub = (host: string, changes: object = {}) => ({
  name: host,
  type: "REMOTE",
  url: `https://${host}.example`,
  ...changes,
});
const LIVE = taskBody({ name: "live", replicaType: "REAL_TIME" });

type Step = [
  method: string,
  path: string,
  body?: object | string | undefined,
  headers?: Record<string, string>,
];

/**
 * The requests that provoke each code; `{live}` and `{off}` are the keys of an enabled REAL_TIME task and of a disabled
 * one.
 */
const PROVOKED: Partial<Record<Code, Step[]>> = {
  250102: [["POST", `${CLUSTER}/create`, hub("faulty")]],
  250103: [["GET", `${CLUSTER}/exist`]],
  250104: [["POST", `${TASK}/create`, taskBody({ name: "" })]],
  250105: [["POST", `${TASK}/create`, taskBody({ name: "x" })]],
  250106: [["POST", `${TASK}/create`, "{"]],
  250107: [["POST", `${TASK}/create`, LIVE]],
  250108: [
    [
      "POST",
      "/replication/api/remote/distribution/execute/runOnceTask/p/files?name=none",
    ],
  ],
  250112: [["DELETE", `${CLUSTER}/delete/${INSTANCE}`]],
  250114: [["GET", `${TASK}/page/p`, undefined, { authorization: "Bearer x" }]],
  250116: [["POST", `${CLUSTER}/create`, hub("refusing")]],
  250119: [["POST", `${TASK}/copy`, "name=copy", { "content-type": "text/plain" }]],
  250130: [["GET", "/replication/api/nothing"]],
  250131: [["GET", `${TASK}/page/p?pageSize=0`]],
  250301: [["POST", `${CLUSTER}/create`, hub("down")]],
  250303: [["POST", `${TASK}/execute/{live}`]],
  250304: [["POST", `${TASK}/execute/{off}`]],
  250305: [["POST", `${CLUSTER}/create`, hub("center")]],
  250306: [["POST", `${CLUSTER}/tryConnect?name=none`]],
  250309: [
    ["POST", `${CLUSTER}/create`, hub("main", { type: "CENTER" })],
    ["POST", `${CLUSTER}/create`, hub("second", { type: "CENTER" })],
  ],
  250310: [["GET", `${TASK}/info/none`]],
  251003: [["PUT", "/generic/p/files/a", "a", { "x-bkrepo-sha256": "0".repeat(64) }]],
  251004: [["POST", `${TASK}/create`, taskBody({ localProjectId: "none" })]],
  251005: [
    ["POST", "/repository/api/project/create", { name: "demo", displayName: "Demo" }],
    ["POST", "/repository/api/project/create", { name: "demo", displayName: "Demo" }],
  ],
  251006: [
    [
      "POST",
      `${TASK}/create`,
      taskBody({ replicaTaskObjects: [{ ...FILES, localRepoName: "none" }] }),
    ],
  ],
  251007: [
    ["POST", `${REPO}/create`, { projectId: "p", name: "files", type: "GENERIC" }],
  ],
  251008: [
    ["PUT", "/generic/p/unused/a", "a"],
    ["DELETE", `${REPO}/delete/p/unused`],
  ],
  251010: [["GET", "/generic/p/files/none"]],
  251011: [["PUT", "/generic/p/files/a//b", "a"]],
  251012: [
    ["PUT", "/generic/p/files/a", "a"],
    ["PUT", "/generic/p/files/a", "a"],
  ],
  251017: [["GET", "/repository/api/package/info/p/maven?packageKey=gav://g:none"]],
  251019: [
    ["PUT", "/generic/p/maven/g/a/1/a-1.jar", "a"],
    ["DELETE", "/repository/api/version/delete/p/maven?packageKey=gav://g:a&version=2"],
  ],
};
/** 250124 needs a hundred logins that wait; 251020 stands within the answer to a declaration. */
const ELSEWHERE: Partial<Record<Code, string>> = {
  250113: "../strangers/cross-site.test.ts",
  250124: "../strangers/logins.test.ts",
  251020: "../instance/declare-maven.test.ts",
};
/**
 * Of what is not built yet (roles), and of packages that native clients are told about in their own form. No answer has
 * them.
 */
const LATER: Code[] = [250307, 251018];

async function checkCluster({ url }: { url: string }): Promise<ClusterProblem | null> {
  if (url.includes("faulty")) throw new Error("a fault");
  if (url.includes("refusing"))
    throw new TransferError("server", "the other side broke off");
  return url.includes("down")
    ? { reason: text("connection refused", "连接被拒绝"), refused: false }
    : null;
}

let api: TestApi;
beforeEach(() => {
  api = createTestApi({ checkCluster });
  for (const name of ["files", "unused"]) addRepository(api.db, "p", name, "GENERIC");
  addRepository(api.db, "p", "maven", "MAVEN");
  addRepository(api.db, "p", "linked", "DOCKER", "REMOTE");
  addCluster(api.db, "shanghai", "STANDALONE", INSTANCE);
});
afterEach(() => api.close());

/** Sends the steps in Chinese and returns their answers. */
async function answersTo(steps: readonly Step[]): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const [method, path, body, headers = {}] of steps)
    answers.push(
      await api.call(method, path, {
        body,
        headers: { ...headers, "accept-language": "zh" },
      }),
    );
  return answers;
}

/** Matches the Chinese text of a code; its group is the detail that follows after a colon. */
function textOf(code: Code): RegExp {
  const text = MESSAGES[code].zh.replace(/[[\]]/g, "\\$&").replace("{0}", ".*?");
  return new RegExp(`^${text}(?:：(.*))?$`, "s");
}

/** Three English words in a row outside of quotation marks and of a text that is quoted from elsewhere. */
const hasEnglish = (detail: string): boolean =>
  /\b[a-z]+(?: [a-z]+){2}\b/i.test(detail.replace(/原文：.*|"[^"]*"/gs, ""));

async function createdKey(body: object): Promise<string> {
  const { data } = await api.call("POST", `${TASK}/create`, { body });
  return (data as { key: string }).key;
}

test.each(
  Object.entries(PROVOKED).map(([code, steps]) => [Number(code) as Code, steps] as const),
)(
  "the error code %i is answered with its status and its text, and its detail is Chinese, too",
  async (code, steps) => {
    const live = await createdKey(LIVE);
    const off = await createdKey(taskBody({ name: "off", enabled: false }));
    const answers = await answersTo(
      steps.map(([method, path, ...more]) => [
        method,
        path.replace("{live}", live).replace("{off}", off),
        ...more,
      ]),
    );
    expect(answers.slice(0, -1).map((answer) => answer.code)).toEqual(
      answers.slice(1).map(() => 0),
    );
    expect(answers.at(-1)).toMatchObject({
      status: MESSAGES[code].status,
      code,
      message: expect.stringMatching(textOf(code)),
      data: null,
    });
    const [, detail = ""] = textOf(code).exec(answers.at(-1)?.message ?? "") ?? [];
    expect(detail).toMatch(/^$|\p{Script=Han}/u);
    expect(hasEnglish(detail)).toBe(false);
  },
);

const cron = (cronExpression: string) =>
  taskBody({
    name: "odd",
    replicaType: "SCHEDULED",
    ...planned("CRON_EXPRESSION", { cronExpression }),
  });
const IMAGES = { localRepoName: "linked", repoType: "DOCKER" };

test.each<[what: string, step: Step, message: string]>([
  [
    "a field with an unknown value",
    ["POST", `${TASK}/create`, taskBody({ replicaType: "HOURLY" })],
    '请求内容无效：replicaType：应为以下之一："SCHEDULED"|"REAL_TIME"|"RUN_ONCE"',
  ],
  [
    "a field of the wrong type",
    ["POST", `${TASK}/create`, taskBody({ name: 7 })],
    "请求内容无效：name：应为字符串，实际为数字",
  ],
  [
    "a value out of range",
    ["GET", `${TASK}/page/p?pageSize=0`],
    "参数校验失败：pageSize：不能小于 1",
  ],
  [
    "a missing field",
    ["POST", `${TASK}/create`, taskBody({ name: undefined })],
    "请求内容无效：缺少 name",
  ],
  [
    "a body that is not JSON",
    ["POST", `${TASK}/create`, "{"],
    "请求内容无效：请求体不是合法的 JSON",
  ],
  [
    "a task rule",
    ["POST", `${TASK}/create`, taskBody({ recordReserveDays: 61 })],
    "参数[recordReserveDays]无效：请写 1 到 60",
  ],
  [
    "a task rule that names a field in its detail",
    [
      "POST",
      `${TASK}/create`,
      taskBody({ replicaObjectType: "PATH", replicaTaskObjects: [FILES, FILES] }),
    ],
    "请求内容无效：replicaTaskObjects：PATH 任务只能有一个对象，此任务有 2 个",
  ],
  [
    "a capability",
    ["POST", `${TASK}/create`, { ...LIVE, name: "odd", replicaTaskObjects: [IMAGES] }],
    "参数[replicaType]无效：REAL_TIME 需要本地仓库，而 p/linked 是远程仓库：" +
      "请使用 SCHEDULED，executionStrategy 设为 CRON_EXPRESSION",
  ],
  [
    "a path",
    ["PUT", "/generic/p/files/a//b", "a"],
    "节点路径[/generic/p/files/a//b]无效：路径含有空段：名称之间只写一个斜杠，末尾不写斜杠",
  ],
  [
    "a cron expression",
    ["POST", `${TASK}/create`, cron("0 0 25 * * ?")],
    "参数[cronExpression]无效：cron 表达式，时：“25”不是 0 到 23",
  ],
  [
    "an address",
    ["POST", `${CLUSTER}/create`, hub("odd", { url: "https://odd.example?a=b" })],
    "参数[url]无效：不能含有 ? 和 #",
  ],
  [
    "a reason from elsewhere, which is quoted",
    ["POST", `${CLUSTER}/create`, hub("refusing")],
    "服务调用失败：原文：the other side broke off",
  ],
  [
    "a digest that the store found to be wrong",
    ["PUT", "/generic/p/files/a", "a", { "x-bkrepo-sha256": "0".repeat(64) }],
    "摘要校验失败[内容的 sha256 是 ",
  ],
])("the Chinese answer explains %s in Chinese", async (_, step, message) => {
  await createdKey(LIVE);
  const [answer] = await answersTo([step]);
  expect(answer?.message?.slice(0, message.length)).toBe(message);
});

test("no check of zod has a message in English alone", () => {
  const folder = fileURLToPath(new URL("../../api", import.meta.url));
  const checks = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) =>
      [
        ...readFileSync(join(folder, name), "utf8").matchAll(
          /\.(?:regex|min|max|length|refine)\((?:[^()]|\([^()]*\))*,\s*["`{]/g,
        ),
      ].map(([check]) => `${name}: ${check}`),
    );
  expect(checks).toEqual([]);
});

test("every error code of the API is provoked by a request", () => {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const known = [
    ...Object.keys(PROVOKED),
    ...Object.keys(ELSEWHERE),
    ...LATER.map(String),
  ];
  expect(Object.keys(MESSAGES).filter((code) => !known.includes(code))).toEqual([]);
  for (const [code, file] of Object.entries(ELSEWHERE))
    expect(readFileSync(join(here, file), "utf8")).toContain(code);
  const folder = join(here, "..", "..", "api");
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && name !== "http/messages.ts",
  );
  const used = sources.map((name) => readFileSync(join(folder, name), "utf8")).join();
  expect(LATER.filter((code) => used.includes(String(code)))).toEqual([]);
});
