import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCleanup, follow, unique } from "../rigs/runs/run-fixture.ts";
import { readHistories } from "../rigs/runs/run-histories.ts";
import { fillRegistry } from "../rigs/runs/run-sources.ts";
import {
  isSending,
  startUnluckyFileRig,
  type UnluckyFileRig,
} from "../rigs/runs/unlucky-file-rig.ts";
import { startUnluckyRig, type UnluckyRig } from "../rigs/runs/unlucky-rig.ts";
import { freePort } from "../rigs/servers/process.ts";
import { startProxy, type Fault } from "../rigs/servers/proxy.ts";

let instances: UnluckyFileRig;
let registries: UnluckyRig;
const cleanup = createCleanup();
beforeAll(async () => {
  [instances, registries] = await Promise.all([
    cleanup.keep(startUnluckyFileRig({ LOG_LEVEL: "info" }), (one) => one.end()),
    cleanup.keep(startUnluckyRig({ LOG_LEVEL: "info" }), (one) => one.end()),
  ]);
});
afterAll(cleanup.all);

const linesOf = (output: string, recordId: string, part: string) =>
  output
    .split("\n")
    .filter((line) => line.includes(recordId) && line.includes(part))
    .map((line) => (JSON.parse(line) as { msg: string }).msg);

/** The summaries of all activities and timers that a run and its children have begun. */
async function summariesOf(address: string, workflowId: string): Promise<string[]> {
  const histories = [...(await readHistories(address, workflowId)).values()];
  return histories.flatMap(({ events }) =>
    (events ?? []).flatMap(({ userMetadata }) => {
      const data = userMetadata?.summary?.data;
      return data ? [JSON.parse(Buffer.from(data).toString()) as string] : [];
    }),
  );
}

describe.concurrent("a run says what it waits for", () => {
  test("a linked registry that is down is named in the record, the log and Temporal while a run waits", async () => {
    const { product, projectId, cluster, source, instance } = registries;
    const name = unique("down");
    await fillRegistry(source.url, [`${name}/app`], 1);
    const port = await freePort();
    await product.linked(projectId, name, `http://127.0.0.1:${port}`);
    const key = await product.run({
      projectId,
      type: "PACKAGE",
      objects: [
        {
          localRepoName: name,
          repoType: "OCI",
          packageConstraints: [{ packageKey: `docker://${name}/app` }],
        },
      ],
      clusters: [cluster],
    });
    const reason = new RegExp(
      `${projectId}/${name} cannot be listed: .*127.0.0.1:${port}.*ECONNREFUSED.*is the server running`,
    );
    const waiting = await follow(product, key, ({ waitingFor }) =>
      reason.test(waitingFor ?? ""),
    );
    expect(waiting).toMatchObject({ status: "RUNNING", errorReason: null });
    expect(waiting.waitingFor).toMatch(
      /Tried .* since 2.*T.*; (the next try is at|a try is)/,
    );
    await expect
      .poll(() => linesOf(instance.output(), waiting.id, "a run waits:"))
      .toHaveLength(1);
    await expect
      .poll(() => summariesOf(instance.endpoints().temporal, waiting.workflowId))
      .toContainEqual(expect.stringMatching(/list object 1 again at .*ECONNREFUSED/));

    const registry = await startProxy(source.url, { port });
    const ended = await registries.ended(key);
    await registry.stop();
    expect(ended).toMatchObject({ status: "SUCCESS", waitingFor: null });
    await expect
      .poll(() => linesOf(instance.output(), waiting.id, "a run no longer waits"))
      .toHaveLength(1);
    expect(linesOf(instance.output(), waiting.id, "a run waits:")).toEqual([
      expect.stringMatching(reason),
    ]);
  });

  test("a wait is said in Chinese to a client that prefers it", async () => {
    const { product, projectId, instance } = registries;
    const name = unique("chinese");
    await product.linked(projectId, name, `http://127.0.0.1:${await freePort()}`);
    const key = await product.run({
      projectId,
      objects: [{ localRepoName: name, repoType: "OCI" }],
      clusters: [registries.cluster],
    });
    await follow(
      product,
      key,
      ({ waitingFor }) => waitingFor?.includes("Tried") === true,
    );
    const answer = await fetch(
      `${instance.url}/replication/api/task/record/list/${key}`,
      {
        headers: {
          authorization: `Basic ${btoa(`${instance.username}:${instance.password}`)}`,
          "accept-language": "zh-CN",
        },
      },
    );
    expect(await answer.text()).toMatch(/"waitingFor":"[^"]*起已尝试 \d+ 次/);
    await product.stop(key);
  });

  test("artifacts that are tried again are counted, with their cluster, the reason and the next time", async () => {
    const { product, center } = instances;
    const place = await instances.place("away", [10, 20, 30]);
    place.proxy.fault = () => ({ kind: "answer", status: 503 });
    const key = await instances.start(place);
    const waiting = await follow(
      product,
      key,
      ({ waitingFor }) => waitingFor?.startsWith("3 artifacts are tried again") === true,
    );
    expect(waiting.waitingFor).toContain(`at ${place.name} since`);
    expect(waiting.waitingFor).toMatch(/answered 503/);
    await expect
      .poll(() => summariesOf(center.endpoints().temporal, waiting.workflowId))
      .toContainEqual(expect.stringMatching(/try again at .*answered 503/));
    place.proxy.fault = () => null;
    expect(await instances.ended(key)).toMatchObject({
      status: "SUCCESS",
      waitingFor: null,
    });
    await expect
      .poll(() => linesOf(center.output(), waiting.id, "a run no longer waits"))
      .toHaveLength(1);
    expect(linesOf(center.output(), waiting.id, "a run waits:")).toHaveLength(1);
    await place.end();
  });
});

