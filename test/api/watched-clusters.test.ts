import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createClusterCheck } from "../../api/clusters/check-cluster.ts";
import { checkClusters } from "../../api/clusters/health.ts";
import { createPaces } from "../../activities/control/paces.ts";
import {
  deleteCluster,
  findClusterByName,
  listClusters,
} from "../../db/tasks/clusters.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { CLUSTER } from "../rigs/api/checked-clusters.ts";
import {
  registryThat,
  startAnswering,
  token,
  type AnsweringServer,
} from "../rigs/servers/answering.ts";
import { USER } from "../rigs/servers/credentials.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
let now = Date.now();
const checkCluster = createClusterCheck({}, () => now);
let api: TestApi;
let server: AnsweringServer;
let name: string;

beforeAll(async () => {
  api = createTestApi({ checkCluster });
  server = await startAnswering(registryThat({ login: "token" }));
  name = unique("watched");
  const body = { name, type: "REMOTE", url: `${server.url}/team`, ...USER };
  await api.call("POST", `${CLUSTER}/create`, { body });
});
afterAll(async () => {
  api.close();
  await server.stop();
});
afterEach(() => {
  server.answer = registryThat({ login: "token" });
});

/** Lets the watch look once, a minute later; returns the cluster's health and the requests that it took. */
async function look(check = checkCluster) {
  now += MINUTE;
  server.requests.splice(0);
  await checkClusters({
    ...api.deps,
    checkCluster: check,
    paces: createPaces(() => now),
  });
  const { status, errorReason } = findClusterByName(api.db, name) ?? {};
  return { status, errorReason, requests: [...server.requests] };
}
const WELL = { status: "HEALTHY", errorReason: null };
/** The token for pushing, an upload, or the continuation of one. */
const isAboutPush = (request: string) => /push|\/uploads\//.test(request);
const isUpload = (request: string) => /^(POST|DELETE) .*\/blobs\/uploads\//.test(request);

test("the watch begins an upload once a day, gives it up, and only asks for rights in between", async () => {
  const glances = [await look(), await look()];
  now += DAY;
  const whole = await look();
  glances.push(await look());
  expect([whole, ...glances].map(({ status }) => status)).toEqual(
    Array(4).fill("HEALTHY"),
  );
  expect(whole.requests.filter(isUpload)).toEqual([
    "POST /v2/team/replication-check/blobs/uploads/",
    "DELETE /v2/team/replication-check/blobs/uploads/1",
  ]);
  for (const { requests } of glances) {
    expect(requests.length).toBeLessThanOrEqual(7);
    for (const request of requests)
      expect(request).toMatch(
        /^GET \/(v2\/$|token\?service=s)|^PATCH .*\/uploads\/00000000-/,
      );
  }
});

test("a registry that becomes something else is UNHEALTHY at once, with the step, until it is back", async () => {
  server.answer = (_, response) => void response.end("<html>");
  expect(await look()).toMatchObject({
    status: "UNHEALTHY",
    errorReason: expect.stringMatching(/^not the right product: .*check host/),
  });
  server.answer = registryThat({ login: "token" });
  expect(await look()).toMatchObject(WELL);
});

test("a login that may not push any more is found at once", async () => {
  server.answer = registryThat({ login: "token", pushToken: token("pull") });
  expect(await look()).toMatchObject({
    status: "UNHEALTHY",
    errorReason: expect.stringMatching(/^not allowed: .*team\/replication-check/),
  });
  server.answer = registryThat({ login: "token" });
  const back = await look();
  expect(back).toMatchObject(WELL);
  expect(back.requests.some(isUpload)).toBe(true);
});

test("a login that is refused now is UNHEALTHY at once", async () => {
  server.answer = registryThat({ login: "basic" });
  expect(await look()).toMatchObject(WELL);
  server.answer = (request, response) =>
    request.url?.startsWith("/token") === true
      ? void response.writeHead(401).end()
      : registryThat({ login: "token" })(request, response);
  expect(await look()).toMatchObject({
    status: "UNHEALTHY",
    errorReason: expect.stringMatching(/^not authenticated: .*check username/),
  });
});

/** Attaches a cluster in the place of all others. */
async function attachAlone(changes: object): Promise<void> {
  for (const { id } of listClusters(api.db)) deleteCluster(api.db, id);
  name = unique("watched");
  const body = { name, ...changes };
  expect(await api.call("POST", `${CLUSTER}/create`, { body })).toMatchObject({
    code: 0,
  });
}

const READER = registryThat({ login: "token", pushToken: token("pull") });
const noPush = () => ({
  type: "REMOTE",
  url: `${server.url}/team`,
  ping: false,
  ...USER,
});

test("a right to push that nobody has seen is not held against a cluster, and is asked for once a day", async () => {
  const restarted = createClusterCheck({}, () => now);
  server.answer = READER;
  await attachAlone(noPush());
  const tried = await api.call("POST", `${CLUSTER}/tryConnect?name=${name}`);
  expect(tried.message).toMatch(/not allowed: .*attach the cluster with ping false/);
  const looks = [];
  for (const pause of [0, 0, DAY, 0]) {
    now += pause;
    looks.push(await look(restarted));
  }
  for (const found of looks) expect(found).toMatchObject(WELL);
  const asks = looks.map(({ requests }) => requests.filter(isAboutPush).length > 0);
  expect(asks).toEqual([true, false, true, false]);
  server.answer = registryThat({ login: "token" });
  now += DAY;
  expect(await look(restarted)).toMatchObject(WELL);
  server.answer = READER;
  for (const _ of [1, 2])
    expect(await look(restarted)).toMatchObject({
      status: "UNHEALTHY",
      errorReason: expect.stringMatching(/^not allowed: /),
    });
});

test("at a url without a path, a registry that refuses the test's name is asked for the login only", async () => {
  server.answer = READER;
  await attachAlone({ type: "REMOTE", url: server.url, ...USER });
  for (const _ of [1, 2]) {
    const { requests, ...health } = await look();
    expect(health).toEqual(WELL);
    expect(
      requests.filter((request) => !/^GET \/(v2\/|token\?service=s)$/.test(request)),
    ).toEqual([]);
  }
});

test.each([
  ["an image registry", "OCI", "GET /token?service=s"],
  ["an npm registry", "NPM", "GET /-/whoami"],
])(
  "a login that %s refuses fails once a minute, and is found good at once",
  async (_case, protocol, login) => {
    const packages = (request: IncomingMessage, response: ServerResponse) =>
      void response
        .writeHead(request.url === "/-/ping" ? 200 : 404)
        .end('{"error":"none"}');
    const well = protocol === "OCI" ? registryThat({ login: "token" }) : packages;
    server.answer = well;
    await attachAlone({ type: "REMOTE", url: server.url, protocol, ...USER });
    server.answer = (request, response) =>
      request.headers.authorization?.startsWith("Basic ") === true
        ? void response.writeHead(401).end()
        : well(request, response);
    await look();
    for (const _ of [1, 2]) {
      const { requests, ...health } = await look();
      expect(health).toEqual({
        status: "UNHEALTHY",
        errorReason: expect.stringMatching(/^not authenticated: .*check username/),
      });
      expect(requests.filter((request) => !request.startsWith("GET /v2/"))).toEqual([
        login,
      ]);
    }
    server.answer = well;
    expect(await look()).toMatchObject(WELL);
  },
);
