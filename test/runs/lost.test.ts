import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@temporalio/client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { clientConnection } from "../../temporal/connect.ts";
import { closed, createGate, epoch, follow, newest } from "../rigs/runs/run-fixture.ts";
import {
  expectWhole,
  imagesSentAgain,
  listImages,
  sorted,
} from "../rigs/runs/run-judge.ts";
import { startImageRig, type ImageRig } from "../rigs/runs/run-rig.ts";
import { fillRegistry } from "../rigs/runs/run-sources.ts";

/**
 * Minimum age of a record that the reconciler compares with Temporal, and a margin; it runs at start
 * and each minute.
 */
const SETTLED_MS = 31_000;

let rig: ImageRig;
beforeEach(async () => {
  rig = await startImageRig();
});
afterEach(() => rig.end());

test("a run that Temporal lost starts again and sends only the rest, and a terminated run says so", async () => {
  const { product, source, target, projectId, cluster, instance } = rig;
  const images = await fillRegistry(
    source.url,
    ["a/first", "a/second", "z/third", "z/fourth"],
    60,
  );
  const { until, letGo } = createGate();
  target.proxy.fault = ({ method, path }) =>
    method === "PUT" && /\/z\/[^/]+\/manifests\//.test(path)
      ? { kind: "hold", until }
      : null;
  const run = (to: string) =>
    product.run({
      projectId,
      objects: [{ localRepoName: "images", repoType: "OCI", remoteProjectId: to }],
      clusters: [cluster],
    });
  const [lost, ended] = [await run("lost"), await run("ended")];
  for (const key of [lost, ended])
    await follow(product, key, ({ counts }) => counts.success === 120);
  const { workflowId } = await newest(product, lost);
  const terminated = await newest(product, ended);
  await sleep(Math.max(0, epoch(terminated.startTime) + SETTLED_MS - Date.now()));

  const connection = clientConnection({
    temporalAddress: instance.endpoints().temporal,
  });
  const client = new Client({ connection });
  await client.workflow.getHandle(terminated.workflowId).terminate("by hand");
  const workflowExecution = { workflowId };
  await client.workflowService.deleteWorkflowExecution({
    namespace: "default",
    workflowExecution,
  });
  await expect
    .poll(() =>
      client.workflow
        .getHandle(workflowExecution.workflowId)
        .describe()
        .then(
          () => "there",
          () => "lost",
        ),
    )
    .toBe("lost");
  await connection.close();
  await instance.kill("control");
  await instance.ready();
  const other = await closed(product, ended);
  letGo();

  const whole = await expectWhole(product, await closed(product, lost), images);
  expect(sorted(await listImages(target.host, "lost"))).toEqual(sorted(images));
  expect(imagesSentAgain(target.proxy.requests, "lost", whole)).toEqual([]);
  expect(await product.records(lost)).toHaveLength(1);
  expect(other).toMatchObject({
    status: "FAILED",
    errorReason: "the run was ended from outside: TERMINATED in Temporal",
    counts: { planned: 240, success: 120 },
  });
  expect(
    (await product.details(other.id)).filter(({ status }) => status === "RUNNING"),
  ).toEqual([]);
});
