import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { changedAt, nameOf, pathOf, readRequests } from "../rigs/api/request-bodies.ts";

const CLUSTER = "/replication/api/cluster";
/** Requests of people and their scripts; those of other instances are not warned of anything. */
const WATCHED = /^\/(?:replication|repository)\/api\//;

let api: TestApi;
let requests: Awaited<ReturnType<typeof readRequests>>;
beforeAll(async () => {
  api = createTestApi();
  requests = await readRequests(api);
});
afterAll(() => api.close());

const warningsOf = (text: string) =>
  (JSON.parse(text) as { warnings?: string[] }).warnings;

/** Misspells a name: the second letter is doubled. */
const misspelt = (name: string) => `${name.slice(0, 2)}${name[1]}${name.slice(2)}`;

test("every field of every JSON body is suggested if it is misspelt, at any depth", async () => {
  const seen: string[] = [];
  for (const { method, path, schema } of requests.bodies) {
    if (!WATCHED.test(path)) continue;
    const whole = requests.valueOf(schema);
    for (const { way, fields } of requests.objectsIn(schema)) {
      for (const field of fields) {
        const typo = [...way, misspelt(field)];
        const { text } = await api.call(method, pathOf(path), {
          body: changedAt(whole, typo, "x"),
        });
        expect([path, warningsOf(text)]).toEqual([
          path,
          [
            `the field "${nameOf(typo)}" is unknown and was ignored: did you mean "${field}"?`,
          ],
        ]);
        seen.push(`${path} ${nameOf([...way, field])}`);
      }
    }
  }
  expect(seen).toEqual(
    expect.arrayContaining([
      "/replication/api/task/create setting.executionPlan.cronExpression",
      "/replication/api/task/update replicaTaskObjects[0].pathConstraints[0].path",
      "/replication/api/cluster/tryConnect name",
      "/replication/api/remote/distribution/create/{projectId}/{repoName} configs[0].setting.compare",
      "/repository/api/project/create displayName",
      "/repository/api/repo/create configuration.credentials.username",
    ]),
  );
});

test("every route warns of a parameter that it does not have, and suggests the nearest that it has", async () => {
  for (const { method, path, parameters } of requests.operations) {
    if (!WATCHED.test(path) || method === "HEAD") continue;
    const known = parameters.filter((each) => each.in === "query");
    for (const name of ["zzzzzzzzzz", ...known.map((each) => misspelt(each.name))]) {
      const { text } = await api.call(method, `${pathOf(path)}?${name}=1`);
      const near = known.find((each) => misspelt(each.name) === name)?.name;
      const advice = near
        ? `did you mean "${near}"?`
        : "leave it out, /docs has every parameter of this request";
      expect([method, path, warningsOf(text)?.slice(0, 1)]).toEqual([
        method,
        path,
        [`the parameter "${name}" is unknown and was ignored: ${advice}`],
      ]);
    }
  }
});

test("a field in a wrong place is told its place, and one of the original that it has no effect", async () => {
  const body = {
    projectId: "p",
    name: "hub",
    type: "OCI",
    url: "https://r.example",
    sourceFilter: ["a"],
    pathRegex: null,
    "setting.rate": 1,
  };
  const ask = async (language: string) =>
    warningsOf(
      (
        await api.call("POST", "/repository/api/repo/create", {
          body,
          headers: { "accept-language": language },
        })
      ).text,
    );
  expect(await ask("en")).toEqual([
    'the field "url" is unknown and was ignored: its place is "configuration.url"',
    'the field "sourceFilter" has no effect: the original API has it, this service does not offer it',
    'the field "setting.rate" is unknown and was ignored: leave it out, /docs has every field of this request',
  ]);
  expect(await ask("zh")).toEqual([
    '字段 "url" 未知，已被忽略：它的位置是 "configuration.url"',
    '字段 "sourceFilter" 不起作用：原 API 有此字段，本服务不提供',
    '字段 "setting.rate" 未知，已被忽略：请去掉，/docs 列出了此请求的所有字段',
  ]);
});

test("a body of unknown fields is answered with the first twenty, and names of any kind are only quoted", async () => {
  const names = ["__proto__", "constructor", "a\nb", "|", ...Array(30).keys()].map(
    String,
  );
  const body = `{${names.map((name) => `${JSON.stringify(name)}:1`).join(",")}}`;
  const { status, text } = await api.call("POST", "/replication/api/task/create", {
    body,
  });
  expect([status, warningsOf(text)?.length]).toEqual([400, 21]);
  expect(warningsOf(text)?.at(-1)).toContain("there are more");
});

test("a streamed list warns beside its data, and a request without mistakes has no field warnings", async () => {
  const { text } = await api.call("GET", "/replication/api/task/record/list/none?page=1");
  expect(JSON.parse(text)).toMatchObject({
    code: 0,
    data: [],
    warnings: [/"page"/, /no task/].map((words) => expect.stringMatching(words)),
  });
  expect(warningsOf((await api.call("GET", `${CLUSTER}/list`)).text)).toBeUndefined();
});
