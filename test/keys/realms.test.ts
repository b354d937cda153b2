import { readFileSync, mkdtempSync, rmSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createPaces } from "../../activities/control/paces.ts";
import { createClusterCheck } from "../../api/clusters/check-cluster.ts";
import { checkClusters } from "../../api/clusters/health.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { selfSigned, USER } from "../rigs/servers/credentials.ts";
import {
  type AnsweringServer,
  registryThat,
  startAnswering,
} from "../rigs/servers/answering.ts";

/** Logins that a token server got, such as `alice`. */
let logins: string[];
let folder: string;
let registry: AnsweringServer;
let http: AnsweringServer;
const safe = { url: "", other: "" };
const stops: (() => Promise<unknown>)[] = [];
let api: TestApi;

const noting: RequestListener = (request, response) => {
  const { authorization } = request.headers;
  if (authorization !== undefined)
    logins.push(
      Buffer.from(authorization.slice(6), "base64").toString().replace(/:.*/, ""),
    );
  if (request.url?.startsWith("/denied") === true) response.writeHead(401).end();
  else registryThat({})(request, response);
};

async function startTls(): Promise<string> {
  const { key, certificate } = selfSigned(folder);
  const options = { key: readFileSync(key), cert: readFileSync(certificate) };
  const server = createServer(options, noting).listen(0, "127.0.0.1");
  await once(server, "listening");
  stops.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "realms-"));
  registry = await startAnswering(registryThat({}));
  http = await startAnswering(noting);
  stops.push(registry.stop, http.stop);
  [safe.url, safe.other] = [await startTls(), await startTls()];
});
afterAll(async () => {
  await Promise.all(stops.map((stop) => stop()));
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  logins = [];
  api = createTestApi({ checkCluster: createClusterCheck({}) });
  await post("/repository/api/project/create", { name: "demo", displayName: "demo" });
});
afterEach(() => api.close());

const post = (path: string, body: object) => api.call("POST", path, { body });
const names = (realm: string) =>
  (registry.answer = registryThat({ login: "token", realm: `${realm}/token` }));

/** A way to reach the registry: how the end is saved, is tested, and which realms it has accepted then. */
type Place = {
  save: (more?: object) => Promise<unknown>;
  connect: () => Promise<string>;
  accepted: () => Promise<string[] | null>;
  change: (more: object) => Promise<unknown>;
};

const CLUSTER = "/replication/api/cluster";
const REPO = "/repository/api/repo";
const access = { insecureSkipVerify: true };
const cluster = (more: object) => ({
  name: "hub",
  type: "REMOTE",
  url: registry.url,
  protocol: "OCI",
  ping: false,
  ...access,
  ...USER,
  ...more,
});
const configuration = (more: object) => ({
  type: "remote",
  url: registry.url,
  credentials: USER,
  ...access,
  ...more,
});
type Info = { acceptedRealms: string[] | null; errorReason: string | null };
const info = async () => (await api.call("GET", `${CLUSTER}/info?name=hub`)).data as Info;
const ofCluster = {
  save: (more = {}) => post(`${CLUSTER}/create`, cluster(more)),
  accepted: async () => (await info()).acceptedRealms,
  change: (more: object) =>
    post(`${CLUSTER}/update`, { name: "hub", url: registry.url, ping: false, ...more }),
};

const PLACES: [string, Place][] = [
  [
    "cluster/tryConnect",
    {
      ...ofCluster,
      connect: async () =>
        (await api.call("GET", `${CLUSTER}/tryConnect?name=hub`)).message ?? "fine",
    },
  ],
  [
    "the watch of clusters",
    {
      ...ofCluster,
      async connect() {
        await checkClusters({ ...api.deps, paces: createPaces(Date.now) });
        return (await info()).errorReason ?? "fine";
      },
    },
  ],
  [
    "cluster/update",
    {
      ...ofCluster,
      connect: async () =>
        (await post(`${CLUSTER}/update`, { name: "hub", url: registry.url, ping: true }))
          .message ?? "fine",
    },
  ],
  [
    "repo/tryConnect",
    {
      save: (more = {}) =>
        post(`${REPO}/create`, {
          projectId: "demo",
          name: "linked",
          type: "OCI",
          category: "REMOTE",
          configuration: configuration(more),
        }),
      async connect() {
        const { data } = await api.call("GET", `${REPO}/tryConnect/demo/linked`);
        const found = data as { authenticated: { ok: boolean; message: string } };
        return found.authenticated.ok ? "fine" : found.authenticated.message;
      },
      async accepted() {
        const { data } = await api.call("GET", `${REPO}/info/demo/linked`);
        return (data as { configuration: Info }).configuration.acceptedRealms;
      },
      change: (more) =>
        post(`${REPO}/update/demo/linked`, {
          configuration: { type: "remote", ...more },
        }),
    },
  ],
];

