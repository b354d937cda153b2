import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  closed,
  createGate,
  newest,
  sha256,
  type TaskDraft,
  unique,
} from "../rigs/runs/run-fixture.ts";
import { listFiles } from "../rigs/runs/run-judge.ts";
import { startFileRig, type FileRig } from "../rigs/runs/run-rig.ts";
import { fillRepository, type Listing } from "../rigs/runs/run-sources.ts";
import { until } from "../rigs/runs/schedule-fixture.ts";

let rig: FileRig;
let files: Listing;
let passAll = () => {};
beforeAll(async () => {
  rig = await startFileRig({
    env: { TRANSFER_WORKERS: "1", RECONCILE_INTERVAL: "6s", CATCH_UP_WINDOW: "10s" },
  });
  await rig.product.hosted(rig.projectId, "files");
  files = await fillRepository(
    rig.product,
    rig.projectId,
    "files",
    Array.from({ length: 30 }, (_, at) => at * 100),
  );
});
afterEach(() => passAll());
afterAll(() => rig?.end());

const database = () => join(rig.center.dataDir, "replication.db");

async function backUp(): Promise<string> {
  const file = join(rig.center.dataDir, "yesterday.db");
  const db = new Sqlite(database(), { timeout: 30_000 });
  await db.backup(file);
  db.close();
  return file;
}

async function restore(file: string): Promise<void> {
  await rig.center.stop();
  for (const suffix of ["-wal", "-shm"])
    rmSync(`${database()}${suffix}`, { force: true });
  copyFileSync(file, database());
  await rig.center.restart();
}

const run = (
  to: string,
  more: Partial<TaskDraft> & { pathConstraints?: { path: string }[] } = {},
) => {
  const { pathConstraints = [], ...draft } = more;
  const object = {
    localRepoName: "files",
    repoType: "GENERIC",
    remoteRepoName: to,
    pathConstraints,
  } as const;
  return rig.product.run({
    projectId: rig.projectId,
    objects: [object],
    clusters: [rig.cluster],
    ...draft,
  });
};

test("runs that ended after the backup get their outcome from Temporal when the backup is restored", async () => {
  const { product, partner, proxy, projectId } = rig;
  const targets = ["done", "failed", "stopped"].map((name) => unique(name));
  const onceTarget = unique("once");
  const gate = createGate();
  passAll = () => {
    proxy.fault = () => null;
    gate.letGo();
  };
  const isHeld = ({ path }: { path: string }) => path.includes("/sync/v1/files/");
  proxy.fault = (request) =>
    isHeld(request) ? { kind: "hold", until: gate.until } : null;
  const [done, failed, stopped] = [
    await run(targets[0] ?? ""),
    await run(targets[1] ?? "", {
      type: "PATH",
      pathConstraints: [{ path: "/folder 0" }, { path: "/missing" }],
    }),
    await run(targets[2] ?? ""),
  ];
  await until("requests of all three", () =>
    targets.every((name) =>
      proxy.requests.some((seen) => isHeld(seen) && seen.path.includes(`/${name}`)),
    ),
  );
  for (const key of [done, failed, stopped])
    expect(await newest(product, key)).toMatchObject({ status: "RUNNING" });
  const due = Date.now() + 30_000;
  const once = await run(onceTarget, {
    setting: {
      executionStrategy: "SPECIFIED_TIME",
      executionPlan: {
        executeTime: new Date(due).toISOString(),
        executeImmediately: false,
      },
    },
  });
  const backup = await backUp();
  expect(Date.now(), "the backup is older than the one time").toBeLessThan(due);

  await product.stop(stopped);
  await closed(product, stopped);
  passAll();
  await closed(product, done);
  const { errorReason } = await closed(product, failed);
  expect(errorReason).toContain("/missing");
  await until(
    "the one time",
    async () => (await product.records(once))[0]?.status === "SUCCESS",
  );
  const before = {
    done: await newest(product, done),
    once: await newest(product, once),
  };
  await restore(backup);

  const [restored, broken, ended] = [
    await closed(product, done),
    await closed(product, failed),
    await closed(product, stopped),
  ];
  expect(restored).toMatchObject({
    status: "SUCCESS",
    errorReason: null,
    problem: expect.stringMatching(/^restored: .*30 of 30 artifacts done and 0 failed/),
  });
  expect(
    Math.abs(Date.parse(restored.endTime ?? "") - Date.parse(before.done.endTime ?? "")),
  ).toBeLessThan(60_000);
  expect(broken).toMatchObject({
    status: "FAILED",
    errorReason,
    problem: expect.stringMatching(/^restored: /),
  });
  expect(ended).toMatchObject({
    status: "FAILED",
    errorReason: "stopped by admin",
    problem: expect.stringMatching(/^restored: /),
  });
  for (const { id } of [restored, broken, ended])
    expect(
      (await product.details(id)).filter(({ status }) => status === "RUNNING"),
    ).toEqual([]);

  await until(
    "the record of the one time",
    async () => (await product.records(once)).length === 1,
  );
  expect(await newest(product, once)).toMatchObject({
    id: before.once.id,
    status: "SUCCESS",
    problem: expect.stringContaining("30 of 30 artifacts done"),
  });
  expect(await product.task(once)).toMatchObject({
    status: "COMPLETED",
    executionTimes: 1,
    lastExecutionStatus: "SUCCESS",
    nextExecutionTime: null,
  });
  await product.execute(done);
  expect(await closed(product, done)).toMatchObject({
    status: "SUCCESS",
    counts: { planned: 30, success: 30, skip: 30 },
  });
  expect(await listFiles(partner, projectId, onceTarget, sha256)).toEqual(files);
});
