import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { closed, unique } from "../rigs/runs/run-fixture.ts";
import { handedOut } from "../rigs/runs/run-histories.ts";
import { expectWhole } from "../rigs/runs/run-judge.ts";
import {
  startFileRig,
  startImageRig,
  type FileRig,
  type ImageRig,
} from "../rigs/runs/run-rig.ts";
import { fillRepository } from "../rigs/runs/run-sources.ts";
import { makeImage, missingParts, pushImage } from "../rigs/servers/images.ts";
import type { FaultProxy } from "../rigs/servers/proxy.ts";

const CHUNK = 64 * 2 ** 20;
const MANY = 120;
/**
 * Delay of each request: longer than a time slice, so that each batch's time is over after its first
 * requests.
 */
const LATENCY = { kind: "latency", ms: 1_500 } as const;

let images: ImageRig;
let files: FileRig;
beforeAll(async () => {
  const env = { BATCH_SLICE: "1s" };
  [images, files] = await Promise.all([startImageRig({ env }), startFileRig({ env })]);
});
afterAll(() => Promise.allSettled([images.end(), files.end()]));
afterEach(() => {
  files.proxy.fault = () => null;
  images.target.proxy.fault = () => null;
});

const sent = (proxy: FaultProxy) =>
  proxy.requests.reduce((sum, { bytes }) => sum + bytes, 0);

/** Returns the task queue of each batch of a run, once for each time that the batch was handed out. */
const queuesOf = async (temporal: string, workflowId: string): Promise<string[]> =>
  (await handedOut(temporal, workflowId)).map(({ queue }) => queue);

test("a big file stops after a chunk when its batch's time slice is over, and goes on in the next batch", async () => {
  const { product, center, proxy, projectId, cluster } = files;
  const size = 3 * CHUNK + 1_000;
  const big = unique("big");
  await product.hosted(projectId, big);
  const listing = await fillRepository(product, projectId, big, [size]);
  proxy.clear();
  proxy.fault = ({ method }) => (method === "PATCH" ? LATENCY : null);
  const key = await product.run({
    projectId,
    objects: [{ localRepoName: big, repoType: "GENERIC" }],
    clusters: [cluster],
  });
  const record = await closed(product, key);
  await expectWhole(product, record, listing);
  expect(
    (await queuesOf(center.endpoints().temporal, record.workflowId)).length,
  ).toBeGreaterThan(2);
  expect(sent(proxy)).toBeLessThan(size + CHUNK / 4);
});

test("many files to a slow cluster are sent once each, although several batches run out of time", async () => {
  const { product, center, proxy, projectId, cluster } = files;
  const many = unique("many");
  await product.hosted(projectId, many);
  const listing = await fillRepository(
    product,
    projectId,
    many,
    Array.from({ length: MANY }, (_, at) => 20_000 + at),
  );
  proxy.fault = ({ path }) => (path.includes("/sync/v1/files/") ? LATENCY : null);
  const key = await product.run({
    projectId,
    objects: [{ localRepoName: many, repoType: "GENERIC" }],
    clusters: [cluster],
  });
  const record = await closed(product, key);
  await expectWhole(product, record, listing);
  expect(record.counts).toMatchObject({ skip: 0 });
  expect(
    new Set(await queuesOf(center.endpoints().temporal, record.workflowId)).size,
  ).toBe(1);
});

test("an image with a large blob that its registry takes only in one request gets a slot for such images", async () => {
  const { product, instance, source, target, projectId, cluster } = images;
  const image = makeImage({ layers: [CHUNK + 1_000_000, 1_000] });
  const name = unique("team/whole-");
  await pushImage(source.url, name, "v1", image);
  target.proxy.fault = ({ method }) =>
    method === "PATCH" && target.proxy.count("PATCH", new RegExp(name)) > 1
      ? { kind: "answer", status: 416 }
      : null;
  const packageConstraints = [{ packageKey: `docker://${name}` }];
  const key = await product.run({
    projectId,
    type: "PACKAGE",
    objects: [{ localRepoName: "images", repoType: "OCI", packageConstraints }],
    clusters: [cluster],
  });
  const record = await closed(product, key);
  await expectWhole(product, record, new Map([[`${name}:v1`, image.digest]]));
  expect(await missingParts(target.url, name, image)).toEqual([]);
  expect(
    (await queuesOf(instance.endpoints().temporal, record.workflowId)).filter((queue) =>
      queue.endsWith("-whole"),
    ),
  ).toHaveLength(1);
});
