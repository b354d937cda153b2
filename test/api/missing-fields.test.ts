import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { changedAt, nameOf, pathOf, readRequests } from "../rigs/api/request-bodies.ts";

let api: TestApi;
let requests: Awaited<ReturnType<typeof readRequests>>;
beforeAll(async () => {
  api = createTestApi();
  requests = await readRequests(api);
});
afterAll(() => api.close());

test("every route answers 250106 with the field's full name if a required field is missing", async () => {
  const seen: string[] = [];
  for (const { method, path, schema } of requests.bodies) {
    const whole = requests.valueOf(schema);
    for (const way of requests.requiredIn(schema)) {
      for (const put of [undefined, null]) {
        const { status, code, message } = await api.call(method, pathOf(path), {
          body: changedAt(whole, way, put),
        });
        expect([method, path, status, code, message]).toEqual([
          method,
          path,
          400,
          250106,
          `request content is invalid: ${nameOf(way)} is missing`,
        ]);
      }
      seen.push(`${method} ${path} ${nameOf(way)}`);
    }
  }
  expect(seen).toEqual(
    expect.arrayContaining([
      "POST /replication/api/task/create replicaTaskObjects[0].localRepoName",
      "POST /replication/api/task/update replicaTaskObjects[0].packageConstraints[0].packageKey",
      "POST /replication/api/task/copy key",
      "POST /replication/api/cluster/update url",
      "POST /replication/api/remote/distribution/create/{projectId}/{repoName} " +
        "configs[0].packageConstraints[0].packageKey",
      "POST /replication/api/remote/distribution/create/{projectId}/{repoName} configs[0].name",
      "POST /repository/api/project/create name",
      "POST /repository/api/repo/create type",
    ]),
  );
});

test.each([
  ["no body", undefined, /Malformed JSON|object/],
  ["the body null", "null", /object/],
  ["a list as its body", "[]", /object|missing/],
])(
  "every route with required fields answers 250106 to a request that has %s",
  async (_what, body, sentence) => {
    for (const { method, path, schema } of requests.bodies) {
      if (requests.requiredIn(schema).length === 0) continue;
      const answer = await api.call(method, pathOf(path), {
        headers: { "content-type": "application/json" },
        ...(body === undefined ? {} : { body }),
      });
      expect([path, answer.code, answer.message]).toEqual([
        path,
        250106,
        expect.stringMatching(sentence),
      ]);
    }
  },
);

test.each([
  ["GET", "/replication/api/cluster/exist", "name"],
  ["GET", "/replication/api/cluster/info", "name"],
  ["POST", "/replication/api/cluster/tryConnect", "name"],
])(
  "%s %s without its required parameter is refused with 250103 and the parameter's name",
  async (method, path, name) => {
    expect(await api.call(method, path)).toMatchObject({
      status: 400,
      code: 250103,
      message: `parameter [${name}] is missing`,
    });
  },
);
