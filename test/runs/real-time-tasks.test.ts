import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { realTimeWorkflowId } from "../../workflows/contract.ts";
import {
  following,
  recordOf,
  startRealTimeRig,
  WITHIN_MS,
  type RealTimeRig,
} from "../rigs/runs/real-time-rig.ts";
import { until } from "../rigs/runs/run-fixture.ts";

let rig: RealTimeRig;
beforeAll(async () => {
  rig = await startRealTimeRig();
});
afterEach(() => rig.passAll());
afterAll(() => rig.end());

describe("a REAL_TIME task that is changed", () => {
  test("a REAL_TIME task sends nothing while it is disabled, and the missed uploads once it is enabled", async () => {
    const { key, upload, download, arrival, records, task } = await following(rig);
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
    const { key, upload, arrival, records } = await following(rig);
    rig.one.proxy.fault = ({ method }) => (method === "PATCH" ? { kind: "hang" } : null);
    const bytes = randomBytes(2_000_000);
    await upload("/a", bytes);
    await recordOf(records, ({ status }) => status === "RUNNING", "a drain goes on");
    await until("the task is stopped", async () => (await rig.product.stop(key)).stopped);
    rig.one.proxy.fault = () => null;
    await recordOf(
      records,
      ({ status, errorReason }) =>
        status === "FAILED" && errorReason === "stopped by admin",
      "the record says who stopped it",
    );
    await expect(arrival(rig.one, "/a", bytes)).resolves.toBeLessThan(WITHIN_MS);
  });

  test("a REAL_TIME task that is updated sends its new objects to its new clusters from then on", async () => {
    const { key, repo, upload, download, arrival } = await following(rig);
    const name = (await rig.product.task(key)).name;
    const update = (path: string, clusters: string[]) =>
      rig.product.call("POST", "/replication/api/task/update", {
        key,
        name,
        localProjectId: "local",
        replicaObjectType: "PATH",
        replicaTaskObjects: [
          { localRepoName: repo, repoType: "GENERIC", pathConstraints: [{ path }] },
        ],
        remoteClusterIds: clusters,
      });
    const bytes = randomBytes(10);
    await upload("/before", bytes);
    await update("/wanted", [rig.one.cluster, rig.two.cluster]);
    await upload("/other", bytes);
    await upload("/wanted/a", bytes);
    await Promise.all([
      arrival(rig.one, "/wanted/a", bytes),
      arrival(rig.two, "/wanted/a", bytes),
    ]);
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

  test("a change of a REAL_TIME task during a drain makes the drain read it once, not at each upload", async () => {
    const { key, repo, upload, arrival, records } = await following(rig);
    rig.one.proxy.fault = ({ method }) => (method === "PATCH" ? { kind: "hang" } : null);
    const bytes = randomBytes(2_000_000);
    await upload("/a", bytes);
    await recordOf(records, ({ status }) => status === "RUNNING", "a drain goes on");
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
    const handle = new Client({ connection }).workflow.getHandle(
      realTimeWorkflowId(key, rig.one.cluster),
    );
    const history = async () => (await handle.fetchHistory()).events ?? [];
    const asked = async () =>
      (await history()).filter(
        (event) =>
          event.activityTaskScheduledEventAttributes?.activityType?.name === "growDrain",
      ).length;
    /** Whether the workflow has processed every signal and result that it received. */
    const isCalm = async () => {
      const events = await history();
      const last = events.findLastIndex(
        (event) =>
          event.workflowExecutionSignaledEventAttributes ||
          event.activityTaskCompletedEventAttributes,
      );
      return events
        .slice(last)
        .some((event) => event.workflowTaskCompletedEventAttributes);
    };
    const rings = async () =>
      (await history()).filter((event) => event.workflowExecutionSignaledEventAttributes)
        .length;
    await until(
      "the drain is grown once, because the task was saved",
      async () => (await asked()) === 1 && (await isCalm()),
    );
    const rung = await rings();
    await upload("/b", bytes);
    await until(
      "the next upload rings the bell",
      async () => (await rings()) > rung && (await isCalm()),
    );
    expect(await asked()).toBe(1);
    await connection.close();
    await rig.product.stop(key);
    rig.one.proxy.fault = () => null;
    await Promise.all([arrival(rig.one, "/a", bytes), arrival(rig.one, "/b", bytes)]);
  });

  test("a REAL_TIME task that is deleted during a drain disappears, and its workflow ends", async () => {
    const { key, upload } = await following(rig);
    rig.one.proxy.fault = ({ method }) => (method === "PATCH" ? { kind: "hang" } : null);
    await upload("/a", randomBytes(2_000_000));
    await until("a drain goes on", async () =>
      (await rig.product.records(key)).some(({ status }) => status === "RUNNING"),
    );
    await rig.product.remove(key);
    rig.one.proxy.fault = () => null;
    await expect(rig.product.task(key)).rejects.toThrow("250310");
    const connection = await Connection.connect({ address: inject("temporalAddress") });
    const handle = new Client({ connection }).workflow.getHandle(
      realTimeWorkflowId(key, rig.one.cluster),
    );
    await until(
      "the workflow has ended",
      async () => (await handle.describe()).status.name !== "RUNNING",
    );
    await connection.close();
  });

  test("a REAL_TIME task whose workflow is terminated during a drain reports that and goes on", async () => {
    const { key, upload, arrival, records } = await following(rig);
    rig.one.proxy.fault = ({ method }) => (method === "PATCH" ? { kind: "hang" } : null);
    const bytes = randomBytes(2_000_000);
    await upload("/a", bytes);
    await recordOf(records, ({ status }) => status === "RUNNING", "a drain goes on");
    const connection = await Connection.connect({ address: inject("temporalAddress") });
    await new Client({ connection }).workflow
      .getHandle(realTimeWorkflowId(key, rig.one.cluster))
      .terminate("by somebody");
    await connection.close();
    rig.one.proxy.fault = () => null;
    await recordOf(
      records,
      ({ status }) => status === "SUCCESS",
      "the next drain is done",
    );
    expect(await records()).toMatchObject([
      { status: "SUCCESS" },
      {
        status: "FAILED",
        errorReason: "the run was ended from outside: TERMINATED in Temporal",
      },
    ]);
    await arrival(rig.one, "/a", bytes);
  });
});
