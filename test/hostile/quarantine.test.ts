import { afterAll, beforeAll, expect, test } from "vitest";
import { createPaces } from "../../activities/control/paces.ts";
import { checkClusters } from "../../api/clusters/health.ts";
import type { ApiDeps } from "../../api/deps.ts";
import {
  beginCheck,
  countUnfinished,
  forgetUnderWay,
} from "../../db/tasks/cluster-checks.ts";
import { findClusterByName } from "../../db/tasks/clusters.ts";
import { CLUSTER } from "../rigs/api/checked-clusters.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";

const DAY = 24 * 60 * 60_000;
const NAMES = ["good-1", "good-2", "good-3", "evil"];

let now = Date.now();
let api: TestApi;
/** The hosts that are tested, in their order, and how many are tested at once. */
let tested: string[] = [];
let underWay = 0;
let most = 0;

/** The test of the evil cluster ends the process: it never returns. */
const checkCluster: ApiDeps["checkCluster"] = async ({ url }) => {
  const { hostname } = new URL(url);
  tested.push(hostname);
  underWay += 1;
  most = Math.max(most, underWay);
  if (hostname === "evil.example") return new Promise(() => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  underWay -= 1;
  return null;
};
const isFine: ApiDeps["checkCluster"] = async ({ url }) => {
  tested.push(new URL(url).hostname);
  return null;
};

beforeAll(async () => {
  api = createTestApi({ checkCluster: isFine, now: () => now });
  for (const name of NAMES) {
    const body = { name, type: "STANDALONE", url: `http://${name}.example`, ping: false };
    await api.call("POST", `${CLUSTER}/create`, { body });
  }
});
afterAll(() => api.close());

const watch = (check: ApiDeps["checkCluster"]) =>
  checkClusters({ ...api.deps, checkCluster: check, paces: createPaces(() => now) });
const evil = () => findClusterByName(api.db, "evil");

/** Runs the watch until only the test of the evil cluster is under way. */
async function hang(): Promise<void> {
  tested = [];
  underWay = 0;
  most = 0;
  void watch(checkCluster);
  await expect.poll(() => tested.includes("evil.example") && underWay === 1).toBe(true);
}

/** Runs the watch in a process that ends in the test of the evil cluster, and starts the next process. */
async function die(): Promise<void> {
  await hang();
  countUnfinished(api.db);
}

test("a cluster whose test ends the process is left alone for a day, unless somebody asks", async () => {
  await die();
  expect(most).toBeGreaterThan(1);
  // Now the suspects are tested one after the other, so that it is known which one it was.
  await die();
  expect(tested.at(-1)).toBe("evil.example");
  await die();

  tested = [];
  await watch(checkCluster);
  expect(tested.toSorted()).toEqual([
    "good-1.example",
    "good-2.example",
    "good-3.example",
  ]);
  expect(evil()).toMatchObject({
    status: "UNHEALTHY",
    errorReason: expect.stringContaining("has ended the service"),
  });
  expect(findClusterByName(api.db, "good-1")).toMatchObject({ status: "HEALTHY" });

  now += DAY;
  await die();
  tested = [];
  await watch(checkCluster);
  expect(tested).not.toContain("evil.example");

  expect(await api.call("POST", `${CLUSTER}/tryConnect?name=evil`)).toMatchObject({
    code: 0,
  });
  tested = [];
  await watch(isFine);
  expect(tested).toContain("evil.example");
  expect(evil()).toMatchObject({ status: "HEALTHY", errorReason: null });
});

test("a process that ends in order leaves no suspicion", async () => {
  for (let i = 0; i < 5; i += 1) {
    await hang();
    forgetUnderWay(api.db);
    countUnfinished(api.db);
  }
  tested = [];
  await watch(isFine);
  expect(tested).toContain("evil.example");
});

test("a cluster is tested again when the end of its last test could not be noted", async () => {
  const { id = "" } = evil() ?? {};
  beginCheck(api.db, id, now);
  tested = [];
  await watch(isFine);
  expect(tested).toContain("evil.example");
});
