import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  following,
  startRealTimeRig,
  WITHIN_MS,
  type RealTimeRig,
} from "../rigs/runs/real-time-rig.ts";
import { patiently, until } from "../rigs/runs/run-fixture.ts";

let rig: RealTimeRig;
beforeAll(async () => {
  rig = await startRealTimeRig();
});
afterEach(() => rig.passAll());
afterAll(() => rig.end());

describe("uploads to a repository with a REAL_TIME task", () => {
  test("an upload arrives at every cluster soon, and each cluster has its own record of it", async () => {
    const { upload, arrival, records, task } = await following(rig, {
      clusters: [rig.one.cluster, rig.two.cluster],
    });
    expect(await records()).toEqual([]);
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const bytes = randomBytes(2_000);
      await upload(`/f${round}`, bytes);
      times.push(
        Math.max(
          ...(await Promise.all([
            arrival(rig.one, `/f${round}`, bytes),
            arrival(rig.two, `/f${round}`, bytes),
          ])),
        ),
      );
    }
    console.log(
      `real time: from the answer to the upload until it is at both ends: ${times.join(", ")} ms`,
    );
    await until("all records are closed", async () =>
      (await records()).every(({ status }) => status === "SUCCESS"),
    );
    const all = await records();
    expect(
      all.reduce((sum, { replicaOverview }) => sum + (replicaOverview?.success ?? 0), 0),
    ).toBe(10);
    expect(await task()).toMatchObject({
      executionTimes: all.length,
      lastExecutionStatus: "SUCCESS",
      status: "REPLICATING",
    });
  });

  test("an upload is sent only if it matches the task's paths", async () => {
    const { upload, download, arrival } = await following(rig, {
      type: "PATH",
      object: { pathConstraints: [{ path: "/wanted" }, { path: "/logs/*.gz" }] },
    });
    await upload("/other/a");
    await upload("/logs/b.txt");
    const bytes = randomBytes(10);
    await upload("/logs/b.gz", bytes);
    await upload("/wanted/deep/c", bytes);
    await Promise.all([
      arrival(rig.one, "/logs/b.gz", bytes),
      arrival(rig.one, "/wanted/deep/c", bytes),
    ]);
    expect([
      await download(rig.one, "/other/a"),
      await download(rig.one, "/logs/b.txt"),
    ]).toEqual([null, null]);
  });

  test("a file that is uploaded again and again arrives with its newest content", async () => {
    const { upload, arrival, records } = await following(rig);
    let bytes = randomBytes(100);
    for (let round = 0; round < 60; round += 1)
      await upload("/latest", (bytes = randomBytes(100)));
    await arrival(rig.one, "/latest", bytes);
    expect((await records()).length).toBeLessThan(60);
  });

  test("a small file and its next version both arrive while a big file is still being sent", async () => {
    const { key, upload, arrival, download, task } = await following(rig);
    rig.one.proxy.clear();
    rig.one.proxy.fault = ({ method }) => (method === "PATCH" ? { kind: "hang" } : null);
    await upload("/big", randomBytes(3_000_000));
    await until(
      "the big file is under way",
      async () => rig.one.proxy.count("PATCH", /uploads/) > 0,
    );
    const first = randomBytes(100);
    await upload("/small", first);
    const times = [await arrival(rig.one, "/small", first)];
    const second = randomBytes(101);
    await upload("/small", second);
    times.push(await arrival(rig.one, "/small", second));
    console.log(`real time: a small file beside a big one: ${times.join(", ")} ms`);
    expect(await download(rig.one, "/big")).toBeNull();
    expect(await task()).toMatchObject({
      executionTimes: 1,
      lastExecutionStatus: "RUNNING",
    });
    rig.one.proxy.fault = () => null;
    await rig.product.remove(key);
  });

  test("an upload does not wait for another one that the cluster refuses for now", async () => {
    const { upload, arrival, records, repo } = await following(rig);
    rig.one.proxy.clear();
    rig.one.proxy.fault = ({ path, method }) =>
      method === "PATCH" && path.includes("/uploads/")
        ? { kind: "answer", status: 503 }
        : null;
    const bad = randomBytes(2_000_000);
    await upload("/bad", bad);
    await until("the upload is refused", async () =>
      rig.one.proxy.requests.some(({ status }) => status === 503),
    );
    const bytes = randomBytes(100);
    await upload("/good", bytes);
    console.log(
      `real time: a file beside one that is refused: ${await arrival(rig.one, "/good", bytes)} ms`,
    );
    expect((await records())[0]).toMatchObject({ status: "RUNNING" });
    rig.one.proxy.fault = () => null;
    await arrival(rig.one, "/bad", bad);
    await until(
      `all of ${repo} was taken`,
      async () => (await records())[0]?.status === "SUCCESS",
    );
  });

  test("an upload for which the cluster has no room waits, and arrives once there is", async () => {
    const { upload, arrival, records } = await following(rig);
    rig.one.proxy.fault = ({ path, method }) =>
      method === "PATCH" && path.includes("/uploads/")
        ? { kind: "answer", status: 507 }
        : null;
    const bytes = randomBytes(2_000_000);
    await upload("/for-later", bytes);
    await until("a drain ends without it", async () =>
      (await records()).some(({ status }) => status === "FAILED"),
    );
    rig.one.proxy.fault = () => null;
    await expect(arrival(rig.one, "/for-later", bytes)).resolves.toBeTypeOf("number");
  });

  test("an upload arrives although the control plane is killed right after it", async () => {
    const { upload, arrival } = await following(rig);
    const files: [string, Buffer][] = [];
    for (let round = 0; round < 3; round += 1) {
      const bytes = randomBytes(500);
      await patiently(() => upload(`/f${round}`, bytes));
      await rig.center.kill("control");
      files.push([`/f${round}`, bytes]);
      await rig.center.ready();
    }
    for (const [path, bytes] of files)
      expect(await arrival(rig.one, path, bytes)).toBeLessThan(WITHIN_MS);
  });
});
