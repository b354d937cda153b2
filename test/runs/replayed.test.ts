import { Client } from "@temporalio/client";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { clientConnection } from "../../temporal/connect.ts";
import { type Change, createDeploys } from "../rigs/runs/changed-code.ts";
import { closed, createGate, newest, sha256 } from "../rigs/runs/run-fixture.ts";
import { listFiles } from "../rigs/runs/run-judge.ts";
import { startFileRig, type FileRig } from "../rigs/runs/run-rig.ts";
import { fillRepository, type Listing } from "../rigs/runs/run-sources.ts";
import { until } from "../rigs/runs/schedule-fixture.ts";

const SLOW = { timeout: 300_000 };

let deploys: Awaited<ReturnType<typeof createDeploys>>;
let rig: FileRig;
let client: Client;
let files: Listing;
const ends: (() => void)[] = [];

beforeAll(async () => {
  deploys = await createDeploys();
  rig = await startFileRig({
    env: { CACHE_DIR: deploys.cacheDir, TRANSFER_WORKERS: "1", LOG_LEVEL: "info", RECONCILE_INTERVAL: "12s" },
  });
  client = new Client({ connection: clientConnection({ temporalAddress: rig.center.endpoints().temporal }) });
  for (const name of ["files", "broken"]) await rig.product.hosted(rig.projectId, name);
  files = await fillRepository(
    rig.product,
    rig.projectId,
    "files",
    Array.from({ length: 30 }, (_, at) => at * 100),
  );
  await fillRepository(rig.product, rig.projectId, "broken", [100]);
}, 180_000);
afterEach(async ({ task }) => {
  for (const end of ends.splice(0)) end();
  rig.proxy.fault = () => null;
  // What runs in the code that the test leaves would not be broken by the same deploy when the test is tried again.
  if (task.result?.state === "fail") await release();
});
afterAll(async () => {
  await client?.connection.close();
  await rig?.end();
  deploys?.remove();
});

async function release(...changes: Change[]): Promise<void> {
  await deploys.deploy(...changes);
  await rig.center.kill("orchestrator");
  await rig.center.ready();
}

/** A step more, as a careless change makes it, in the parts of a run. */
const ONE_STEP_MORE: Change[] = [
  { file: "workflows/target-run.ts", from: "  continueAsNew,\n", to: "  continueAsNew,\n  sleep,\n" },
  {
    file: "workflows/target-run.ts",
    from: "  const bell = createBell();\n",
    to: "  const bell = createBell();\n  await sleep(1);\n",
  },
];

/** Holds what is sent until the test ends or lets go. */
function hold(): () => void {
  const gate = createGate();
  ends.push(gate.letGo);
  rig.proxy.fault = ({ path }) => (path.includes("/sync/v1/files/") ? { kind: "hold", until: gate.until } : null);
  return gate.letGo;
}
const isSending = () =>
  until(
    "a request that is held",
    () => rig.proxy.requests.some(({ path, closed: over }) => path.includes("/sync/v1/files/") && over === null),
    60_000,
  );

test(
  "a run under way that a release would break is begun again at its start, ends well, and does nothing twice",
  SLOW,
  async () => {
    const { product, partner, projectId, cluster } = rig;
    const letGo = hold();
    const object = { localRepoName: "files", repoType: "GENERIC", remoteRepoName: "copy" } as const;
    const key = await product.run({ projectId, objects: [object], clusters: [cluster] });
    await isSending();
    const { id, workflowId } = await newest(product, key);
    const before = (await client.workflow.getHandle(workflowId).describe()).runId;
    await release(...ONE_STEP_MORE);
    letGo();
    rig.proxy.fault = () => null;
    const record = await closed(product, key);
    expect(record).toMatchObject({
      id,
      status: "SUCCESS",
      problem: null,
      counts: { planned: 30, success: 30, failed: 0 },
    });
    expect(await product.records(key)).toHaveLength(1);
    expect(await product.details(id)).toHaveLength(30);
    expect(await listFiles(partner, projectId, "copy", sha256)).toEqual(files);
    // The record is closed by the last activity; the workflow ends a moment later.
    const describe = () => client.workflow.getHandle(workflowId).describe();
    await until("the end of the workflow", async () => (await describe()).status.name === "COMPLETED", 60_000);
    const after = await describe();
    expect(after.runId).not.toBe(before);
    expect(after).toMatchObject({ status: { name: "COMPLETED" }, typedSearchAttributes: expect.anything() });
    expect(rig.center.output()).toContain("this release cannot go on with a run under way");
    await product.execute(key);
    expect(await closed(product, key)).toMatchObject({ status: "SUCCESS", counts: { skip: 30 } });
  },
);

test(
  "a run that follows uploads is begun again, too, and one that the release does not break goes on as it is",
  SLOW,
  async () => {
    const { product, partner, projectId, cluster } = rig;
    await product.hosted(projectId, "followed");
    const key = await product.run({
      projectId,
      objects: [{ localRepoName: "followed", repoType: "GENERIC" }],
      clusters: [cluster],
      replicaType: "REAL_TIME",
    });
    await product.upload(projectId, "followed", "/first", Buffer.from("first"));
    const arrived = (path: string) =>
      until(
        `${path} there`,
        () =>
          partner.download(projectId, "followed", path).then(
            (bytes) => bytes !== null,
            () => false,
          ),
        60_000,
      );
    await arrived("/first");
    const runId = async () => (await client.workflow.getHandle(`repl-rt/${key}/${cluster}`).describe()).runId;
    const first = await runId();
    await rig.center.kill("orchestrator");
    await rig.center.ready();
    await product.upload(projectId, "followed", "/second", Buffer.from("second"));
    await arrived("/second");
    expect(await runId()).toBe(first);
    expect(rig.center.output().split("replayed the runs under way")).toHaveLength(2);
    await release({
      file: "workflows/real-time-run.ts",
      from: "  let ended: Ended | null = null;",
      to: "  let ended: Ended | null = null;\n  await condition(() => false, 1);",
    });
    expect(await runId()).not.toBe(first);
    await product.upload(projectId, "followed", "/third", Buffer.from("third"));
    await arrived("/third");
    await product.remove(key);
  },
);

test(
  "a run that breaks again is begun again no more for this release, says why it does not go on, and goes on with one that has no mistake",
  SLOW,
  async () => {
    const { product, projectId, cluster, center } = rig;
    const letGo = hold();
    const object = { localRepoName: "broken", repoType: "GENERIC", remoteRepoName: "broken" } as const;
    const key = await product.run({ projectId, objects: [object], clusters: [cluster] });
    await isSending();
    const { workflowId } = await newest(product, key);
    const runId = async () => (await client.workflow.getHandle(workflowId).describe()).runId;
    const first = await runId();
    await release({
      file: "workflows/target-run.ts",
      from: "  const bell = createBell();\n",
      to: '  if (input.label.startsWith("broken")) throw new Error("a mistake in the program");\n  const bell = createBell();\n',
    });
    const second = await runId();
    expect(second).not.toBe(first);
    await until(
      "its problem is told",
      async () => /a mistake in the program/.test((await newest(product, key)).problem ?? ""),
      120_000,
    );
    await center.kill("orchestrator");
    await center.ready();
    expect(await runId()).toBe(second);
    letGo();
    rig.proxy.fault = () => null;
    await release();
    expect(await closed(product, key)).toMatchObject({
      status: "SUCCESS",
      problem: null,
      counts: { planned: 1, success: 1 },
    });
    expect(await runId()).toBe(second);
  },
);
