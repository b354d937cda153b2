import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openDb } from "../../db/open.ts";
import { realTimeWorkflowId } from "../../workflows/contract.ts";
import { startInstance, type Instance } from "../rigs/runs/instance.ts";
import {
  createCleanup,
  openProduct,
  patiently,
  unique,
  UTC,
  type Product,
  type RecordInfo,
  type TaskInfo,
  type TaskObject,
} from "../rigs/runs/run-fixture.ts";
import { startProxy, type FaultProxy } from "../rigs/servers/proxy.ts";

/** Far more time than needed, for busy machines; the time taken is printed. */
const WITHIN_MS = 60_000;

type End = { instance: Instance; product: Product; proxy: FaultProxy; cluster: string };
type Rig = { center: Instance; product: Product; one: End; two: End };
let rig: Rig;
const cleanup = createCleanup();

beforeAll(async () => {
  const env = { ...UTC, LOG_LEVEL: "warn" };
  const center = await cleanup.keep(startInstance({ env }), (each) => each.remove());
  const product = openProduct(center);
  await product.project("local");
  const open = async (name: string): Promise<End> => {
    const instance = await cleanup.keep(
      startInstance({ env: { ...env, LOCAL_CLUSTER_NAME: name, TRANSFER_WORKERS: "1" } }),
      (each) => each.remove(),
    );
    const proxy = await cleanup.keep(startProxy(instance.url), (each) => each.stop());
    return {
      instance,
      product: openProduct(instance),
      proxy,
      cluster: await product.partner(name, instance, proxy.url),
    };
  };
  const [one, two] = await Promise.all([open("one"), open("two")]);
  rig = { center, product, one, two };
}, 240_000);

afterAll(cleanup.all);

type Options = { type?: "REPOSITORY" | "PATH"; object?: Partial<TaskObject>; clusters?: string[]; setting?: object };

/** Creates a repository and an enabled REAL_TIME task that sends it. */
async function following({
  type = "REPOSITORY",
  object = {},
  clusters = [rig.one.cluster],
  setting = {},
}: Options = {}) {
  const { product } = rig;
  const repo = unique("repo-");
  await product.hosted("local", repo);
  const { key } = await product.call<TaskInfo>("POST", "/replication/api/task/create", {
    name: unique("follow-"),
    localProjectId: "local",
    replicaObjectType: type,
    replicaTaskObjects: [{ localRepoName: repo, repoType: "GENERIC", ...object }],
    replicaType: "REAL_TIME",
    setting: { conflictStrategy: "OVERWRITE", ...setting },
    remoteClusterIds: clusters,
  });
  const upload = (path: string, bytes: Uint8Array = randomBytes(1_000)) =>
    product.upload("local", repo, path, bytes, { "X-BKREPO-OVERWRITE": "true" });
  const download = (end: End, path: string) => end.product.download("local", repo, path);
  /** Waits until the content has arrived, and returns how long that took, in ms. */
  async function arrival(end: End, path: string, bytes: Uint8Array, withinMs = WITHIN_MS): Promise<number> {
    const begun = Date.now();
    await expect
      .poll(async () => (await download(end, path))?.equals(bytes) ?? false, {
        timeout: withinMs,
        interval: 20,
        message: `${path} arrives`,
      })
      .toBe(true);
    return Date.now() - begun;
  }
  return { repo, key, upload, download, arrival, records: () => product.records(key), task: () => product.task(key) };
}

