import { afterEach, beforeEach, expect, test } from "vitest";
import { closed, createGate, follow } from "../rigs/runs/run-fixture.ts";
import { expectWhole } from "../rigs/runs/run-judge.ts";
import { startImageRig, type ImageRig } from "../rigs/runs/run-rig.ts";
import { fillRegistry } from "../rigs/runs/run-sources.ts";

let rig: ImageRig;
beforeEach(async () => {
  rig = await startImageRig({ env: { TRANSFER_WORKERS: "1" } });
});
afterEach(() => rig.end());

test("an artifact that waits to be tried again is still sent when the worker dies before its batch ends", async () => {
  const { product, source, target, projectId, cluster, instance } = rig;
  const images = await fillRegistry(source.url, ["a/refused", "b/held"], 1);
  const { until, letGo } = createGate();
  let refusing = true;
  target.proxy.fault = ({ method, path }) => {
    if (refusing && path.includes("/refused/"))
      return { kind: "answer", status: 429, headers: { "retry-after": "60" } };
    return method === "PUT" && path.includes("/held/manifests/")
      ? { kind: "hold", until }
      : null;
  };
  const key = await product.run({
    projectId,
    objects: [{ localRepoName: "images", repoType: "OCI" }],
    clusters: [cluster],
  });
  const { id } = await follow(product, key, ({ counts }) => counts.planned === 2);
  await expect
    .poll(async () =>
      (await product.details(id)).map(({ errorReason }) => errorReason ?? "").join(),
    )
    .toContain("429");
  await expect.poll(() => target.proxy.count("PUT", /\/held\/manifests\//)).toBe(1);
  await instance.kill("worker");
  refusing = false;
  letGo();
  await expectWhole(product, await closed(product, key), images);
});
