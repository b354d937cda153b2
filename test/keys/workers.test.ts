import { afterEach, beforeEach, expect, test } from "vitest";
import { createControlPlane } from "../../activities/control-plane.ts";
import { openCredentials } from "../../activities/secrets/credentials.ts";
import { createInternalSigner } from "../../activities/secrets/internal.ts";
import { createSealer } from "../../activities/secrets/seal.ts";
import {
  readWorkerToken,
  type WorkerIdentity,
} from "../../activities/secrets/worker-token.ts";
import { planHostedPage } from "../../db/plan/hosted.ts";
import { cutBatches } from "../../db/runs/cut.ts";
import { cluster } from "../../db/schema/tasks.ts";
import { worker } from "../../db/schema/workers.ts";
import { RELEASE } from "../../domain/release.ts";
import { KEY, WORKER } from "../rigs/api/api-fixture.ts";
import { FILES } from "../rigs/db/drain-fixture.ts";
import { addFiles, openRun } from "../rigs/db/planned-run.ts";
import { addRepository } from "../rigs/db/rows.ts";
import { startApi } from "../rigs/api/socket-fixture.ts";
import { USER } from "../rigs/servers/credentials.ts";

let api: Awaited<ReturnType<typeof startApi>>;
const planes: { close: () => Promise<void> }[] = [];

beforeEach(async () => {
  api = await startApi();
});
afterEach(async () => {
  for (const plane of planes.splice(0)) await plane.close();
  await api.close();
});

const HOME = "/replication/api/worker";
type Made = { id: string; name: string; token: string };
const create = async (name: string) => {
  const { data } = await api.call("POST", `${HOME}/create`, { body: { name } });
  return data as Made;
};
const list = async () =>
  (await api.call("GET", `${HOME}/list`)).data as {
    id: string;
    name: string;
    own: boolean;
    lastSeen: string | null;
    version: string | null;
    createdBy: string;
  }[];

function open(identity: WorkerIdentity) {
  const plane = createControlPlane({ apiUrl: api.url, identity, name: "far/1" });
  planes.push(plane);
  return plane;
}
const identityOf = ({ token }: Made) => {
  const identity = readWorkerToken(token);
  if (identity === null) throw new Error(`${token} is no token`);
  return identity;
};

test("a worker is made with a token that is shown once, is seen with its release, and is revoked at once", async () => {
  const made = await create("rack-7");
  expect(made).toMatchObject({ name: "rack-7", token: expect.stringMatching(/^arw_/) });
  const { secret } = identityOf(made);
  const before = await list();
  expect(before.map(({ name, own, lastSeen }) => [name, own, lastSeen])).toEqual([
    ["own-1", true, null],
    ["rack-7", false, null],
  ]);
  expect(JSON.stringify(before)).not.toContain(secret);
  expect(api.db.select().from(worker).get()?.secret).not.toContain(secret);
  expect(JSON.stringify(api.logs)).not.toContain(secret);

  const plane = open(identityOf(made));
  await plane.hello({ SHARED: 0, QUICK: 0, WHOLE: 0, ALONE: 0 });
  const [, seen] = await list();
  expect([seen?.version, seen?.createdBy]).toEqual([RELEASE, "admin"]);
  expect(seen?.lastSeen).toMatch(/^\d{4}-/);

  expect((await api.call("DELETE", `${HOME}/delete/${made.id}`)).code).toBe(0);
  await expect(plane.settings()).rejects.toMatchObject({
    codes: ["UNSIGNED", "OTHER_KEY"],
  });
  expect((await list()).map(({ name }) => name)).toEqual(["own-1"]);
  const answer = await api.call("DELETE", `${HOME}/delete/${made.id}`);
  expect([answer.status, answer.code]).toEqual([400, 250108]);
});

test.each<[what: string, name: unknown, code: number]>([
  ["no name", undefined, 250106],
  ["an empty name", "", 250104],
  ["a name of one letter", "x", 250105],
  ["a name with a control character", "a\u0007b", 250105],
  ["a taken name", "rack-7", 250107],
])("a worker with %s is not made", async (_what, name, code) => {
  await create("rack-7");
  const answer = await api.call("POST", `${HOME}/create`, { body: { name } });
  expect([answer.status, answer.code]).toEqual([400, code]);
  expect(await list()).toHaveLength(2);
});

test("a worker of the service itself cannot be deleted", async () => {
  const answer = await api.call("DELETE", `${HOME}/delete/own-1`);
  expect([answer.status, answer.code, answer.message]).toEqual([
    400,
    250112,
    expect.stringContaining("TRANSFER_WORKERS"),
  ]);
});

