import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createInternalSigner } from "../../activities/secrets/internal.ts";
import { INTERNAL_PROTOCOL } from "../../domain/worker-messages.ts";
import { ROOT } from "../rigs/runs/program.ts";
import { closed, newest } from "../rigs/runs/run-fixture.ts";
import { readHistories } from "../rigs/runs/run-histories.ts";
import { expectWhole } from "../rigs/runs/run-judge.ts";
import { startFileRig, type FileRig } from "../rigs/runs/run-rig.ts";
import { fillRepository, type Listing } from "../rigs/runs/run-sources.ts";

const INHERITED = ["PATH", "HOME", "TMPDIR"].flatMap((name) =>
  process.env[name] ? [[name, process.env[name]] as const] : [],
);
const TEN_MINUTES = 600_000;

let rig: FileRig;
let files: Listing;
const elsewhere = mkdtempSync(join(tmpdir(), "elsewhere-"));
const workers: ChildProcess[] = [];

beforeAll(async () => {
  rig = await startFileRig({ env: { TRANSFER_WORKERS: "1" } });
  await rig.product.hosted(rig.projectId, "files");
  files = await fillRepository(
    rig.product,
    rig.projectId,
    "files",
    Array.from({ length: 400 }, (_, at) => at * 10),
  );
}, 180_000);
afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.exitCode ?? (worker.kill("SIGTERM") && once(worker, "exit"))));
  await rig.end();
  rmSync(elsewhere, { recursive: true, force: true });
});

const secretKey = () => readFileSync(join(rig.center.dataDir, "secret-key"), "utf8").trim();

/** A worker of a machine whose clock can be set. */
function startWorker() {
  const clock = join(elsewhere, "clock-offset");
  const set = (offset: number) => writeFileSync(clock, String(offset));
  set(0);
  const preload = pathToFileURL(join(ROOT, "test", "rigs", "runs", "clock.mjs")).href;
  const env = {
    ...Object.fromEntries(INHERITED),
    API_URL: rig.center.url,
    SECRET_KEY: secretKey(),
    DATA_DIR: elsewhere,
    CLOCK_OFFSET_FILE: clock,
    NODE_OPTIONS: `--import ${preload}`,
  };
  const child = spawn("npm", ["run", "--silent", "worker"], { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  workers.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return { set, output: () => output, taken: () => output.split("reading content").length - 1 };
}

let number = 0;
const run = (): Promise<string> => {
  const object = { localRepoName: "files", repoType: "GENERIC", remoteRepoName: `copy-${(number += 1)}` } as const;
  return rig.product.run({ projectId: rig.projectId, objects: [object], clusters: [rig.cluster] });
};

/** Every batch of a run with how often it was given out, and who was given it (pids). */
async function batchesOf(key: string): Promise<{ attempts: number[]; pids: Set<number> }> {
  const { workflowId } = await newest(rig.product, key);
  const attempts = new Map<string, number>();
  const pids = new Set<number>();
  for (const { events } of (await readHistories(rig.center.endpoints().temporal, workflowId)).values()) {
    const scheduled = new Set<string>();
    for (const {
      eventId,
      activityTaskScheduledEventAttributes: activity,
      activityTaskStartedEventAttributes: begun,
    } of events ?? []) {
      if (activity?.activityType?.name === "transferBatch") {
        scheduled.add(String(eventId));
        const batch = (activity.input?.payloads ?? []).map(({ data }) => Buffer.from(data ?? []).toString()).join();
        attempts.set(batch, (attempts.get(batch) ?? 0) + 1);
      }
      if (begun && scheduled.has(String(begun.scheduledEventId))) pids.add(Number(begun.identity?.split("@")[0]));
    }
  }
  return { attempts: [...attempts.values()], pids };
}

test(
  "a worker whose clock has gone wrong takes no more work and says why, spends no batch's tries, and comes back when its clock is right",
  { timeout: 600_000 },
  async () => {
    const [local = 0] = rig.center.pids().workers;
    const worker = startWorker();
    await expect.poll(worker.taken, { timeout: 120_000 }).toBe(1);
    const others = async () => {
      const key = await run();
      await expectWhole(rig.product, await closed(rig.product, key), files);
      return [...(await batchesOf(key)).pids].some((pid) => pid !== local);
    };
    await expect.poll(others, { timeout: 120_000 }).toBe(true);

    worker.set(TEN_MINUTES);
    await expect.poll(worker.output, { timeout: 120_000 }).toMatch(/clock/);
    for (let runs = 0; runs < 3; runs += 1) {
      const key = await run();
      await expectWhole(rig.product, await closed(rig.product, key), files);
      expect(Math.max(...(await batchesOf(key)).attempts)).toBeLessThanOrEqual(2);
    }
    // What Temporal had handed to it just then, it has given back.
    await expect.poll(others, { timeout: 120_000 }).toBe(false);

    worker.set(0);
    await expect.poll(worker.taken, { timeout: 120_000 }).toBe(2);
    await expect.poll(others, { timeout: 120_000 }).toBe(true);
  },
);

test("a worker of another protocol is told so, and one of the same may be of any release", async () => {
  const path = "/internal/v1/worker";
  const headers = createInternalSigner(secretKey()).headers("GET", path, "");
  const ask = (more: Record<string, string>) => fetch(rig.center.url + path, { headers: { ...headers, ...more } });
  expect((await ask({})).status).toBe(200);
  for (const protocol of ["", String(INTERNAL_PROTOCOL - 1), String(INTERNAL_PROTOCOL + 1), "x"]) {
    const answer = await ask({ "x-internal-protocol": protocol });
    expect([answer.status, answer.headers.get("x-refused")]).toEqual([426, "protocol"]);
    expect(await answer.text()).toMatch(/start both with the same release/);
  }
});
