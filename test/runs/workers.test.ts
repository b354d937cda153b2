import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@temporalio/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { clientConnection } from "../../temporal/connect.ts";
import { startInstance } from "../rigs/runs/instance.ts";
import { ROOT } from "../rigs/runs/program.ts";
import { closed, createGate, newest, UTC } from "../rigs/runs/run-fixture.ts";
import { readHistories } from "../rigs/runs/run-histories.ts";
import { expectWhole, filesSentAgain } from "../rigs/runs/run-judge.ts";
import { startFileRig, type FileRig } from "../rigs/runs/run-rig.ts";
import { freePort } from "../rigs/servers/process.ts";
import { fillRepository, type Listing } from "../rigs/runs/run-sources.ts";

const INHERITED = ["PATH", "HOME", "TMPDIR"].flatMap((name) =>
  process.env[name] ? [[name, process.env[name]] as const] : [],
);

let rig: FileRig;
let files: Listing;
/** Where a worker on another machine would be: it sees neither the data nor the settings of the instance. */
const elsewhere = mkdtempSync(join(tmpdir(), "elsewhere-"));
const workers: ChildProcess[] = [];

beforeAll(async () => {
  rig = await startFileRig({ env: { TRANSFER_WORKERS: "1" } });
  await rig.product.hosted(rig.projectId, "files");
  files = await fillRepository(rig.product, rig.projectId, "files", [
    ...Array.from({ length: 400 }, (_, at) => at * 100),
    3 * 2 ** 20,
  ]);
}, 180_000);
afterEach(() => {
  rig.proxy.fault = () => null;
});
afterAll(async () => {
  // npm hands on what it can catch, and nothing else.
  await Promise.all(workers.map((worker) => worker.exitCode ?? (worker.kill("SIGTERM") && once(worker, "exit"))));
  await rig.end();
  rmSync(elsewhere, { recursive: true, force: true });
});

/** `npm run worker` with nothing but the control plane's address and the key. */
function startWorker(secretKey: string, url = rig.center.url) {
  const env = { ...Object.fromEntries(INHERITED), API_URL: url, SECRET_KEY: secretKey, DATA_DIR: elsewhere };
  const child = spawn("npm", ["run", "--silent", "worker"], { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  workers.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return { child, output: () => output, ended: once(child, "exit") as Promise<[number | null]> };
}
const key = () => readFileSync(join(rig.center.dataDir, "secret-key"), "utf8").trim();

let number = 0;
async function run(): Promise<{ key: string; repository: string }> {
  const repository = `copy-${(number += 1)}`;
  const object = { localRepoName: "files", repoType: "GENERIC", remoteRepoName: repository } as const;
  return {
    key: await rig.product.run({ projectId: rig.projectId, objects: [object], clusters: [rig.cluster] }),
    repository,
  };
}

/** Who did the batches of a run: pids. */
async function workersOf(task: string): Promise<Set<number>> {
  const { workflowId } = await newest(rig.product, task);
  const histories = await readHistories(rig.center.endpoints().temporal, workflowId);
  const events = [...histories]
    .filter(([id]) => !id.startsWith(`${workflowId} `))
    .flatMap(([, { events = [] }]) => events ?? []);
  const batches = new Set(
    events
      .filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === "transferBatch")
      .map(({ eventId }) => String(eventId)),
  );
  const started = events.flatMap(({ activityTaskStartedEventAttributes: begun }) =>
    begun && batches.has(String(begun.scheduledEventId)) ? [Number(begun.identity?.split("@")[0])] : [],
  );
  return new Set(started);
}

describe("a transfer worker on another machine", { timeout: 320_000 }, () => {
  test("with another key is told so, and ends", async () => {
    const { ended, output } = startWorker("0123456789abcdef0123456789abcdef");
    const [code] = await ended;
    expect(code).toBe(1);
    expect(output()).toMatch(/SECRET_KEY|secret key/);
  });

  test("is enough for an instance that has none of its own to be ready", async () => {
    const [port, secretKey] = [await freePort(), "a key that both of them were given"];
    startWorker(secretKey, `http://127.0.0.1:${port}`);
    const instance = await startInstance({
      env: { ...UTC, PORT: String(port), SECRET_KEY: secretKey, TRANSFER_WORKERS: "0" },
    });
    expect(instance.pids().workers).toEqual([]);
    await instance.remove();
  });

  test("shares the runs with the one beside the data, and gives its work back when it is stopped", async () => {
    const worker = startWorker(key());
    await expect.poll(worker.output, { timeout: 60_000 }).toContain("reading content through the control plane");
    const [local = 0] = rig.center.pids().workers;
    const seen = new Set<number>();
    for (let runs = 0; seen.size < 2 && runs < 20; runs += 1) {
      const { key: task, repository } = await run();
      const details = await expectWhole(rig.product, await closed(rig.product, task), files);
      expect(filesSentAgain(rig.proxy.requests, `${rig.projectId}/${repository}`, details)).toEqual([]);
      for (const pid of await workersOf(task)) seen.add(pid);
    }
    expect(seen.has(local)).toBe(true);
    expect(seen.size).toBe(2);

    const { task, letGo } = await heldRun();
    const asked = Date.now();
    worker.child.kill("SIGTERM");
    const [code] = await worker.ended;
    expect(code).toBe(0);
    expect(Date.now() - asked).toBeLessThan(30_000);
    letGo();
    await expectWhole(rig.product, await closed(rig.product, task), files);
  });

  test("that froze until its batches were given to another, and goes on then, changes nothing", async () => {
    const worker = startWorker(key());
    await expect.poll(worker.output, { timeout: 60_000 }).toContain("reading content through the control plane");
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
    rig.proxy.clear();
    rig.proxy.fault = ({ path }) => (path.includes("/sync/v1/files/") ? { kind: "hold", until: second.until } : null);
    try {
      // Temporal hands tasks to whoever asks, the frozen one included as long as its questions wait (a minute): it may
      // get a batch again and let its heartbeat lapse.
      await expect.poll(async () => (await holders(held.task)).includes(frozen ?? 0), { timeout: 200_000 }).toBe(false);
      await expect.poll(() => rig.proxy.requests.length, { timeout: 30_000 }).toBeGreaterThan(0);
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

/** A run whose statements wait at the target, once some do. */
async function heldRun(): Promise<{ task: string; letGo: () => void }> {
  const { until, letGo } = createGate();
  rig.proxy.clear();
  rig.proxy.fault = ({ path }) => (path.includes("/sync/v1/files/") ? { kind: "hold", until } : null);
  const { key: task } = await run();
  await expect
    .poll(
      () => rig.proxy.requests.filter(({ path, closed: over }) => path.includes("/files/") && over === null).length,
      { timeout: 30_000 },
    )
    .toBeGreaterThanOrEqual(4);
  return { task, letGo };
}

/** Pids of the workers that have a batch of the run now. */
async function holders(task: string): Promise<number[]> {
  const { workflowId } = await newest(rig.product, task);
  const connection = clientConnection({ temporalAddress: rig.center.endpoints().temporal });
  const { raw } = await new Client({ connection }).workflow.getHandle(`${workflowId}/edge/files`).describe();
  await connection.close();
  return (raw.pendingActivities ?? []).map(({ lastWorkerIdentity }) => Number(lastWorkerIdentity?.split("@")[0]));
}
