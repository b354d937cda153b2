import { text } from "../../domain/text.ts";
import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ClusterAccess } from "../../api/deps.ts";
import { checkClusters } from "../../api/clusters/health.ts";
import { findClusterByName, listClusters } from "../../db/tasks/clusters.ts";
import { cluster } from "../../db/schema/tasks.ts";
import { type TestApi } from "../rigs/api/api-fixture.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import { FILES, taskBody, TASK } from "../rigs/api/api-task-fixture.ts";
import { createPaces } from "../../activities/control/paces.ts";
import { CLUSTER, createCheckedApi, HUB } from "../rigs/api/checked-clusters.ts";

let api: TestApi;
let check: { problem: string | null };
beforeEach(() => {
  ({ api, check } = createCheckedApi());
});
afterEach(() => api.close());

const create = (changes: Record<string, unknown> = {}) =>
  api.call("POST", `${CLUSTER}/create`, { body: { ...HUB, ...changes } });
const get = async (path: string) => (await api.call("GET", `${CLUSTER}/${path}`)).data;
const row = (name = "hub") =>
  findClusterByName(api.db, name) ?? expect.fail(`no cluster ${name}`);
const names = (data: unknown) => (data as { name: string }[]).map(({ name }) => name);
const isDown = async ({ url }: ClusterAccess) =>
  url.includes("down")
    ? { reason: text("connection refused", "连接被拒绝"), refused: false }
    : null;

describe("the connection test", () => {
  beforeEach(() => create());

  test("the connection test takes the cluster's name from the query or the body, and stores its result", async () => {
    const byQuery = await Promise.all(
      ["GET", "POST"].map((method) => api.call(method, `${CLUSTER}/tryConnect?name=hub`)),
    );
    expect(byQuery.map(({ status, data }) => [status, data])).toEqual([
      [200, null],
      [200, null],
    ]);
    expect(
      (await api.call("POST", `${CLUSTER}/tryConnect`, { body: { name: "hub" } })).code,
    ).toBe(0);
    check.problem = "no route to host";
    expect(await api.call("POST", `${CLUSTER}/tryConnect?name=hub`)).toMatchObject({
      status: 400,
      code: 250301,
      message: "remote cluster [hub] connect error: no route to host",
    });
    expect(row()).toMatchObject({ status: "UNHEALTHY", errorReason: "no route to host" });
  });

  test.each<[string, string, unknown, number]>([
    ["without a name", "", undefined, 250103],
    ["with a body without a name", "", {}, 250103],
    ["with a blank name", "?name=%20", undefined, 250104],
    ["with an unknown name", "?name=nope", undefined, 250306],
    ["with a name that is a number", "", { name: 7 }, 250106],
    ["with malformed JSON", "", "{", 250106],
  ])("the connection test is refused %s", async (_case, query, body, code) => {
    expect((await api.call("POST", `${CLUSTER}/tryConnect${query}`, { body })).code).toBe(
      code,
    );
  });
});

describe("finding clusters", () => {
  beforeEach(() => {
    addCluster(api.db, "edge_1", "EDGE");
    addCluster(api.db, "edge%2", "EDGE");
    addCluster(api.db, "standby", "STANDALONE");
  });
  test("clusters are found by id, by name and by type", async () => {
    const { id } = row("standby");
    expect(await get(`info/${id}`)).toMatchObject({ id, name: "standby" });
    expect(await get("info?name=standby")).toMatchObject({ id });
    expect(await api.call("GET", `${CLUSTER}/info/nope`)).toMatchObject({
      status: 200,
      code: 0,
      data: null,
    });
    expect(await get("info?name=nope")).toBeNull();
    expect([
      await get("exist?name=standby"),
      await get("exist?name=nope"),
      await get("exist?name=center"),
    ]).toEqual([true, false, true]);
    expect(names(await get("list/edge"))).toEqual(["edge%2", "edge_1"]);
    expect(names(await get("list"))).toEqual(["edge%2", "edge_1", "standby"]);
    expect(names(await get("list?name=edge_"))).toEqual(["edge_1"]);
    expect(names(await get("list?type=STANDALONE"))).toEqual(["standby"]);
    expect((await api.call("GET", `${CLUSTER}/list?type=MOON`)).code).toBe(250131);
    const page = (await get("page?pageSize=2&pageNumber=0&name=edge")) as {
      records: unknown[];
    };
    expect(page).toMatchObject({
      totalRecords: 2,
      count: 2,
      totalPages: 1,
      pageNumber: 0,
      page: 0,
      pageSize: 2,
    });
    expect(page.records).toHaveLength(2);
  });

  test('the cluster "center" is the attached CENTER cluster, or this instance if there is none', async () => {
    expect(await get("info/center")).toMatchObject({
      name: "center",
      type: "CENTER",
      url: "http://localhost",
      status: "HEALTHY",
    });
    expect(await get("info?name=center")).toMatchObject({ name: "center" });
    expect(names(await get("list"))).not.toContain("center");
    await create({ name: "headquarters", type: "CENTER" });
    expect(await get("info/center")).toMatchObject({
      name: "headquarters",
      type: "CENTER",
    });
  });
});

describe("detaching a cluster", () => {
  test("detaching a cluster that tasks use is refused, and the answer names the tasks", async () => {
    addRepository(api.db, "p", "files", "GENERIC");
    const id = addCluster(api.db, "shanghai");
    for (const name of ["nightly", "weekly"]) {
      await api.call("POST", `${TASK}/create`, {
        body: taskBody({ name, replicaTaskObjects: [FILES], remoteClusterIds: [id] }),
      });
    }
    const answer = await api.call("DELETE", `${CLUSTER}/delete/${id}`);
    expect([answer.status, answer.code, answer.message]).toEqual([
      400,
      250112,
      "operation not allowed: cluster shanghai is used by tasks: nightly, weekly. " +
        "Delete them first, or change them to use another cluster",
    ]);
    expect(row("shanghai").id).toBe(id);
  });

  test("detaching a cluster removes it, and detaching it again is refused", async () => {
    const id = addCluster(api.db, "shanghai");
    expect(await api.call("DELETE", `${CLUSTER}/delete/${id}`)).toMatchObject({
      status: 200,
      code: 0,
      data: null,
    });
    expect((await api.call("DELETE", `${CLUSTER}/delete/${id}`)).code).toBe(250306);
  });
});

describe("the regular check of clusters", () => {
  test("the regular check stores each cluster's health, and skips clusters of detectType REPORT", async () => {
    for (const name of ["fine", "down", "reports"]) addCluster(api.db, name);
    api.db
      .update(cluster)
      .set({ detectType: "REPORT" })
      .where(eq(cluster.name, "reports"))
      .run();
    await checkClusters({
      ...api.deps,
      paces: createPaces(Date.now),
      checkCluster: isDown,
    });
    expect(
      listClusters(api.db).map(({ name, status, errorReason, lastReportTime }) => [
        name,
        status,
        errorReason,
        lastReportTime !== null,
      ]),
    ).toEqual([
      ["down", "UNHEALTHY", "connection refused", true],
      ["fine", "HEALTHY", null, true],
      ["reports", "HEALTHY", null, false],
    ]);
    await checkClusters({
      ...api.deps,
      paces: createPaces(Date.now),
      checkCluster: async () => null,
    });
    expect(row("down")).toMatchObject({ status: "HEALTHY", errorReason: null });
    expect(
      api.logs
        .filter(({ message }) => message.includes("healthy"))
        .map(({ message }) => message),
    ).toEqual(["cluster is unhealthy", "cluster is healthy again"]);
  });
});