async function until(condition: () => Promise<boolean>, what: string, withinMs = WITHIN_MS): Promise<void> {
  for (const end = Date.now() + withinMs; !(await condition()); await sleep(20)) {
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs} ms`);
  }
}

async function newestOf(
  records: () => Promise<RecordInfo[]>,
  wanted: (record: RecordInfo) => boolean,
  what: string,
  withinMs = WITHIN_MS,
): Promise<RecordInfo> {
  let found: RecordInfo | undefined;
  await until(async () => (found = (await records()).find(wanted)) !== undefined, what, withinMs);
  if (found === undefined) throw new Error(what);
  return found;
}

describe("uploads to a repository with a REAL_TIME task", () => {
  test("an upload arrives at every cluster soon, and each cluster has its own record of it", async () => {
    const { upload, arrival, records, task } = await following({ clusters: [rig.one.cluster, rig.two.cluster] });
    expect(await records()).toEqual([]);
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const bytes = randomBytes(2_000);
      await upload(`/f${round}`, bytes);
      times.push(
        Math.max(
          ...(await Promise.all([arrival(rig.one, `/f${round}`, bytes), arrival(rig.two, `/f${round}`, bytes)])),
        ),
      );
    }
    console.log(`real time: from the answer to the upload until it is at both ends: ${times.join(", ")} ms`);
    await until(async () => (await records()).every(({ status }) => status === "SUCCESS"), "all records are closed");
    const all = await records();
    expect(all.reduce((sum, { replicaOverview }) => sum + (replicaOverview?.success ?? 0), 0)).toBe(10);
    expect(await task()).toMatchObject({
      executionTimes: all.length,
      lastExecutionStatus: "SUCCESS",
      status: "REPLICATING",
    });
  });

  test("an upload is sent only if it matches the task's paths", async () => {
    const { upload, download, arrival } = await following({
      type: "PATH",
      object: { pathConstraints: [{ path: "/wanted" }, { path: "/logs/*.gz" }] },
    });
    await upload("/other/a");
    await upload("/logs/b.txt");
    const bytes = randomBytes(10);
    await upload("/logs/b.gz", bytes);
    await upload("/wanted/deep/c", bytes);
    await Promise.all([arrival(rig.one, "/logs/b.gz", bytes), arrival(rig.one, "/wanted/deep/c", bytes)]);
    expect([await download(rig.one, "/other/a"), await download(rig.one, "/logs/b.txt")]).toEqual([null, null]);
  });

  test("a file that is uploaded again and again arrives with its newest content", async () => {
    const { upload, arrival, records } = await following();
    let bytes = randomBytes(100);
    for (let round = 0; round < 60; round += 1) await upload("/latest", (bytes = randomBytes(100)));
    await arrival(rig.one, "/latest", bytes);
    expect((await records()).length).toBeLessThan(60);
  });

  test("a small file does not wait for a big one that is being sent, and neither does its next content", async () => {
    const { key, upload, arrival, download, task } = await following();
    rig.one.proxy.clear();
    rig.one.proxy.fault = ({ method }) => (method === "PATCH" ? { kind: "hang" } : null);
    await upload("/big", randomBytes(3_000_000));
    await until(async () => rig.one.proxy.count("PATCH", /uploads/) > 0, "the big file is under way");
    const first = randomBytes(100);
    await upload("/small", first);
    const times = [await arrival(rig.one, "/small", first)];
    const second = randomBytes(101);
    await upload("/small", second);
    times.push(await arrival(rig.one, "/small", second));
    console.log(`real time: a small file beside a big one: ${times.join(", ")} ms`);
    expect(await download(rig.one, "/big")).toBeNull();
    expect(await task()).toMatchObject({ executionTimes: 1, lastExecutionStatus: "RUNNING" });
    rig.one.proxy.fault = () => null;
    await rig.product.remove(key);
  });

  test("an upload does not wait for another one that the cluster refuses for now", async () => {
    const { upload, arrival, records, repo } = await following();
    rig.one.proxy.clear();
    rig.one.proxy.fault = ({ path, method }) =>
      method === "PATCH" && path.includes("/uploads/") ? { kind: "answer", status: 503 } : null;
    await upload("/bad", randomBytes(2_000_000));
    await until(async () => rig.one.proxy.requests.some(({ status }) => status === 503), "the upload is refused");
    const bytes = randomBytes(100);
    await upload("/good", bytes);
    console.log(`real time: a file beside one that is refused: ${await arrival(rig.one, "/good", bytes)} ms`);
    expect((await records())[0]).toMatchObject({ status: "RUNNING" });
    rig.one.proxy.fault = () => null;
    await until(
      async () => (await records()).every(({ status }) => status === "SUCCESS"),
      `all of ${repo} was taken`,
      120_000,
    );
  }, 240_000);

  test("an upload arrives although the control plane is killed right after it", async () => {
    const { upload, arrival } = await following();
    const files: [string, Buffer][] = [];
    for (let round = 0; round < 3; round += 1) {
      const bytes = randomBytes(500);
      await patiently(() => upload(`/f${round}`, bytes));
      await rig.center.kill("control");
      files.push([`/f${round}`, bytes]);
      await rig.center.ready();
    }
    for (const [path, bytes] of files) expect(await arrival(rig.one, path, bytes)).toBeLessThan(WITHIN_MS);
  }, 240_000);
});

describe("a REAL_TIME task that is changed", () => {
  test("a REAL_TIME task that is disabled stands still, and goes on from there once it is enabled", async () => {
    const { key, upload, download, arrival, records, task } = await following();
    await rig.product.toggle(key);
    expect(await task()).toMatchObject({ enabled: false, status: "WAITING" });
    const bytes = randomBytes(10);
    await upload("/a", bytes);
    await sleep(1_500);
    expect([await download(rig.one, "/a"), await records()]).toEqual([null, []]);
    await rig.product.toggle(key);
    await arrival(rig.one, "/a", bytes);
    expect(await task()).toMatchObject({ enabled: true, status: "REPLICATING" });
  });

  test("a REAL_TIME task that is stopped during a drain keeps the rest for the next drain", async () => {
    const { key, upload, arrival, records } = await following();
    rig.one.proxy.fault = ({ method }) => (method === "PATCH" ? { kind: "hang" } : null);
    const bytes = randomBytes(2_000_000);
    await upload("/a", bytes);
    await newestOf(records, ({ status }) => status === "RUNNING", "a drain goes on");
    await until(async () => (await rig.product.stop(key)).stopped, "the task is stopped");
    rig.one.proxy.fault = () => null;
    await newestOf(
      records,
      ({ status, errorReason }) => status === "FAILED" && errorReason === "stopped by admin",
      "the record says who stopped it",
    );
    expect(await arrival(rig.one, "/a", bytes, 120_000)).toBeLessThan(120_000);
  }, 240_000);

  test("a REAL_TIME task that is updated sends its new objects to its new clusters from then on", async () => {
    const { key, repo, upload, download, arrival } = await following();
    const name = (await rig.product.task(key)).name;
    const update = (path: string, clusters: string[]) =>
      rig.product.call("POST", "/replication/api/task/update", {
        key,
        name,
        localProjectId: "local",
        replicaObjectType: "PATH",
        replicaTaskObjects: [{ localRepoName: repo, repoType: "GENERIC", pathConstraints: [{ path }] }],
        remoteClusterIds: clusters,
      });
    const bytes = randomBytes(10);
    await upload("/before", bytes);
    await update("/wanted", [rig.one.cluster, rig.two.cluster]);
    await upload("/other", bytes);
    await upload("/wanted/a", bytes);
    await Promise.all([arrival(rig.one, "/wanted/a", bytes), arrival(rig.two, "/wanted/a", bytes)]);
    expect([
      await download(rig.two, "/before"),
      await download(rig.one, "/other"),
      await download(rig.two, "/other"),
    ]).toEqual([null, null, null]);
    await update("/wanted", [rig.two.cluster]);
    await upload("/wanted/b", bytes);
    await arrival(rig.two, "/wanted/b", bytes);
    expect(await download(rig.one, "/wanted/b")).toBeNull();
  });

  test("a REAL_TIME task that is changed during a drain is looked up once, not again at each upload", async () => {
    const { key, repo, upload, arrival, records } = await following();
    rig.one.proxy.fault = ({ method }) => (method === "PATCH" ? { kind: "hang" } : null);
    const bytes = randomBytes(2_000_000);
    await upload("/a", bytes);
    await newestOf(records, ({ status }) => status === "RUNNING", "a drain goes on");
    const { name } = await rig.product.task(key);
    await rig.product.call("POST", "/replication/api/task/update", {
      key,
      name,
      localProjectId: "local",
      replicaObjectType: "REPOSITORY",
      replicaTaskObjects: [{ localRepoName: repo, repoType: "GENERIC" }],
      remoteClusterIds: [rig.one.cluster],
    });
    const connection = await Connection.connect({ address: inject("temporalAddress") });
    const handle = new Client({ connection }).workflow.getHandle(realTimeWorkflowId(key, rig.one.cluster));
    const history = async () => (await handle.fetchHistory()).events ?? [];
    const asked = async () =>
      (await history()).filter(
        (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === "growDrain",
      ).length;
    /** Whether the workflow has processed every signal and result that it received. */
    const isCalm = async () => {
      const events = await history();
      const last = events.findLastIndex(
        (event) => event.workflowExecutionSignaledEventAttributes || event.activityTaskCompletedEventAttributes,
      );
      return events.slice(last).some((event) => event.workflowTaskCompletedEventAttributes);
    };
    const rings = async () =>
      (await history()).filter((event) => event.workflowExecutionSignaledEventAttributes).length;
    await until(
      async () => (await asked()) === 1 && (await isCalm()),
      "the drain is grown once, because the task was saved",
    );
    const rung = await rings();
    await upload("/b", bytes);
    await until(async () => (await rings()) > rung && (await isCalm()), "the next upload rings the bell");
    expect(await asked()).toBe(1);
    await connection.close();
    await rig.product.stop(key);
    rig.one.proxy.fault = () => null;
    await Promise.all([arrival(rig.one, "/a", bytes, 120_000), arrival(rig.one, "/b", bytes, 120_000)]);
  }, 300_000);

  test("a REAL_TIME task that is deleted during a drain is gone, and its workflow ends", async () => {
    const { key, upload } = await following();
    rig.one.proxy.fault = ({ method }) => (method === "PATCH" ? { kind: "hang" } : null);
    await upload("/a", randomBytes(2_000_000));
    await until(
      async () => (await rig.product.records(key)).some(({ status }) => status === "RUNNING"),
      "a drain goes on",
    );
    await rig.product.remove(key);
    rig.one.proxy.fault = () => null;
    await expect(rig.product.task(key)).rejects.toThrow("250310");
    const connection = await Connection.connect({ address: inject("temporalAddress") });
    const handle = new Client({ connection }).workflow.getHandle(realTimeWorkflowId(key, rig.one.cluster));
    await until(async () => (await handle.describe()).status.name !== "RUNNING", "the workflow has ended");
    await connection.close();
  }, 240_000);

  test("a REAL_TIME task whose workflow is terminated during a drain reports that and goes on", async () => {
    const { key, upload, arrival, records } = await following();
    rig.one.proxy.fault = ({ method }) => (method === "PATCH" ? { kind: "hang" } : null);
    const bytes = randomBytes(2_000_000);
    await upload("/a", bytes);
    await newestOf(records, ({ status }) => status === "RUNNING", "a drain goes on");
    const connection = await Connection.connect({ address: inject("temporalAddress") });
    await new Client({ connection }).workflow
      .getHandle(realTimeWorkflowId(key, rig.one.cluster))
      .terminate("by somebody");
    await connection.close();
    rig.one.proxy.fault = () => null;
    await newestOf(records, ({ status }) => status === "SUCCESS", "the next drain is done", 240_000);
    expect(await records()).toMatchObject([
      { status: "SUCCESS" },
      { status: "FAILED", errorReason: "the run was ended from outside: TERMINATED in Temporal" },
    ]);
    await arrival(rig.one, "/a", bytes);
  }, 400_000);
});

test("a cluster that is a million uploads behind receives all files of the task and later uploads", async () => {
  const { center, product, one } = rig;
  const { key, upload, arrival, records } = await following();
  await product.toggle(key);
  const files: [string, Buffer][] = ["/a", "/deep/b", "/c"].map((path) => [path, randomBytes(2_000)]);
  for (const [path, bytes] of files) await upload(path, bytes);
  await center.stop();
  const db = openDb(join(center.dataDir, "replication.db"));
  db.run(sql`UPDATE sqlite_sequence SET seq = seq + 1000001 WHERE name = 'event'`);
  db.run(sql`DELETE FROM event`);
  db.$client.close();
  await center.restart();
  await product.toggle(key);
  for (const [path, bytes] of files) await arrival(one, path, bytes);
  const record = await newestOf(records, ({ status }) => status === "SUCCESS", "the full plan is done");
  expect(record.replicaOverview).toMatchObject({ planned: 3, success: 3 });
  const later = randomBytes(100);
  await upload("/later", later);
  await arrival(one, "/later", later);
}, 240_000);

test("a cluster that is down for over a minute delays no other, says so in its records and loses nothing", async () => {
  const { one, two } = rig;
  const { upload, arrival, records, repo } = await following({ clusters: [one.cluster, two.cluster] });
  // Stopping the instance would free its port, at which another test's server might then answer.
  two.proxy.fault = () => ({ kind: "reset" });
  const files: [string, Buffer][] = [];
  const send = async () => {
    const bytes = randomBytes(3_000);
    const path = `/f${files.length}`;
    await upload(path, bytes);
    files.push([path, bytes]);
    return arrival(one, path, bytes);
  };
  const times: number[] = [];
  const failed = async () => (await records()).filter(({ status }) => status === "FAILED");
  const begun = Date.now();
  while ((await failed()).length < 1) {
    times.push(await send());
    if (Date.now() - begun > 150_000) throw new Error("no drain has failed");
    await sleep(4_000);
  }
  console.log(
    `real time: while another cluster is down: ${times.join(", ")} ms; ` +
      `the first drain failed after ${Date.now() - begun} ms`,
  );
  expect((await failed())[0]?.errorReason).toMatch(/^the cluster took nothing for \d+ s: /);
  await send();
  two.proxy.fault = () => null;
  for (const [path, bytes] of files) await arrival(two, path, bytes, 120_000);
  await until(
    async () => (await records()).every(({ status }) => status !== "RUNNING"),
    `all drains of ${repo} are over`,
    120_000,
  );
  expect((await records())[0]).toMatchObject({ status: "SUCCESS" });
}, 400_000);
