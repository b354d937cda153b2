import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Change } from "../rigs/runs/changed-code.ts";
import { isAlerted } from "../rigs/runs/alert-fixture.ts";
import { scrapeOf } from "../rigs/runs/metrics-fixture.ts";
import { startDeployRig, type DeployRig } from "../rigs/runs/deploy-rig.ts";
import {
  closed,
  follow,
  newest,
  patiently,
  type TaskDraft,
  unique,
} from "../rigs/runs/run-fixture.ts";
import { fillRepository } from "../rigs/runs/run-sources.ts";

/**
 * Interval of the reconciler; the times that it waits for a reaction of a run are multiples of the
 * interval.
 */
const INTERVAL_MS = 12_000;
const PATIENCE_MS = INTERVAL_MS * 0.75;
const CLOSED_WITHIN_MS = 120_000;
const SIZES = Array.from({ length: 30 }, (_, at) => at * 100);

let rig: DeployRig;

beforeAll(async () => {
  rig = await startDeployRig(INTERVAL_MS);
  await rig.product.hosted(rig.projectId, "files");
  await fillRepository(rig.product, rig.projectId, "files", SIZES);
});
afterEach(async ({ task }) => {
  rig.passAll();
  // A test that failed may have left the bad release.
  if (task.result?.state === "fail") await rig.release();
});
afterAll(() => rig?.end());

/** Builds a change that throws a plain error before a line of workflow code, for runs whose input matches `where`. */
const failsBefore = (file: string, line: string, where: string): Change => ({
  file,
  from: line,
  to: `if (input.${where}) throw new Error("a mistake in the program");\n${line}`,
});

async function run(
  to: string,
  {
    projectId = rig.projectId,
    localRepoName = "files",
    ...draft
  }: Partial<TaskDraft> & { localRepoName?: string } = {},
): Promise<string> {
  return rig.product.run({
    ...draft,
    projectId,
    objects: [{ localRepoName, repoType: "GENERIC", remoteRepoName: to }],
    clusters: [rig.cluster],
  });
}

/** Creates a project with a repository of 30 files. */
async function source(prefix: string, repoName = "files"): Promise<string> {
  const projectId = unique(prefix);
  await rig.product.project(projectId);
  await rig.product.hosted(projectId, repoName);
  await fillRepository(rig.product, projectId, repoName, SIZES);
  return projectId;
}

const problemOf = (key: string) =>
  patiently(async () => (await newest(rig.product, key)).problem);
const stateOf = async (workflowId: string) =>
  (await rig.client.workflow.getHandle(workflowId).describe()).status.name;

/** Stops a task and waits until its record is closed. */
async function stopped(key: string) {
  const begun = Date.now();
  expect(await rig.product.stop(key)).toEqual({ stopped: true });
  const record = await closed(rig.product, key, CLOSED_WITHIN_MS);
  expect(Date.now() - begun).toBeLessThan(CLOSED_WITHIN_MS);
  expect(
    (await rig.product.details(record.id)).filter(({ status }) => status === "RUNNING"),
  ).toEqual([]);
  return record;
}

/**
 * The part of each story before its `yield` runs under the bad release, and the part after it under a
 * good one.
 */
const STORIES = {
  async *late() {
    const { product, center } = rig;
    const key = await run("late", { projectId: await source("late") });
    await follow(product, key, ({ counts }) => counts.success === 30);
    await expect
      .poll(() => problemOf(key))
      .toMatch(
        /cannot go on since .*failed \d+ times.*a mistake in the program.*stop the task/s,
      );
    expect(center.output()).toContain("a run does not go on");
    await expect(product.execute(key)).rejects.toThrow("250303");
    expect((await fetch(`${center.url}/health/ready`)).status).toBe(200);
    const problems = await product.call<{ alert: string; subject: string }[]>(
      "GET",
      "/replication/api/system/problems",
    );
    expect(problems).toContainEqual(
      expect.objectContaining({
        alert: "RunStuck",
        subject: (await product.task(key)).name,
      }),
    );
    const numbers = await scrapeOf(center);
    expect(numbers).toMatch(/^replication_stuck_runs [1-9]/m);
    expect(await isAlerted("RunStuck", numbers)).toBe(true);
    const record = await stopped(key);
    expect(record).toMatchObject({
      status: "FAILED",
      errorReason: "stopped by admin",
      problem: null,
      counts: { planned: 30, success: 30, failed: 0 },
    });
    expect(await stateOf(record.workflowId)).toBe("TERMINATED");
    yield;
    await product.execute(key);
    expect(await closed(product, key)).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 30, success: 30, skip: 30 },
    });
  },
  async *part() {
    const key = await run("part", {
      projectId: await source("part", "parts"),
      localRepoName: "parts",
    });
    await expect
      .poll(() => problemOf(key))
      .toMatch(/\/edge\/parts cannot go on.*a mistake in the program/s);
    yield;
    expect(await closed(rig.product, key)).toMatchObject({
      status: "SUCCESS",
      problem: null,
      counts: { success: 30 },
    });
    await expect
      .poll(() => rig.center.output())
      .toMatch(/a run that did not go on (does again|is over)/);
  },
  async *following() {
    const { product, partner } = rig;
    const projectId = await source("following");
    const key = await run("followed", { projectId, replicaType: "REAL_TIME" });
    await product.upload(projectId, "files", "/first", Buffer.from("first"));
    await expect.poll(async () => (await product.records(key)).length).toBe(1);
    await expect.poll(() => problemOf(key)).toContain("a mistake in the program");
    expect(await stopped(key)).toMatchObject({
      status: "FAILED",
      errorReason: "stopped by admin",
    });
    yield;
    await expect
      .poll(() =>
        partner.download(projectId, "followed", "/first").then(String, () => "not there"),
      )
      .toBe("first");
    await product.remove(key);
  },
  async *deleted() {
    const key = await run("late-deleted", { projectId: await source("late") });
    const { workflowId } = await follow(
      rig.product,
      key,
      ({ counts }) => counts.success === 30,
    );
    await rig.product.remove(key);
    await expect(rig.product.records(key)).resolves.toEqual([]);
    await expect.poll(() => stateOf(workflowId), { timeout: 180_000 }).toBe("TERMINATED");
    yield;
  },
  async *firing() {
    const { product, center } = rig;
    const projectId = await source("early");
    const executionPlan = {
      executeTime: new Date(Date.now() + 30_000).toISOString(),
      executeImmediately: false,
    };
    const key = await run("fired", {
      projectId,
      setting: { executionStrategy: "SPECIFIED_TIME", executionPlan },
    });
    await expect
      .poll(center.output, { timeout: 180_000 })
      .toMatch(new RegExp(`"taskKey":"${key}".*a firing cannot begin`));
    expect(await product.records(key)).toEqual([]);
    const told = await product.call<{ alert: string; message: string }[]>(
      "GET",
      "/replication/api/system/problems",
    );
    const { name } = await product.task(key);
    expect(told).toContainEqual(
      expect.objectContaining({
        alert: "RunStuck",
        message: expect.stringContaining(`a firing of task ${name} cannot begin`),
      }),
    );
    yield;
    await expect
      .poll(() => product.records(key).then(([record]) => record?.status))
      .toBe("SUCCESS");
  },
};

