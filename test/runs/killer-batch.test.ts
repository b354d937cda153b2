import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { isAlerted } from "../rigs/runs/alert-fixture.ts";
import { scrapeOf } from "../rigs/runs/metrics-fixture.ts";
import { closed, createGate, follow, newest, unique } from "../rigs/runs/run-fixture.ts";
import { readHistories } from "../rigs/runs/run-histories.ts";
import {
  startFileRig,
  startImageRig,
  type FileRig,
  type ImageRig,
} from "../rigs/runs/run-rig.ts";
import { fillRegistry, fillRepository } from "../rigs/runs/run-sources.ts";
import { ownerOf } from "../rigs/servers/connections.ts";

const TAGS = 12;
const KILLER = "v7";
const INNOCENT_BYTES = 3 * 2 ** 20;

let images: ImageRig;
let files: FileRig;
let letGo = () => {};
beforeAll(async () => {
  // With one worker, both batches are always in the same process.
  images = await startImageRig({ env: { TRANSFER_WORKERS: "1" } });
  files = await startFileRig();
  await fillRegistry(images.source.url, ["team/app"], TAGS);
});
afterEach(() => {
  images.source.proxy.fault = () => null;
  files.proxy.fault = () => null;
  letGo();
});
afterAll(async () => {
  await images.end();
  await files.end();
});

/** Counts how often a worker died during a batch of a run, which shows as an activity that timed out. */
async function deaths(workflowId: string): Promise<number> {
  const histories = await readHistories(images.instance.endpoints().temporal, workflowId);
  const events = [...histories.values()].flatMap(({ events: all = [] }) => all ?? []);
  return events.filter(({ activityTaskTimedOutEventAttributes: timedOut }) => timedOut)
    .length;
}

test(
  "an artifact that kills each process handling it fails alone, and the transfer beside its batch succeeds",
  { timeout: 1_200_000 },
  async () => {
    const killed = new Set<number>();
    images.source.proxy.fault = ({ path, port }) => {
      if (!path.endsWith(`/manifests/${KILLER}`)) return null;
      const pid = ownerOf(port, Number(new URL(images.source.proxy.url).port));
      if (pid === undefined || pid === process.pid) return { kind: "reset" };
      killed.add(pid);
      process.kill(pid, "SIGKILL");
      return { kind: "reset" };
    };
    const gate = createGate();
    letGo = gate.letGo;
    const isContent = (path: string) =>
      path.includes("/sync/v1/uploads") || path.includes("/sync/v1/files");
    files.proxy.fault = ({ path }) =>
      isContent(path) ? { kind: "hold", until: gate.until } : null;
    const edge = await images.product.partner(
      unique("edge"),
      files.edge,
      files.proxy.url,
    );
    const name = unique("innocent");
    await images.product.hosted(images.projectId, name);
    await fillRepository(images.product, images.projectId, name, [INNOCENT_BYTES]);
    const innocent = await images.product.run({
      projectId: images.projectId,
      objects: [{ localRepoName: name, repoType: "GENERIC" }],
      clusters: [edge],
    });
    await follow(images.product, innocent, () =>
      files.proxy.requests.some(
        ({ path, closed: over }) => isContent(path) && over === null,
      ),
    );
    const before = await scrapeOf(images.instance);
    const guilty = await images.product.run({
      projectId: images.projectId,
      objects: [
        { localRepoName: "images", repoType: "OCI", remoteProjectId: unique("copies") },
      ],
      clusters: [images.cluster],
    });

    const record = await closed(images.product, guilty, 15 * 60_000);
    expect(record).toMatchObject({
      status: "FAILED",
      counts: { planned: TAGS, success: TAGS - 1, failed: 1, notDone: 0 },
    });
    const details = await images.product.details(record.id);
    const [failed] = details.filter(({ status }) => status === "FAILED");
    expect(failed).toMatchObject({ version: KILLER });
    expect(failed?.errorReason).toMatch(/process.*SIGKILL/);
    // The worker dies twice, then at most one process for each halving and one for the last artifact alone.
    expect(killed.size).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(TAGS)) + 1);

    const problems = await images.product.call<{ alert: string; subject: string }[]>(
      "GET",
      "/replication/api/system/problems",
    );
    expect(
      problems
        .filter(({ alert }) => alert === "BatchKillsWorkers")
        .map(({ subject }) => subject),
    ).toContainEqual(expect.stringMatching(/^batch \d+ of task-.* → target$/));
    const numbers = await scrapeOf(images.instance);
    expect(numbers).toMatch(/^replication_batch_deaths_total\{again="true"\} [1-9]/m);
    expect(await isAlerted("BatchKillsWorkers", numbers, before)).toBe(true);

    letGo();
    const beside = await closed(images.product, innocent);
    expect(beside).toMatchObject({
      errorReason: null,
      status: "SUCCESS",
      counts: { planned: 1, success: 1, failed: 0 },
    });
    expect(await deaths(beside.workflowId)).toBeLessThanOrEqual(2);
    expect((await newest(images.product, guilty)).id).toBe(record.id);
  },
);
