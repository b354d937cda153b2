import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ClusterProblem } from "../../api/deps.ts";
import { type Code, MESSAGES } from "../../api/http/messages.ts";
import { TransferError } from "../../domain/failure.ts";
import { type Answer, createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import { FILES, INSTANCE, TASK, taskBody } from "../rigs/api/api-task-fixture.ts";

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
/** Codes that need a hundred waiting logins. */
const ELSEWHERE: Partial<Record<Code, string>> = { 250124: "envelope.test.ts" };
/** The texts of all codes, and the codes of single files and versions within an answer of success. */
const NOT_ANSWERED = ["http/messages.ts", "sync/refusals.ts"];
/**
 * Of what is not built yet (roles), and of packages that native clients are told about in their own form. No answer has
 * them.
 */
const LATER: Code[] = [250113, 250307, 251018, 251020];

async function checkCluster({ url }: { url: string }): Promise<ClusterProblem | null> {
  if (url.includes("faulty")) throw new Error("a fault");
  if (url.includes("refusing"))
    throw new TransferError("server", "the other side broke off");
  return url.includes("down") ? { reason: "connection refused", refused: false } : null;
}

let api: TestApi;
beforeEach(() => {
  api = createTestApi({ checkCluster });
  for (const name of ["files", "unused"]) addRepository(api.db, "p", name, "GENERIC");
  addRepository(api.db, "p", "maven", "MAVEN");
  addCluster(api.db, "shanghai", "STANDALONE", INSTANCE);
});
afterEach(() => api.close());

async function createdKey(body: object): Promise<string> {
  const { data } = await api.call("POST", `${TASK}/create`, { body });
  return (data as { key: string }).key;
}

test.each(
  Object.entries(PROVOKED).map(([code, steps]) => [Number(code) as Code, steps] as const),
)("%i is answered with its status and its text", async (code, steps) => {
  const live = await createdKey(LIVE);
  const off = await createdKey(taskBody({ name: "off", enabled: false }));
  const answers: Answer[] = [];
  for (const [method, path, body, headers = {}] of steps) {
    const at = path.replace("{live}", live).replace("{off}", off);
    answers.push(
      await api.call(method, at, {
        body,
        headers: { ...headers, "accept-language": "zh" },
      }),
    );
  }
  const [words = ""] = MESSAGES[code].zh.split(/\[?\{0\}\]?/).filter(Boolean);
  expect(answers.slice(0, -1).map((answer) => answer.code)).toEqual(
    answers.slice(1).map(() => 0),
  );
  expect(answers.at(-1)).toMatchObject({
    status: MESSAGES[code].status,
    code,
    message: expect.stringContaining(words),
    data: null,
  });
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
    (name) => name.endsWith(".ts") && !NOT_ANSWERED.includes(name),
  );
  const used = sources.map((name) => readFileSync(join(folder, name), "utf8")).join();
  expect(LATER.filter((code) => used.includes(String(code)))).toEqual([]);
});