test("runs that a faulty release blocks report it, can be stopped or deleted, or go on with the next one", async () => {
  await rig.release(
    failsBefore(
      "workflows/task-run.ts",
      "  const begun = await",
      'projectId.startsWith("early")',
    ),
    failsBefore(
      "workflows/task-run.ts",
      "  const reason = interruption === undefined",
      'projectId.startsWith("late")',
    ),
    failsBefore(
      "workflows/target-run.ts",
      "  await slide()",
      'label.startsWith("parts")',
    ),
    failsBefore(
      "workflows/real-time-run.ts",
      "      ended = await drain(",
      'projectId.startsWith("following")',
    ),
  );
  const stories = Object.values(STORIES).map((story) => story());
  await Promise.all(stories.map((story) => story.next()));
  await rig.release();
  const over = await Promise.all(stories.map((story) => story.next()));
  expect(over.every(({ done }) => done)).toBe(true);
});

test("an activity that fails repeatedly is reported with its reason until it succeeds", async () => {
  const { product, center } = rig;
  const db = new Sqlite(join(center.dataDir, "replication.db"), { timeout: 30_000 });
  db.exec(
    "CREATE TRIGGER spoilt BEFORE INSERT ON dispatch BEGIN SELECT RAISE(ABORT, 'the disk is spoilt'); END",
  );
  let key = "";
  try {
    key = await run(unique("spoilt"));
    await expect
      .poll(() => problemOf(key))
      .toMatch(
        /cutBatches of workflow .* has failed since .*: the disk is spoilt\. Attempt \d+ is under way/s,
      );
  } finally {
    db.exec("DROP TRIGGER spoilt");
    db.close();
  }
  expect(await closed(product, key)).toMatchObject({
    status: "SUCCESS",
    problem: null,
    counts: { success: 30 },
  });
});

test("a stopped run that takes long to release its connections is not terminated", async () => {
  const { product, center } = rig;
  rig.hold();
  const key = await run(unique("slow"));
  const { workflowId } = await follow(product, key, rig.isHeld);
  const [worker = 0] = center.pids().workers;
  // The worker stays frozen for longer than the reconciler waits for a stopped run that makes no progress.
  process.kill(worker, "SIGSTOP");
  try {
    await product.stop(key);
    const begun = Date.now();
    await expect.poll(() => Date.now() - begun).toBeGreaterThan(PATIENCE_MS * 2);
    expect(await newest(product, key)).toMatchObject({ workflowId, status: "RUNNING" });
  } finally {
    process.kill(worker, "SIGCONT");
  }
  expect(await closed(product, key)).toMatchObject({
    status: "FAILED",
    errorReason: "stopped by admin",
  });
  await expect.poll(() => stateOf(workflowId)).toBe("CANCELLED");
});

test("a stopped run whose orchestrator does not react is terminated, and its record is closed", async () => {
  const { product, center } = rig;
  const letGo = rig.hold();
  const key = await run(unique("frozen"));
  await follow(product, key, rig.isHeld);
  process.kill(center.pids().orchestrator, "SIGSTOP");
  try {
    const record = await stopped(key);
    expect(record).toMatchObject({ status: "FAILED", errorReason: "stopped by admin" });
    expect(await stateOf(record.workflowId)).toBe("TERMINATED");
  } finally {
    process.kill(center.pids().orchestrator, "SIGCONT");
  }
  letGo();
  await product.execute(key);
  expect(await closed(product, key)).toMatchObject({
    status: "SUCCESS",
    counts: { success: 30 },
  });
});