/** Faults of a target that does nothing of what it is asked. */
const FAULTS = [
  ["resets every connection", { kind: "reset" }],
  ["answers everything with 503", { kind: "answer", status: 503 }],
  ["answers everything with 429", { kind: "answer", status: 429 }],
] satisfies [string, Fault][];

describe.concurrent("tries that never reached the target have sent nothing", () => {
  test("files that were there before are skipped when a target comes back that refused every connection", async () => {
    const place = await instances.place("refused");
    await place.end();
    await instances.ended(await instances.start({ ...place, cluster: await direct() }));
    const port = await freePort();
    const cluster = await instances.product.partner(
      unique("refusing"),
      instances.edge,
      `http://127.0.0.1:${port}`,
    );
    const key = await instances.start({ ...place, cluster });
    await follow(
      instances.product,
      key,
      ({ waitingFor }) => waitingFor?.includes("ECONNREFUSED") === true,
    );
    const proxy = await startProxy(instances.edge.url, { port });
    const { counts } = await instances.ended(key);
    await proxy.stop();
    expect(counts).toMatchObject({ success: 4, skip: 4, fileSuccess: 0, failed: 0 });
  });

  const direct = () => instances.product.partner(unique("direct"), instances.edge);

  test.each(FAULTS)(
    "files that were there before are skipped after a target that %s",
    async (_, fault) => {
      const place = await instances.place("there");
      await instances.ended(await instances.start(place));
      place.proxy.fault = () => fault;
      const key = await instances.start(place);
      await follow(instances.product, key, ({ waitingFor }) =>
        /tried again at/.test(waitingFor ?? ""),
      );
      place.proxy.fault = () => null;
      const { counts } = await instances.ended(key);
      expect(counts).toMatchObject({ success: 4, skip: 4, fileSuccess: 0, failed: 0 });
      await place.end();
    },
  );

  test.each(FAULTS)(
    "images that were there before are skipped after a registry that %s",
    async (_, fault) => {
      const name = unique("there");
      const { key: first } = await registries.begin(name);
      await registries.ended(first);
      registries.luck.set(name, () => fault);
      const key = await registries.start(name, [`${name}/app`]);
      await follow(registries.product, key, ({ waitingFor }) =>
        /tried again at/.test(waitingFor ?? ""),
      );
      registries.luck.delete(name);
      const { counts } = await registries.ended(key);
      expect(counts).toMatchObject({ success: 3, skip: 3, fileSuccess: 0, failed: 0 });
    },
  );

  test("files that a target wrote before it lost its answers count as sent", async () => {
    const place = await instances.place("lost");
    let lost = 0;
    place.proxy.fault = (request) =>
      isSending(request) && (lost += 1) <= 3 ? { kind: "loseAnswer" } : null;
    const { counts } = await instances.ended(await instances.start(place));
    expect(counts).toMatchObject({ success: 4, skip: 0, failed: 0 });
    await place.end();
  });
});
