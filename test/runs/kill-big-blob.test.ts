import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  closed,
  follow,
  sha256,
  unique,
  type Product,
} from "../rigs/runs/run-fixture.ts";
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
const SIZE = 3 * CHUNK + 1_000_000;
/** Maximum bytes that may be sent twice: unconfirmed ones in buffers when the worker dies, and small parts. */
const LOST = 16 * 2 ** 20;

let images: ImageRig;
let files: FileRig;
beforeAll(async () => {
  [images, files] = await Promise.all([startImageRig(), startFileRig()]);
});
afterAll(() => Promise.allSettled([images.end(), files.end()]));

/**
 * Lets the third and later chunks hang, so that the control plane learns which bytes of the first two are confirmed:
 * the run then reports more bytes than these.
 */
function hangThird(proxy: FaultProxy): { letGo: () => void } {
  proxy.clear();
  let seen = 0;
  proxy.fault = ({ method, path }) => {
    if (method !== "PATCH" || !path.includes("/uploads/")) return null;
    seen += 1;
    return seen >= 3 ? { kind: "hang" } : null;
  };
  return { letGo: () => void (proxy.fault = () => null) };
}

/** Waits until two chunks are confirmed. A run that does not get there is stopped: its bytes would count later. */
const untilTwoChunks = (product: Product, key: string) =>
  follow(
    product,
    key,
    ({ replicatedBytes }) => replicatedBytes > 2 * CHUNK + 1_000,
  ).catch(async (error: unknown) => {
    await product.stop(key);
    throw error;
  });
const sent = (proxy: FaultProxy) =>
  proxy.requests.reduce((sum, { bytes }) => sum + bytes, 0);

describe.concurrent(
  "a large transfer whose worker is killed",
  { timeout: 900_000 },
  () => {
    test("a big blob whose worker is killed is resumed in the middle by another worker", async ({
      skip,
    }) => {
      const { product, instance, source, target, projectId, cluster } = images;
      skip(target.kind !== "distribution", "only distribution 3 can resume an upload");
      const image = makeImage({ layers: [SIZE] });
      const name = unique("team/big-");
      await pushImage(source.url, name, "v1", image);
      const { letGo } = hangThird(target.proxy);
      const key = await product.run({
        projectId,
        type: "PACKAGE",
        objects: [
          {
            localRepoName: "images",
            repoType: "OCI",
            packageConstraints: [{ packageKey: `docker://${name}` }],
          },
        ],
        clusters: [cluster],
      });
      await untilTwoChunks(product, key).finally(letGo);
      for (const pid of instance.pids().workers) process.kill(pid, "SIGKILL");
      await expectWhole(
        product,
        await closed(product, key),
        new Map([[`${name}:v1`, image.digest]]),
      );
      expect(await missingParts(target.url, name, image)).toEqual([]);
      expect(sent(target.proxy)).toBeLessThan(SIZE + LOST);
    });

    test("a big file whose worker is killed is resumed in the middle by another worker", async () => {
      const { product, center, partner, proxy, projectId, cluster } = files;
      const name = unique("big-");
      await product.hosted(projectId, name);
      const listing = await fillRepository(product, projectId, name, [SIZE]);
      const { letGo } = hangThird(proxy);
      const key = await product.run({
        projectId,
        objects: [{ localRepoName: name, repoType: "GENERIC" }],
        clusters: [cluster],
      });
      await untilTwoChunks(product, key).finally(letGo);
      for (const pid of center.pids().workers) process.kill(pid, "SIGKILL");
      await expectWhole(product, await closed(product, key), listing);
      const [[path, digest] = ["", ""]] = [...listing];
      expect(
        sha256(
          (await partner.download(projectId, name, encodeURI(path))) ?? Buffer.alloc(0),
        ),
      ).toBe(digest);
      expect(sent(proxy)).toBeLessThan(SIZE + LOST);
    });
  },
);
