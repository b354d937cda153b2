import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Instance, startInstance } from "../rigs/runs/instance.ts";
import {
  openProduct,
  patiently,
  type Product,
  unique,
  UTC,
} from "../rigs/runs/run-fixture.ts";
import { until } from "../rigs/runs/schedule-fixture.ts";

let instance: Instance;
let product: Product;
let clusterId: string;

beforeAll(async () => {
  instance = await startInstance({ embedded: true, env: UTC });
  product = openProduct(instance);
  await product.project("shop");
  await product.hosted("shop", "files");
  await product.upload("shop", "files", "/a.bin", randomBytes(1000));
  clusterId = await product.partner("itself", instance);
});
afterAll(() => instance.remove());

const run = (target: string, setting: object) =>
  product.run({
    projectId: "shop",
    objects: [
      {
        localRepoName: "files",
        repoType: "GENERIC",
        remoteProjectId: "shop",
        remoteRepoName: target,
      },
    ],
    clusters: [clusterId],
    setting: { ...setting },
  });
const cron = (cronExpression: string) => ({
  executionStrategy: "CRON_EXPRESSION",
  executionPlan: { cronExpression, executeImmediately: false },
});
const at = (time: number) => ({
  executionStrategy: "SPECIFIED_TIME",
  executionPlan: { executeTime: new Date(time).toISOString(), executeImmediately: false },
});
const successes = (key: string) =>
  patiently(
    async () =>
      (await product.records(key)).filter(({ status }) => status === "SUCCESS").length,
  );

test("schedules go on after kills of Temporal, the control plane and the whole instance, and miss no run", async () => {
  await instance.ready();
  const target = unique("often");
  const often = await run(target, cron("0/2 * * * * ?"));
  await until("two runs", async () => (await successes(often)) >= 2);
  expect(await product.download("shop", target, "/a.bin")).toHaveLength(1000);

  for (const name of ["temporal", "control"] as const) {
    await instance.kill(name);
    await instance.ready();
    const before = await successes(often);
    await until("further runs", async () => (await successes(often)) >= before + 2);
  }

  const due = Date.now() + 30_000;
  const date = new Date(due);
  const clock = `${date.getUTCSeconds()} ${date.getUTCMinutes()} ${date.getUTCHours()}`;
  const expression = `${clock} ${date.getUTCDate()} ${date.getUTCMonth() + 1} ? *`;
  const [once, yearly] = [
    await run(unique("once"), at(due)),
    await run(unique("yearly"), cron(expression)),
  ];
  expect(Date.now(), "the tasks were created in time").toBeLessThan(due - 1_000);
  await instance.stop("SIGKILL");
  await until("the due time", () => Date.now() > due + 2_000);
  await instance.restart();
  for (const key of [once, yearly]) {
    await until("one run", async () => (await successes(key)) === 1);
    expect(await product.task(key)).toMatchObject({
      executionTimes: 1,
      skippedTimes: 0,
      lastExecutionStatus: "SUCCESS",
    });
  }
  expect(await product.task(once)).toMatchObject({
    status: "COMPLETED",
    nextExecutionTime: null,
  });
  expect((await product.task(yearly)).nextExecutionTime?.slice(0, 4)).toBe(
    String(date.getUTCFullYear() + 1),
  );
  const before = await successes(often);
  await until("the cron to go on", async () => (await successes(often)) >= before + 2);
  await product.remove(often);
  expect(await product.records(often).catch(() => [])).toEqual([]);
});
