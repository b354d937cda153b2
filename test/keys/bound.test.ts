import { afterEach, beforeEach, expect, test } from "vitest";
import { sealCredentials } from "../../activities/secrets/credentials.ts";
import { createSealer } from "../../activities/secrets/seal.ts";
import { createPace } from "../../activities/registries/pace.ts";
import { createControlPlane } from "../../activities/control-plane.ts";
import { openEndpoint } from "../../activities/transfer/endpoint.ts";
import { createClusterCheck } from "../../api/clusters/check-cluster.ts";
import { cluster } from "../../db/schema/tasks.ts";
import { repository } from "../../db/schema/content.ts";
import type { Endpoint } from "../../domain/worker-messages.ts";
import { createTestApi, KEY, type TestApi, WORKER } from "../rigs/api/api-fixture.ts";
import {
  type AnsweringServer,
  registryThat,
  startAnswering,
} from "../rigs/servers/answering.ts";
import { USER } from "../rigs/servers/credentials.ts";

const RUN = "0".repeat(24);

let api: TestApi;
let thief: AnsweringServer;
let stolen: (string | undefined)[];

beforeEach(async () => {
  stolen = [];
  thief = await startAnswering((request, response) => {
    stolen.push(request.headers.authorization);
    registryThat({ login: "basic" })(request, response);
  });
  api = createTestApi({ checkCluster: createClusterCheck({}) });
  await post("/repository/api/project/create", { name: "demo", displayName: "demo" });
  await post("/replication/api/cluster/create", {
    name: "hub",
    type: "REMOTE",
    url: "http://127.0.0.1:9",
    protocol: "OCI",
    ping: false,
    ...USER,
  });
  await post("/repository/api/repo/create", {
    projectId: "demo",
    name: "linked",
    type: "OCI",
    category: "REMOTE",
    configuration: { type: "remote", url: "http://127.0.0.1:9", credentials: USER },
  });
});
afterEach(async () => {
  api.close();
  await thief.stop();
});

const post = (path: string, body: object) => api.call("POST", path, { body });
const tryCluster = async () =>
  (await api.call("GET", "/replication/api/cluster/tryConnect?name=hub")).message;
const tryLinked = async () => {
  const { data } = await api.call("GET", "/repository/api/repo/tryConnect/demo/linked");
  return (data as { authenticated: { message: string } }).authenticated.message;
};

test("who changes the address of an end in the database does not get its password", async () => {
  for (const url of [thief.url, `${thief.url}/team`, "https://127.0.0.1:9"]) {
    api.db.update(cluster).set({ url }).run();
    api.db.update(repository).set({ url }).run();
    expect(await tryCluster()).toMatch(/not authenticated.*enter them again/);
    expect(await tryLinked()).toMatch(/enter them again/);
  }
  expect(stolen).toEqual([]);
});

test("credentials that cannot be opened are replaced without the old key, and stay until then", async () => {
  const foreign = createSealer(KEY.replace("0", "1"));
  const end = { url: "http://127.0.0.1:9", realms: null };
  const [row] = api.db.select().from(cluster).all();
  const sealed = sealCredentials(foreign, `cluster:${row?.id}`, end, { password: "x" });
  api.db.update(cluster).set({ secret: sealed }).run();
  const lost = sealCredentials(foreign, "repository:demo/linked", end, { password: "x" });
  api.db.update(repository).set({ secret: lost }).run();
  const update = (more: object) =>
    post("/replication/api/cluster/update", {
      name: "hub",
      url: "http://127.0.0.1:9",
      ping: false,
      ...more,
    });
  const change = (more: object) =>
    post("/repository/api/repo/update/demo/linked", {
      configuration: { type: "remote", ...more },
    });
  expect((await update({ detectType: "REPORT" })).code).toBe(0);
  expect((await change({ insecureSkipVerify: true })).code).toBe(0);
  expect(api.db.select().from(cluster).get()?.secret).toBe(sealed);
  expect(api.db.select().from(repository).get()?.secret).toBe(lost);
  expect(await tryCluster()).toMatch(/enter them again/);
  expect((await update(USER)).code).toBe(0);
  expect((await change({ credentials: USER })).code).toBe(0);
  expect(await tryCluster()).toMatch(/not reachable/);
  expect(await tryLinked()).not.toMatch(/enter them again/);
});

test("who changes the accepted realms in the database sends no password to them", async () => {
  const registry = await startAnswering(
    registryThat({ login: "token", realm: `${thief.url}/token` }),
  );
  const url = registry.url;
  await post("/replication/api/cluster/update", {
    name: "hub",
    url,
    ping: false,
    ...USER,
  });
  await post("/repository/api/repo/update/demo/linked", {
    configuration: { type: "remote", url, credentials: USER },
  });
  api.db
    .update(cluster)
    .set({ acceptedRealms: [`${thief.url}/token`] })
    .run();
  api.db
    .update(repository)
    .set({ acceptedRealms: [`${thief.url}/token`] })
    .run();
  expect(await tryCluster()).toMatch(/acceptedRealms/);
  expect(await tryLinked()).toMatch(/acceptedRealms/);
  expect(stolen.filter((login) => login !== undefined)).toEqual([]);
  await registry.stop();
});

/** An end as a worker gets it, with credentials that are sealed to it for `of`. */
const endpoint = (of: string, url: string): Endpoint => ({
  url,
  protocol: "OCI",
  username: USER.username,
  secret: sealCredentials(
    createSealer(WORKER.secret),
    "cluster:1",
    { url: of, realms: null },
    { password: USER.password },
  ),
  sealedFor: "cluster:1",
  certificate: null,
  insecureSkipVerify: false,
});

const deps = () => ({
  sealer: createSealer(WORKER.secret),
  network: {},
  controlPlane: createControlPlane({
    apiUrl: "http://127.0.0.1:9",
    identity: WORKER,
    name: "far/1",
  }),
});

test.each([
  ["another host", "http://registry.test", "http://evil.test"],
  ["another port", "http://registry.test", "http://registry.test:81"],
  ["no TLS", "https://registry.test", "http://registry.test:443"],
  ["TLS", "http://registry.test:443", "https://registry.test"],
])("a worker opens no credentials for an end with %s", (_what, of, url) => {
  const open = (end: Endpoint) => openEndpoint(deps(), RUN, end, "", createPace());
  expect(open(endpoint(of, `${of}/path`)).password).toBe(USER.password);
  expect(() => open(endpoint(of, url))).toThrow(/sealed for another address/);
});

test("a worker opens only what is sealed to it and to the thing that it is given for", () => {
  const end = endpoint("http://registry.test", "http://registry.test");
  const open = (changed: Partial<Endpoint>, secret = WORKER.secret) =>
    openEndpoint(
      { ...deps(), sealer: createSealer(secret) },
      RUN,
      { ...end, ...changed },
      "",
      createPace(),
    );
  expect(() => open({ sealedFor: "cluster:2" })).toThrow(/cannot be opened/);
  expect(() => open({}, WORKER.secret.replace("0", "1"))).toThrow(/cannot be opened/);
  expect(() => open({}, KEY.replace("0", "2"))).toThrow(/cannot be opened/);
});