test.each<[what: string, identity: WorkerIdentity]>([
  ["the secret key", { id: "own-1", secret: `${KEY}0` }],
  ["an unknown id", { id: "own-2", secret: KEY }],
  ["no id", { id: "", secret: KEY }],
])(
  "a request that is signed with %s is refused without a signature",
  async (_what, identity) => {
    const path = "/internal/v1/worker";
    const headers = createInternalSigner(identity).headers("GET", path, "");
    const answer = await fetch(api.url + path, { headers });
    expect([answer.status, answer.headers.get("x-refused")]).toEqual([401, "key"]);
    expect(answer.headers.get("x-internal-signature")).toBeNull();
    expect(await answer.text()).toMatch(/worker\/create/);
  },
);

/** Plans a run of p/files to a cluster with USER's login; returns its record and the cluster. */
async function planRun(): Promise<{ recordId: string; clusterId: string }> {
  await api.call("POST", "/replication/api/cluster/create", {
    body: {
      name: "target",
      type: "STANDALONE",
      url: "https://target.test",
      ping: false,
      ...USER,
    },
  });
  const clusterId = api.db.select().from(cluster).get()?.id ?? "";
  addRepository(api.db, "p", "files", "GENERIC");
  addRepository(api.db, "p", "images", "DOCKER");
  addFiles(api.db, ["/a"], Date.now());
  const objects = [
    FILES,
    { ...FILES, localRepoName: "images", repoType: "DOCKER" as const },
  ];
  const recordId = openRun(api.db, objects, [clusterId], Date.now());
  const planned = { ...FILES, projectId: "p" };
  while (!planHostedPage(api.db, recordId, 0, planned, Date.now()));
  cutBatches(api.db, { recordId, object: 0, clusterId, cut: 1, most: 1 }, Date.now());
  return { recordId, clusterId };
}

test("a worker gets the credentials of the batch that it takes, sealed to it and opened by nobody else", async () => {
  const { recordId, clusterId } = await planRun();
  const [mine, other] = [
    identityOf(await create("mine")),
    identityOf(await create("other")),
  ];
  const batch = await open(mine).takeBatch(recordId, 1);
  if (batch.kind !== "batch") throw new Error(batch.kind);
  const { secret, sealedFor, url } = batch.target;
  const opened = (key: string) =>
    openCredentials(createSealer(key), sealedFor, url, secret ?? "");
  expect(opened(mine.secret)).toEqual({
    password: USER.password,
    end: "https://target.test",
    realms: null,
  });
  for (const key of [other.secret, KEY, WORKER.secret.replace("0", "1")])
    expect(() => opened(key)).toThrow(/unable to authenticate|sealed/);
  expect([sealedFor, batch.source.secret]).toEqual([`cluster:${clusterId}`, null]);
  expect(JSON.stringify(batch)).not.toContain(USER.password);

  api.db.update(cluster).set({ url: "https://evil.test" }).run();
  const again = await open(mine).takeBatch(recordId, 1);
  expect(again.kind === "batch" && again.target).toMatchObject({
    url: "https://evil.test",
    secret: null,
    unreadable: true,
  });
});

test("a worker reads images of the repository of a run that goes on, and of no other", async () => {
  const { recordId } = await planRun();
  const plane = open(WORKER);
  const { token } = await plane.registryToken(recordId, "p/images");
  const statusAt = async (path: string, method = "GET") => {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`${api.url}/v2/${path}`, { method, headers })).status;
  };
  expect(await statusAt("p/images/app/tags/list")).toBe(404);
  expect(await statusAt("p/images2/app/tags/list")).toBe(401);
  expect(await statusAt("p/images/app/manifests/1", "DELETE")).toBe(401);
  expect(await statusAt("p/images/app/blobs/uploads/", "POST")).toBe(401);
  expect(await statusAt("_catalog")).toBe(401);
  for (const repository of ["p/files", "p/other", "p", "p/images/app"])
    await expect(plane.registryToken(recordId, repository)).rejects.toThrow(/403/);
  await expect(plane.registryToken("0".repeat(24), "p/images")).rejects.toThrow(/403/);
});

test("a worker keeps a realm for an end that has none, and changes none that was accepted", async () => {
  const { recordId, clusterId } = await planRun();
  const plane = open(WORKER);
  const accepted = () => api.db.select().from(cluster).get()?.acceptedRealms;
  const realm = "https://auth.test/token";
  const url = "https://target.test/path";
  const met = { recordId, sealedFor: `cluster:${clusterId}`, url, realm };
  for (const wrong of [
    { realm: "http://auth.test/token" },
    { realm: "no address" },
    { realm: `${realm}/${"x".repeat(300)}` },
    { url: "https://old.test" },
    { recordId: "0".repeat(24) },
    { sealedFor: "cluster:0" },
  ])
    await plane.metRealm({ ...met, ...wrong });
  expect(accepted()).toBeNull();
  await plane.metRealm(met);
  await plane.metRealm({ ...met, realm: "https://evil.test/token" });
  expect(accepted()).toEqual(["https://auth.test/token"]);
});
