import { Client } from "@temporalio/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { clientConnection } from "../../temporal/connect.ts";
import { startInstance } from "../rigs/runs/instance.ts";
import { createMachine, FOREIGN_TOKEN, makeToken } from "../rigs/runs/remote-worker.ts";
import { closed, createGate, newest, UTC } from "../rigs/runs/run-fixture.ts";
import { handedOut, pidOf } from "../rigs/runs/run-histories.ts";
import { expectWhole, filesSentAgain } from "../rigs/runs/run-judge.ts";
import { startFileRig, type FileRig } from "../rigs/runs/run-rig.ts";
import { fillRepository, type Listing } from "../rigs/runs/run-sources.ts";

let rig: FileRig;
let files: Listing;
const machine = createMachine();

beforeAll(async () => {
  rig = await startFileRig({ env: { TRANSFER_WORKERS: "1" } });
  await rig.product.hosted(rig.projectId, "files");
  files = await fillRepository(rig.product, rig.projectId, "files", [
    ...Array.from({ length: 400 }, (_, at) => at * 100),
    3 * 2 ** 20,
  ]);
});
const gates: (() => void)[] = [];
afterEach(async () => {
  rig.proxy.fault = () => null;
  for (const letGo of gates.splice(0)) letGo();
  await machine.stop();
});
afterAll(async () => {
  await rig.end();
  machine.remove();
});

let number = 0;
async function run(): Promise<{ key: string; repository: string }> {
  const repository = `copy-${(number += 1)}`;
  const object = {
    localRepoName: "files",
    repoType: "GENERIC",
    remoteRepoName: repository,
  } as const;
  return {
    key: await rig.product.run({
      projectId: rig.projectId,
      objects: [object],
      clusters: [rig.cluster],
    }),
    repository,
  };
}

/** Returns the pids of the workers that took a batch of a run. */
async function workersOf(task: string): Promise<Set<number>> {
  const { workflowId } = await newest(rig.product, task);
  const batches = await handedOut(rig.center.endpoints().temporal, workflowId);
  return new Set(
    batches.flatMap(({ identity }) => (identity === null ? [] : [pidOf(identity)])),
  );
}

describe("a transfer worker on another machine", () => {
  test("a worker with a token of another instance reports that and ends", async () => {
    const { ended, output } = machine.startWorker(rig.center.url, FOREIGN_TOKEN);
    const [code] = await ended;
    expect(code).toBe(1);
    expect(output()).toMatch(/WORKER_TOKEN is not a token of that instance/);
  });

  test("an instance without workers of its own is ready once a worker runs on another machine", async () => {
    const instance = await startInstance({
      env: { ...UTC, TRANSFER_WORKERS: "0" },
      neverReady: true,
    });
    const isReady = async () =>
      (await fetch(`${instance.url}/health/ready`)).status === 200;
    expect(await isReady()).toBe(false);
    machine.startWorker(instance.url, await makeToken(instance));
    await expect.poll(isReady).toBe(true);
    expect(instance.pids().workers).toEqual([]);
    await instance.remove();
  });

  test("a worker on another machine shares runs, and returns its work when it is stopped", async () => {
    const worker = machine.startWorker(rig.center.url, await makeToken(rig.center));
    await expect
      .poll(worker.output)
      .toContain("reading content through the control plane");
    const [local = 0] = rig.center.pids().workers;
    const seen = new Set<number>();
    for (let runs = 0; seen.size < 2 && runs < 20; runs += 1) {
      const { key: task, repository } = await run();
      const details = await expectWhole(
        rig.product,
        await closed(rig.product, task),
        files,
      );
      expect(
        filesSentAgain(rig.proxy.requests, `${rig.projectId}/${repository}`, details),
      ).toEqual([]);
      for (const pid of await workersOf(task)) seen.add(pid);
    }
    expect(seen.has(local)).toBe(true);
    expect(seen.size).toBe(2);

    const { task, letGo } = await heldRun();
    const asked = Date.now();
    worker.child.kill("SIGTERM");
    const [code] = await worker.ended;
    expect(code).toBe(0);
    expect(Date.now() - asked).toBeLessThan(60_000);
    letGo();
    await expectWhole(rig.product, await closed(rig.product, task), files);
  });

  test("a worker that was frozen until others took its batches changes nothing when it goes on", async () => {
    const worker = machine.startWorker(rig.center.url, await makeToken(rig.center));
    await expect
      .poll(worker.output)
      .toContain("reading content through the control plane");
    const [local = 0] = rig.center.pids().workers;
    let held = await heldRun();
    let frozen = (await holders(held.task)).find((pid) => pid !== local);
    for (let runs = 0; frozen === undefined && runs < 20; runs += 1) {
      held.letGo();
      await closed(rig.product, held.task);
      held = await heldRun();
      frozen = (await holders(held.task)).find((pid) => pid !== local);
    }
    expect(frozen).toBeDefined();
    process.kill(frozen ?? 0, "SIGSTOP");
    const second = createGate();
    gates.push(second.letGo);
    rig.proxy.clear();
    rig.proxy.fault = ({ path }) =>
      path.includes("/sync/v1/files/") ? { kind: "hold", until: second.until } : null;
    try {
      // Temporal hands tasks to any polling worker, and for up to a minute also to the frozen one,
      // whose polls are still open: it may get a batch again and let its heartbeat time out.
      await expect
        .poll(async () => (await holders(held.task)).includes(frozen ?? 0), {
          timeout: 200_000,
        })
        .toBe(false);
      await expect.poll(() => rig.proxy.requests.length).toBeGreaterThan(0);
    } finally {
      process.kill(frozen ?? 0, "SIGCONT");
    }
    held.letGo();
    second.letGo();
    const record = await closed(rig.product, held.task);
    await expectWhole(rig.product, record, files);
    expect(record.counts.skip).toBe(0);
  });
});

/** Starts a run whose declarations are held at the target, and returns once some declarations are held. */
async function heldRun(): Promise<{ task: string; letGo: () => void }> {
  const { until, letGo } = createGate();
  gates.push(letGo);
  rig.proxy.clear();
  rig.proxy.fault = ({ path }) =>
    path.includes("/sync/v1/files/") ? { kind: "hold", until } : null;
  const { key: task } = await run();
  await expect
    .poll(
      () =>
        rig.proxy.requests.filter(
          ({ path, closed: over }) => path.includes("/files/") && over === null,
        ).length,
    )
    .toBeGreaterThanOrEqual(4);
  return { task, letGo };
}

/** Returns the pids of the workers that hold a batch of the run now. */
async function holders(task: string): Promise<number[]> {
  const { workflowId } = await newest(rig.product, task);
  const connection = clientConnection({
    temporalAddress: rig.center.endpoints().temporal,
  });
  const { raw } = await new Client({ connection }).workflow
    .getHandle(`${workflowId}/edge/files`)
    .describe();
  await connection.close();
  return (raw.pendingActivities ?? []).map(({ lastWorkerIdentity }) =>
    pidOf(lastWorkerIdentity),
  );
}
