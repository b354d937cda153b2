import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createInternalSigner } from "../../activities/secrets/internal.ts";
import { INTERNAL_PROTOCOL } from "../../domain/worker-messages.ts";
import { ROOT } from "../rigs/runs/program.ts";
import { createMachine, makeIdentity, makeToken } from "../rigs/runs/remote-worker.ts";
import { closed, newest } from "../rigs/runs/run-fixture.ts";
import { handedOut, pidOf } from "../rigs/runs/run-histories.ts";
import { expectWhole } from "../rigs/runs/run-judge.ts";
import { startFileRig, type FileRig } from "../rigs/runs/run-rig.ts";
import { fillRepository, type Listing } from "../rigs/runs/run-sources.ts";

const TEN_MINUTES = 600_000;

let rig: FileRig;
let files: Listing;
const machine = createMachine();

beforeAll(async () => {
  rig = await startFileRig({ env: { TRANSFER_WORKERS: "1" } });
  await rig.product.hosted(rig.projectId, "files");
  files = await fillRepository(
    rig.product,
    rig.projectId,
    "files",
    Array.from({ length: 400 }, (_, at) => at * 10),
  );
});
afterEach(machine.stop);
afterAll(async () => {
  await rig.end();
  machine.remove();
});

/** Starts a worker whose clock can be set. */
async function startWorker() {
  const clock = join(machine.folder, "clock-offset");
  const set = (offset: number) => writeFileSync(clock, String(offset));
  set(0);
  const preload = pathToFileURL(join(ROOT, "test", "rigs", "runs", "clock.mjs")).href;
  const { output } = machine.startWorker(rig.center.url, await makeToken(rig.center), {
    CLOCK_OFFSET_FILE: clock,
    NODE_OPTIONS: `--import ${preload}`,
  });
  return { set, output, taken: () => output().split("reading content").length - 1 };
}

let number = 0;
const run = (): Promise<string> => {
  const object = {
    localRepoName: "files",
    repoType: "GENERIC",
    remoteRepoName: `copy-${(number += 1)}`,
  } as const;
  return rig.product.run({
    projectId: rig.projectId,
    objects: [object],
    clusters: [rig.cluster],
  });
};

/** Returns how often each batch of a run was handed out, and the pids of the workers that took one. */
async function batchesOf(
  key: string,
): Promise<{ attempts: number[]; pids: Set<number> }> {
  const { workflowId } = await newest(rig.product, key);
  const attempts = new Map<string, number>();
  const pids = new Set<number>();
  for (const { input, identity } of await handedOut(
    rig.center.endpoints().temporal,
    workflowId,
  )) {
    attempts.set(input, (attempts.get(input) ?? 0) + 1);
    if (identity !== null) pids.add(pidOf(identity));
  }
  return { attempts: [...attempts.values()], pids };
}

test(
  "a worker with a wrong clock says so and takes no work until its clock is right, without using up batches' tries",
  { timeout: 1_200_000 },
  async () => {
    const [local = 0] = rig.center.pids().workers;
    const worker = await startWorker();
    await expect.poll(worker.taken).toBe(1);
    const others = async () => {
      const key = await run();
      await expectWhole(rig.product, await closed(rig.product, key), files);
      return [...(await batchesOf(key)).pids].some((pid) => pid !== local);
    };
    await expect.poll(others, { timeout: 300_000 }).toBe(true);

    worker.set(TEN_MINUTES);
    await expect.poll(worker.output).toMatch(/clock/);
    for (let runs = 0; runs < 3; runs += 1) {
      const key = await run();
      await expectWhole(rig.product, await closed(rig.product, key), files);
      expect(Math.max(...(await batchesOf(key)).attempts)).toBeLessThanOrEqual(2);
    }
    // By now the worker has returned the batch that Temporal had given to it when its clock became wrong.
    await expect.poll(others, { timeout: 300_000 }).toBe(false);

    worker.set(0);
    await expect.poll(worker.taken).toBe(2);
    await expect.poll(others, { timeout: 300_000 }).toBe(true);
  },
);

test("a worker with another protocol version is refused, and one with the same may have any release", async () => {
  const path = "/internal/v1/worker";
  const headers = createInternalSigner(await makeIdentity(rig.center)).headers(
    "GET",
    path,
    "",
  );
  const ask = (more: Record<string, string>) =>
    fetch(rig.center.url + path, { headers: { ...headers, ...more } });
  expect((await ask({})).status).toBe(200);
  for (const protocol of [
    "",
    String(INTERNAL_PROTOCOL - 1),
    String(INTERNAL_PROTOCOL + 1),
    "x",
  ]) {
    const answer = await ask({ "x-internal-protocol": protocol });
    expect([answer.status, answer.headers.get("x-refused")]).toEqual([426, "protocol"]);
    expect(await answer.text()).toMatch(/start both with the same release/);
  }
});
