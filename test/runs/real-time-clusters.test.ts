import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { openDb } from "../../db/open.ts";
import {
  following,
  recordOf,
  startRealTimeRig,
  type RealTimeRig,
} from "../rigs/runs/real-time-rig.ts";
import { until } from "../rigs/runs/run-fixture.ts";

let rig: RealTimeRig;
beforeAll(async () => {
  rig = await startRealTimeRig();
});
afterEach(() => rig.passAll());
afterAll(() => rig.end());

test("a cluster that is a million uploads behind receives all files of the task and later uploads", async () => {
  const { center, product, one } = rig;
  const { key, upload, arrival, records } = await following(rig);
  await product.toggle(key);
  const files: [string, Buffer][] = ["/a", "/deep/b", "/c"].map((path) => [
    path,
    randomBytes(2_000),
  ]);
  for (const [path, bytes] of files) await upload(path, bytes);
  await center.stop();
  const db = openDb(join(center.dataDir, "replication.db"));
  db.run(sql`UPDATE sqlite_sequence SET seq = seq + 1000001 WHERE name = 'event'`);
  db.run(sql`DELETE FROM event`);
  db.$client.close();
  await center.restart();
  await product.toggle(key);
  for (const [path, bytes] of files) await arrival(one, path, bytes);
  const record = await recordOf(
    records,
    ({ status }) => status === "SUCCESS",
    "the full plan is done",
  );
  expect(record.replicaOverview).toMatchObject({ planned: 3, success: 3 });
  const later = randomBytes(100);
  await upload("/later", later);
  await arrival(one, "/later", later);
});

test("a cluster that is down for over a minute delays no other, says so in its records and loses nothing", async () => {
  const { one, two } = rig;
  const { upload, arrival, records, repo } = await following(rig, {
    clusters: [one.cluster, two.cluster],
  });
  // The proxy resets connections instead of stopping the instance, which would free its port for
  // another test's server.
  two.proxy.fault = () => ({ kind: "reset" });
  const files: [string, Buffer][] = [];
  const send = async () => {
    const bytes = randomBytes(3_000);
    const path = `/f${files.length}`;
    await upload(path, bytes);
    files.push([path, bytes]);
    return arrival(one, path, bytes);
  };
  const times: number[] = [];
  const failed = async () =>
    (await records()).filter(({ status }) => status === "FAILED");
  const begun = Date.now();
  while ((await failed()).length < 1) {
    times.push(await send());
    if (Date.now() - begun > 400_000) throw new Error("no drain has failed");
    await sleep(4_000);
  }
  console.log(
    `real time: while another cluster is down: ${times.join(", ")} ms; ` +
      `the first drain failed after ${Date.now() - begun} ms`,
  );
  expect((await failed())[0]?.errorReason).toMatch(
    /^the cluster took nothing for \d+ s: /,
  );
  await send();
  two.proxy.fault = () => null;
  for (const [path, bytes] of files) await arrival(two, path, bytes);
  await until(`all drains of ${repo} are over`, async () =>
    (await records()).every(({ status }) => status !== "RUNNING"),
  );
  expect((await records())[0]).toMatchObject({ status: "SUCCESS" });
}, 900_000);