test.each(PLACES)(
  "%s sends no password to an http realm elsewhere until it is accepted, and names it",
  async (_name, { save, connect, accepted, change }) => {
    names(http.url);
    await save();
    expect(await connect()).toContain(`${http.url}/token`);
    expect(await connect()).toContain("acceptedRealms");
    expect([logins, await accepted()]).toEqual([[], null]);
    await change({ acceptedRealms: [`${http.url}/token`] });
    expect(await connect()).toBe("fine");
    expect(new Set(logins)).toEqual(new Set([USER.username]));
    logins = [];
    names(`${http.url}/elsewhere`);
    expect(await connect()).toContain("acceptedRealms");
    await change({ acceptedRealms: [] });
    names(http.url);
    expect(await connect()).toContain("acceptedRealms");
    expect(logins).toEqual([]);
    await change({ acceptedRealms: [http.url] });
    names(`${http.url}/any/path`);
    await connect();
    expect(logins).not.toEqual([]);
  },
);

test.each(PLACES)(
  "%s keeps the https realm of the first good login, and sends the password to no other",
  async (_name, { save, connect, accepted, change }) => {
    names(safe.url);
    await save();
    expect(await connect()).toBe("fine");
    expect(await accepted()).toEqual([`${safe.url}/token`]);
    expect(logins).not.toEqual([]);
    logins = [];
    names(safe.other);
    expect(await connect()).toContain(`${safe.other}/token`);
    expect([logins, await accepted()]).toEqual([[], [`${safe.url}/token`]]);
    await change({ acceptedRealms: null });
    expect(await connect()).toBe("fine");
    expect(await accepted()).toEqual([`${safe.other}/token`]);
  },
);

test.each(PLACES)(
  "%s keeps no realm after a login that fails, and none whose address shows the password",
  async (_name, { save, connect, accepted }) => {
    names(`${safe.url}/denied`);
    await save();
    expect(await connect()).not.toBe("fine");
    expect(await accepted()).toBeNull();
    logins = [];
    names(`${safe.url}/${USER.password}`);
    const said = await connect();
    expect(said).toContain("acceptedRealms");
    expect(said).not.toContain(USER.password);
    expect([logins, await accepted()]).toEqual([[], null]);
  },
);

test("a cluster that is tested before it is saved keeps the https realm, and its seal has it", async () => {
  names(safe.url);
  expect(await ofCluster.save({ ping: true })).toMatchObject({ code: 0 });
  expect(await ofCluster.accepted()).toEqual([`${safe.url}/token`]);
  names(safe.other);
  const tried = await api.call("GET", `${CLUSTER}/tryConnect?name=hub`);
  expect([tried.code, tried.message]).toEqual([
    250301,
    expect.stringContaining(`${safe.other}/token`),
  ]);
});

test("repo/tryConnect shows the realm that demands the password, whether it gets it or not", async () => {
  const shown = async () => {
    const { data } = await api.call("GET", `${REPO}/tryConnect/demo/linked`);
    return (data as { realm?: string }).realm;
  };
  names(http.url);
  await PLACES[3]?.[1].save();
  expect(await shown()).toBe(`${http.url}/token`);
  names(registry.url);
  expect(await shown()).toBe(`${registry.url}/token`);
  registry.answer = registryThat({ login: "basic" });
  expect(await shown()).toBeUndefined();
});

test.each<[what: string, given: unknown, at: RegExp]>([
  ["no address", ["token server"], /acceptedRealms\[0\].*https:\/\/host/],
  ["another scheme", ["https://a.test", "ftp://a.test"], /acceptedRealms\[1\]/],
  ["credentials", ["https://u:p@a.test/token"], /acceptedRealms\[0\]/],
  ["a query", ["https://a.test/token?service=x"], /acceptedRealms\[0\]/],
  ["too many", Array(11).fill("https://a.test"), /acceptedRealms.*at most 10/],
  ["no list", "https://a.test", /acceptedRealms/],
])("acceptedRealms with %s are refused by name", async (_what, given, at) => {
  const answers = [
    await ofCluster.save({ acceptedRealms: given }),
    await PLACES[3]?.[1].save({ acceptedRealms: given }),
  ] as { status: number; message: string }[];
  expect(answers.map(({ status }) => status)).toEqual([400, 400]);
  for (const { message } of answers) expect(message).toMatch(at);
});

test("an http realm of an https registry is refused, also when only the url becomes https", async () => {
  const url = registry.url.replace("http:", "https:");
  const realm = [`${http.url}/token`];
  const refused = (await ofCluster.save({ url, acceptedRealms: realm })) as object;
  expect(refused).toMatchObject({ status: 400, message: expect.stringMatching(/https/) });
  await ofCluster.save({ acceptedRealms: [...realm, `${safe.url}/token`] });
  await ofCluster.change({ url });
  expect(await ofCluster.accepted()).toEqual([`${safe.url}/token`]);
});

test("realms are forgotten with the credentials when the url gets another host", async () => {
  await ofCluster.save({ acceptedRealms: [`${safe.url}/token`] });
  await ofCluster.change({ url: http.url });
  expect(await ofCluster.accepted()).toBeNull();
});
