import { Client, Connection } from "@temporalio/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startInstance, type Instance } from "../rigs/runs/instance.ts";
import {
  closed,
  openProduct,
  unique,
  UTC,
  type Product,
} from "../rigs/runs/run-fixture.ts";

let instance: Instance;
let product: Product;
let connection: Connection;

beforeAll(async () => {
  instance = await startInstance({ env: { ...UTC, LOG_LEVEL: "warn" } });
  product = openProduct(instance);
  connection = await Connection.connect({ address: instance.endpoints().temporal });
});
afterAll(async () => {
  await connection?.close();
  await instance?.remove();
});

test("a run that is stopped in its first moments closes its own record", async () => {
  const projectId = unique("p");
  await product.project(projectId);
  await product.hosted(projectId, "files");
  await product.upload(projectId, "files", "/a", Buffer.from("a"));
  const nowhere = await product.registry("nowhere", "http://127.0.0.1:9");
  const client = new Client({ connection });
  for (let round = 0; round < 5; round += 1) {
    const key = await product.run({
      projectId,
      objects: [{ localRepoName: "files", repoType: "GENERIC" }],
      clusters: [nowhere],
    });
    const { stopped } = await product.stop(key);
    const record = await closed(product, key);
    expect(record).toMatchObject({
      status: "FAILED",
      errorReason: expect.stringMatching(stopped ? /^stopped by/ : /REMOTE/),
    });
    const { events } = await client.workflow.getHandle(record.workflowId).fetchHistory();
    const activities = (events ?? []).flatMap(
      ({ activityTaskScheduledEventAttributes: scheduled }) =>
        scheduled?.activityType?.name ?? [],
    );
    expect(activities).toContain("closeRun");
  }
});
