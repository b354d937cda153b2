import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { authorizationOf, startInstance } from "../rigs/runs/instance.ts";
import { createFiller } from "../rigs/api/packages-fixture.ts";
import {
  closed,
  createCleanup,
  follow,
  openProduct,
  patiently,
  unique,
  UTC,
} from "../rigs/runs/run-fixture.ts";
import { expectWhole } from "../rigs/runs/run-judge.ts";
import { each, type Listing } from "../rigs/runs/run-sources.ts";
import {
  makeBlob,
  makeImage,
  missingParts,
  type TestManifest,
} from "../rigs/servers/images.ts";

const cleanup = createCleanup();
afterAll(cleanup.all);

const IMAGES = 120;

test("all hosted images arrive at another instance although workers and control planes are killed", async () => {
  const start = (env: Record<string, string>) =>
    cleanup.keep(startInstance({ env: { ...UTC, LOG_LEVEL: "warn", ...env } }), (one) =>
      one.remove(),
    );
  const [center, edge] = await Promise.all([
    start({ TRANSFER_WORKERS: "2" }),
    start({ LOCAL_CLUSTER_NAME: "edge", TRANSFER_WORKERS: "1" }),
  ]);
  const product = openProduct(center);
  const projectId = unique("p");
  await product.project(projectId);
  await product.hosted(projectId, "images", "OCI");
  const fill = createFiller({ url: center.url, authorization: authorizationOf(center) });
  const base = makeBlob(200_000);
  const images = new Map<string, TestManifest>();
  const listing: Listing = new Map();
  await each(
    Array.from({ length: IMAGES }, (_, at) => at),
    8,
    async (at) => {
      const [name, tag] = [`team/app-${at % 6}`, `v${at}`];
      const image = await fill.push(
        `${projectId}/images`,
        name,
        tag,
        makeImage({ layers: [base, 50_000, 1_000] }),
      );
      images.set(`${name}:${tag}`, image);
      listing.set(`${name}:${tag}`, image.digest);
    },
  );
  const cluster = await product.partner("edge", edge);
  const key = await product.run({
    projectId,
    objects: [{ localRepoName: "images", repoType: "OCI" }],
    clusters: [cluster],
  });
  await follow(product, key, ({ counts }) => counts.success > 10);
  await center.kill("worker");
  await follow(product, key, ({ counts }) => counts.success > 30);
  await center.kill("control");
  await patiently(() => product.records(key));
  await follow(product, key, ({ counts }) => counts.success > 60);
  await edge.kill("control");
  await sleep(500);
  const record = await closed(product, key);
  await expectWhole(product, record, listing);
  await each([...images], 4, async ([image, content]) => {
    const [name = ""] = image.split(":");
    expect(
      await patiently(() =>
        missingParts(edge.url, `${projectId}/images/${name}`, content, {
          authorization: authorizationOf(edge),
        }),
      ),
    ).toEqual([]);
  });
});
