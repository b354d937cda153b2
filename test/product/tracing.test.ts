import { randomBytes } from "node:crypto";
import { createServer, type AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { authorizationOf, type Instance } from "../rigs/runs/instance.ts";
import {
  closed,
  createCleanup,
  type Product,
  unique,
  UTC,
} from "../rigs/runs/run-fixture.ts";
import { type FileRig, startFileRig } from "../rigs/runs/run-rig.ts";
import { type Collector, type Span, startCollector } from "../rigs/servers/collector.ts";

const cleanup = createCleanup();
let collector: Collector;
let rig: FileRig;
beforeAll(async () => {
  collector = await cleanup.keep(startCollector(), (one) => one.stop());
  // OTEL_BSP_SCHEDULE_DELAY, a setting of the SDK: how many ms spans are collected before they are sent.
  const env = {
    ...UTC,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: "100",
    OTEL_RESOURCE_ATTRIBUTES: "service.namespace=tests",
  };
  rig = await cleanup.keep(startFileRig({ env }), (one) => one.end());
});
afterAll(cleanup.all);

const NAMES = ["/a", "/b", "/c"];

async function hosted(product: Product, projectId: string): Promise<string> {
  const name = unique("files");
  await product.hosted(projectId, name);
  for (const path of NAMES)
    await product.upload(projectId, name, path, Buffer.from(path));
  return name;
}

/** Sends a POST with the admin's login and returns the request's trace id. */
async function post(
  instance: Instance,
  path: string,
  headers: Record<string, string> = {},
): Promise<string> {
  const answer = await fetch(`${instance.url}${path}`, {
    method: "POST",
    headers: { authorization: authorizationOf(instance), ...headers },
  });
  expect(answer.status).toBe(200);
  const { traceId } = (await answer.json()) as { traceId: string };
  expect(answer.headers.get("x-trace-id")).toBe(traceId);
  return traceId;
}

/** Returns the names of the spans from this one up to the root of its trace; `?` for a missing parent. */
function wayUp(spans: Span[], { name, parentSpanId }: Span): string[] {
  const parent = spans.find(({ spanId }) => spanId === parentSpanId);
  return [name, ...(parent ? wayUp(spans, parent) : parentSpanId ? ["?"] : [])];
}

const artifacts = (spans: Span[]) => spans.filter(({ name }) => name === "artifact");
const isWhole = (spans: Span[]) =>
  artifacts(spans).length >= NAMES.length &&
  spans.every((span) => !wayUp(spans, span).includes("?"));
async function untilWhole(spansOf: () => Span[]): Promise<Span[]> {
  await expect.poll(spansOf).toSatisfy(isWhole);
  return spansOf();
}

test("one trace leads from the API call through Temporal to each artifact", async () => {
  const { product, center, projectId, cluster } = rig;
  const localRepoName = await hosted(product, projectId);
  const key = await product.run({
    projectId,
    objects: [{ localRepoName, repoType: "GENERIC" }],
    clusters: [cluster],
    setting: {
      executionPlan: { executeImmediately: false, cronExpression: "0 0 0 1 1 ?" },
    },
  });
  const caller = {
    traceId: randomBytes(16).toString("hex"),
    spanId: randomBytes(8).toString("hex"),
  };
  const traceId = await post(center, `/replication/api/task/execute/${key}`, {
    traceparent: `00-${caller.traceId}-${caller.spanId}-01`,
  });
  expect(traceId).toBe(caller.traceId);
  const { id: recordId } = await closed(product, key);
  // The span of the API's caller, which the caller would send to the collector itself.
  const above: Span = {
    traceId,
    spanId: caller.spanId,
    name: "caller",
    startTimeUnixNano: "",
    endTimeUnixNano: "",
    status: {},
    attributes: {},
    role: "",
  };
  const spans = await untilWhole(() => [above, ...collector.of(traceId)]);
  for (const artifact of artifacts(spans)) {
    expect(wayUp(spans, artifact)).toEqual([
      "artifact",
      "transferBatch",
      "targetRun",
      "taskRun",
      "POST /replication/api/task/execute/:key",
      "caller",
    ]);
    expect(artifact).toMatchObject({
      role: "transfer",
      status: { code: 0 },
      attributes: {
        "replication.record_id": recordId,
        "replication.cluster_id": cluster,
        "replication.repository": localRepoName,
        "replication.result": "sent",
      },
    });
    expect(Number(artifact.endTimeUnixNano)).toBeGreaterThanOrEqual(
      Number(artifact.startTimeUnixNano),
    );
  }
  expect(
    artifacts(spans)
      .map(({ attributes }) => attributes["replication.artifact"])
      .sort(),
  ).toEqual(NAMES);
  expect(spans.find(({ name }) => name === "taskRun")).toMatchObject({
    role: "orchestrator",
    attributes: {
      "temporal.workflow_id": expect.stringMatching(
        new RegExp(`^repl/.*/${key}/${recordId}$`),
      ),
    },
  });
  expect(spans.filter(({ role }) => role === "control").length).toBeGreaterThan(2);
});

test("a REAL_TIME upload has its own trace, and the span of a failed artifact has the reason", async () => {
  const { product, partner, projectId, cluster } = rig;
  const localRepoName = unique("files");
  await product.hosted(projectId, localRepoName);
  await partner.project(projectId).catch(() => undefined);
  await partner.hosted(projectId, localRepoName);
  for (const path of NAMES)
    await partner.upload(projectId, localRepoName, path, Buffer.from("another"));
  await product.run({
    projectId,
    objects: [{ localRepoName, repoType: "GENERIC" }],
    clusters: [cluster],
    replicaType: "REAL_TIME",
    setting: { conflictStrategy: "FAST_FAIL" },
  });
  for (const path of NAMES)
    await product.upload(projectId, localRepoName, path, Buffer.from(path));
  const mine = () =>
    artifacts(collector.spans).filter(
      ({ attributes }) => attributes["replication.repository"] === localRepoName,
    );
  await expect.poll(mine).not.toEqual([]);
  const [artifact] = mine();
  expect(artifact).toMatchObject({
    status: { code: 2, message: expect.stringContaining("FAST_FAIL") },
    attributes: { "replication.result": "failed" },
  });
});

test("an unreachable trace collector is logged at most once a minute and does not disturb a run", async () => {
  const gone = createServer();
  await new Promise<void>((resolve) => {
    gone.listen(0, "127.0.0.1", resolve);
  });
  const { port } = gone.address() as AddressInfo;
  await new Promise((resolve) => gone.close(resolve));
  const alone = await startFileRig({
    env: {
      ...UTC,
      LOG_LEVEL: "warn",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_BSP_SCHEDULE_DELAY: "100",
    },
  });
  try {
    const localRepoName = await hosted(alone.product, alone.projectId);
    const key = await alone.product.run({
      projectId: alone.projectId,
      objects: [{ localRepoName, repoType: "GENERIC" }],
      clusters: [alone.cluster],
    });
    expect(await closed(alone.product, key)).toMatchObject({ status: "SUCCESS" });
    const told = () =>
      alone.center
        .output()
        .split("\n")
        .filter(
          (line) => line.includes("traces cannot be sent") && line.includes('"control"'),
        );
    await expect.poll(told).not.toEqual([]);
    expect(await alone.center.stop("SIGTERM")).toBe("0");
    const times = told().map((line) => (JSON.parse(line) as { time: number }).time);
    for (const [at, time] of times.slice(1).entries())
      expect(time - (times[at] ?? 0)).toBeGreaterThanOrEqual(59_000);
  } finally {
    await alone.end();
  }
});
