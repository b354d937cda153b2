import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Change } from "../rigs/runs/changed-code.ts";
import { startDeployRig, type DeployRig } from "../rigs/runs/deploy-rig.ts";
import { closed, newest, sha256, unique } from "../rigs/runs/run-fixture.ts";
import { listFiles } from "../rigs/runs/run-judge.ts";
import { fillRepository, type Listing } from "../rigs/runs/run-sources.ts";
import { until } from "../rigs/runs/schedule-fixture.ts";

let rig: DeployRig;
let files: Listing;

beforeAll(async () => {
  rig = await startDeployRig(12_000);
  for (const name of ["files", "broken"]) await rig.product.hosted(rig.projectId, name);
  files = await fillRepository(
    rig.product,
    rig.projectId,
    "files",
    Array.from({ length: 30 }, (_, at) => at * 100),
  );
  await fillRepository(rig.product, rig.projectId, "broken", [100]);
});
afterEach(async ({ task }) => {
  rig.passAll();
  // If a test fails, it is tried again: the original code is restored, because runs that start with the
  // changed code would not be broken by the same change.
  if (task.result?.state === "fail") await rig.release();
});
afterAll(() => rig?.end());

/** A change that adds a step to the workflow of a target run, as a careless developer might. */
const ONE_STEP_MORE: Change[] = [
  {
    file: "workflows/target-run.ts",
    from: "  continueAsNew,\n",
    to: "  continueAsNew,\n  sleep,\n",
  },
  {
    file: "workflows/target-run.ts",
    from: "  const bell = createBell();\n",
    to: "  const bell = createBell();\n  await sleep(1);\n",
  },
];

const isSending = () => until("a declaration that is held", rig.isHeld);
const runIdOf = async (workflowId: string) =>
  (await rig.client.workflow.getHandle(workflowId).describe()).runId;

test("a run that a new release cannot replay starts again with it, succeeds and does nothing twice", async () => {
  const { product, partner, projectId, cluster } = rig;
  const letGo = rig.hold();
  const copy = unique("copy");
  const object = {
    localRepoName: "files",
    repoType: "GENERIC",
    remoteRepoName: copy,
  } as const;
  const key = await product.run({ projectId, objects: [object], clusters: [cluster] });
  await isSending();
  const { id, workflowId } = await newest(product, key);
  const before = await runIdOf(workflowId);
  await rig.release(...ONE_STEP_MORE);
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
  expect(await listFiles(partner, projectId, copy, sha256)).toEqual(files);
  // The last activity of a run closes the record; the workflow ends a moment later.
  const describe = () => rig.client.workflow.getHandle(workflowId).describe();
  await until(
    "the end of the workflow",
    async () => (await describe()).status.name === "COMPLETED",
  );
  const after = await describe();
  expect(after.runId).not.toBe(before);
  expect(after).toMatchObject({
    status: { name: "COMPLETED" },
    typedSearchAttributes: expect.anything(),
  });
  expect(rig.center.output()).toContain("this release cannot go on with a run under way");
  await product.execute(key);
  expect(await closed(product, key)).toMatchObject({
    status: "SUCCESS",
    counts: { skip: 30 },
  });
});

test("a REAL_TIME run that a new release cannot replay starts again, and any other goes on unchanged", async () => {
  const { product, partner, projectId, cluster } = rig;
  const followed = unique("followed");
  await product.hosted(projectId, followed);
  const key = await product.run({
    projectId,
    objects: [{ localRepoName: followed, repoType: "GENERIC" }],
    clusters: [cluster],
    replicaType: "REAL_TIME",
  });
  // Also after a failure: the next try would replay its run, too.
  onTestFinished(async () => void (await product.remove(key)));
  await product.upload(projectId, followed, "/first", Buffer.from("first"));
  const arrived = (path: string) =>
    until(`${path} arrives`, () =>
      partner.download(projectId, followed, path).then(
        (bytes) => bytes !== null,
        () => false,
      ),
    );
  await arrived("/first");
  const runId = () => runIdOf(`repl-rt/${key}/${cluster}`);
  const first = await runId();
  const replays = () =>
    rig.center.output().split("replayed the runs under way").length - 1;
  const before = replays();
  await rig.center.kill("orchestrator");
  await rig.center.ready();
  await product.upload(projectId, followed, "/second", Buffer.from("second"));
  await arrived("/second");
  expect(await runId()).toBe(first);
  // The same release has nothing to replay.
  expect(replays()).toBe(before);
  await rig.release({
    file: "workflows/real-time-run.ts",
    from: "  let ended: Ended | null = null;",
    to: "  let ended: Ended | null = null;\n  await condition(() => false, 1);",
  });
  expect(await runId()).not.toBe(first);
  await product.upload(projectId, followed, "/third", Buffer.from("third"));
  await arrived("/third");
});

test("a run that fails again is not restarted once more, reports why, and goes on with a good release", async () => {
  const { product, projectId, cluster, center } = rig;
  const letGo = rig.hold();
  const object = {
    localRepoName: "broken",
    repoType: "GENERIC",
    remoteRepoName: unique("broken"),
  } as const;
  const key = await product.run({ projectId, objects: [object], clusters: [cluster] });
  await isSending();
  const { workflowId } = await newest(product, key);
  const runId = () => runIdOf(workflowId);
  const first = await runId();
  await rig.release({
    file: "workflows/target-run.ts",
    from: "  const bell = createBell();\n",
    to:
      '  if (input.label.startsWith("broken")) throw new Error("a mistake in the program");\n' +
      "  const bell = createBell();\n",
  });
  const second = await runId();
  expect(second).not.toBe(first);
  await until("the run reports its problem", async () =>
    /a mistake in the program/.test((await newest(product, key)).problem ?? ""),
  );
  await center.kill("orchestrator");
  await center.ready();
  expect(await runId()).toBe(second);
  letGo();
  rig.proxy.fault = () => null;
  await rig.release();
  expect(await closed(product, key)).toMatchObject({
    status: "SUCCESS",
    problem: null,
    counts: { planned: 1, success: 1 },
  });
  expect(await runId()).toBe(second);
});
