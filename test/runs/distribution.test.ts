import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { basic } from "../rigs/api/api-fixture.ts";
import { startInstance, type Instance } from "../rigs/runs/instance.ts";
import {
  createCleanup,
  openProduct,
  type Product,
  type RecordInfo,
  unique,
  UNSLICED,
  UTC,
} from "../rigs/runs/run-fixture.ts";
import { oneOf } from "../rigs/runs/run-rig.ts";
import { USER } from "../rigs/servers/credentials.ts";
import { makeImage, pushImage, readManifest } from "../rigs/servers/images.ts";
import { type FaultProxy, startProxy } from "../rigs/servers/proxy.ts";
import { startRegistry, type TestRegistry } from "../rigs/servers/registries.ts";

const AT = "/replication/api/remote/distribution";
const IMAGE = makeImage({ layers: [1_000, 2_000] });
const SECRET = new RegExp(
  [
    USER.password,
    Buffer.from(USER.password).toString("base64"),
    basic(`${USER.username}:${USER.password}`),
  ]
    .join("|")
    .replaceAll("+", "\\+"),
);

const cleanup = createCleanup();
let instance: Instance;
let product: Product;
let target: TestRegistry;
let proxy: FaultProxy;

beforeAll(async () => {
  const source = await cleanup.keep(oneOf("docker-registry", "distribution"), (one) =>
    one.stop(),
  );
  target = await cleanup.keep(startRegistry(source.kind, { auth: "htpasswd" }), (one) =>
    one.stop(),
  );
  proxy = await cleanup.keep(startProxy(target.url), (one) => one.stop());
  instance = await cleanup.keep(
    startInstance({ env: { ...UTC, ...UNSLICED, LOG_LEVEL: "debug" } }),
    (one) => one.remove(),
  );
  product = openProduct(instance);
  await product.project("shop");
  await product.linked("shop", "images", source.url);
  await pushImage(source.url, "library/nginx", "1.1", IMAGE);
});
afterAll(() => cleanup.all());

/** Creates a run-once task that pushes the image under these tags, and returns its name. */
async function created(tags: string[]): Promise<string> {
  const name = unique("push");
  await product.call("POST", `${AT}/create/runOnceTask/shop/images`, {
    name,
    registry: proxy.host,
    ...USER,
    packageName: "library/nginx",
    versions: ["1.1"],
    targetVersions: tags,
  });
  return name;
}

const status = (name: string) =>
  product.call<RecordInfo | null>(
    "GET",
    `${AT}/get/runOnceTaskStatus/shop/images?name=${name}`,
  );

async function executed(name: string): Promise<RecordInfo> {
  await product.call("POST", `${AT}/execute/runOnceTask/shop/images?name=${name}`);
  for (;;) {
    const record = await status(name);
    if (record && record.status !== "RUNNING") return record;
    await sleep(50);
  }
}

test("a run-once task puts a manifest once under each target version, with the registry's login", async () => {
  const tags = [unique("1.2-"), unique("1.3-")];
  const puts = () =>
    proxy.requests
      .filter(({ method, path }) => method === "PUT" && path.includes("/manifests/"))
      .map(({ path, status: answer }) => [path.split("/").at(-1), answer]);
  const name = await created(tags);
  expect(await status(name)).toBeNull();
  proxy.clear();
  const first = await executed(name);
  expect([first.status, first.errorReason, first.replicaOverview]).toMatchObject([
    "SUCCESS",
    null,
    { planned: 1, success: 1, failed: 0 },
  ]);
  const login = { authorization: basic(`${USER.username}:${USER.password}`) };
  const there = await Promise.all(
    [...tags, "1.1"].map((tag) => readManifest(target.url, "library/nginx", tag, login)),
  );
  expect(there.map((manifest) => manifest?.bytes)).toEqual([
    IMAGE.bytes,
    IMAGE.bytes,
    undefined,
  ]);
  expect(puts().toSorted()).toEqual(tags.map((tag) => [tag, 201]));

  proxy.clear();
  const second = await executed(name);
  expect(second.id).not.toBe(first.id);
  expect([second.status, second.replicaOverview]).toMatchObject([
    "SUCCESS",
    { success: 1, skip: 1 },
  ]);
  expect(puts()).toEqual([]);
});

test("the password of a distribution is in no answer, log, plain file or workflow history", async () => {
  const name = await created([unique("secret-")]);
  await executed(name);
  const infos = await Promise.all(
    [
      "/replication/api/cluster/list",
      "/replication/api/task/page/shop",
      "/openapi.json",
    ].map(async (path) =>
      (
        await fetch(instance.url + path, {
          headers: { authorization: basic(`${instance.username}:${instance.password}`) },
        })
      ).text(),
    ),
  );
  expect(infos.join()).not.toMatch(SECRET);
  expect(SECRET.test(instance.output())).toBe(false);
  const files = readdirSync(instance.dataDir, {
    recursive: true,
    withFileTypes: true,
  }).filter((entry) => entry.isFile());
  expect(
    files
      .filter((entry) =>
        SECRET.test(readFileSync(join(entry.parentPath, entry.name), "latin1")),
      )
      .map((entry) => entry.name),
  ).toEqual([]);
  const task = `shop/images/${name}`;
  const histories = await historiesOf(task);
  expect([histories.includes(task), SECRET.test(histories)]).toEqual([true, false]);
});

/** Returns all histories of a task's runs in Temporal as text, with decoded payloads. */
async function historiesOf(taskName: string): Promise<string> {
  const connection = await Connection.connect({ address: inject("temporalAddress") });
  const { workflow } = new Client({ connection });
  const texts: string[] = [];
  for await (const { workflowId, runId } of workflow.list({
    query: `ReplTask = "${taskName}"`,
  })) {
    const history = await workflow.getHandle(workflowId, runId).fetchHistory();
    texts.push(
      JSON.stringify(history, (key, value: unknown) =>
        key === "data" && typeof value === "string"
          ? Buffer.from(value, "base64").toString("utf8")
          : value,
      ),
    );
  }
  await connection.close();
  return texts.join();
}

test("deleting a run-once task also deletes its cluster", async () => {
  const name = await created([unique("deleted-")]);
  const cluster = () =>
    product.call("GET", `/replication/api/cluster/info?name=shop/images/${name}`);
  expect(await cluster()).not.toBeNull();
  await product.call("DELETE", `${AT}/delete/runOnceTask/shop/images?name=${name}`);
  expect(await cluster()).toBeNull();
});
