import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { createImageMemory } from "../../activities/registries/oci/copy/memory.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import { copy, openEnds } from "../rigs/transfer/image-fixture.ts";
import { makeBlob, makeImage, makeIndex, pushImage } from "../rigs/servers/images.ts";
import { startProxy, type FaultProxy } from "../rigs/servers/proxy.ts";
import { startRegistry, type RegistryKind } from "../rigs/servers/registries.ts";

async function rigsOf(source: RegistryKind, target: RegistryKind) {
  const [from, to] = [await startRegistry(source), await startRegistry(target)];
  const available = from.available && to.available;
  return {
    source: from,
    target: to,
    available,
    here: await startProxy(from.url),
    there: await startProxy(to.url),
  };
}
type Rigs = Awaited<ReturnType<typeof rigsOf>>;

const plain = await rigsOf("docker-registry", "docker-registry");
const withReferrers = await rigsOf("gcr", "distribution");

describe.skipIf(!plain.available)(
  "requests from a registry without the referrers API",
  () => {
    const { source, here, there, ends } = prepare(plain);

    test("equal tags cost one HEAD at each end for each tag, and one list of tags for the repository", async () => {
      const name = unique("warm-");
      const tags = Array.from({ length: 10 }, (_, index) => `v${index}`);
      for (const tag of tags)
        await pushImage(
          source.url,
          name,
          tag,
          tag === "v0" ? makeIndex([makeImage()]) : makeImage(),
        );
      const copyAll = async (memory = createImageMemory()) =>
        Promise.all(tags.map((tag) => copy({ ...ends, memory, name, tag })));
      await copyAll();
      forget(here, there);
      const outcomes = await copyAll();
      expect(outcomes.map(({ result }) => result.kind)).toEqual(tags.map(() => "same"));
      expect(summary(here)).toEqual({ "HEAD manifests": 10, "GET tags": 1 });
      expect(summary(there)).toEqual({ "HEAD manifests": 10 });
    });

    test("a shared layer is requested and sent once, even if many images need it at the same time", async () => {
      const base = makeBlob(200_000);
      const name = unique("shared-");
      const tags = ["a", "b", "c", "d", "e", "f"];
      for (const tag of tags)
        await pushImage(source.url, name, tag, makeImage({ layers: [base, 100] }));
      const memory = createImageMemory();
      forget(here, there);
      const outcomes = await Promise.all(
        tags.map((tag) => copy({ ...ends, memory, name, tag })),
      );
      expect(outcomes.every(({ result }) => result.kind === "sent")).toBe(true);
      expect(here.count("GET", new RegExp(base.digest))).toBe(1);
      expect(there.count("PUT", new RegExp(encodeURIComponent(base.digest)))).toBe(1);
      expect(outcomes.map(({ parts }) => parts.blob.success).toSorted()).toEqual([
        2, 2, 2, 2, 2, 3,
      ]);
    });

    test("a layer that another repository of the target has just received is mounted and not sent again", async () => {
      const base = makeBlob(300_000);
      const [one, two] = [unique("mount/one-"), unique("mount/two-")];
      for (const name of [one, two])
        await pushImage(source.url, name, "latest", makeImage({ layers: [base] }));
      const memory = createImageMemory();
      await copy({ ...ends, memory, name: one });
      forget(here, there);
      const outcome = await copy({ ...ends, memory, name: two });
      expect(outcome).toMatchObject({
        result: { kind: "sent" },
        parts: { blob: { success: 2 } },
      });
      expect(outcome.bytesSent).toBeLessThan(2_000);
      expect(here.count("GET", new RegExp(base.digest))).toBe(0);
      expect(
        there.count("POST", new RegExp(`mount=${encodeURIComponent(base.digest)}`)),
      ).toBe(1);
    });

    test("a new small image costs no HEAD at the source and two requests per small blob at the target", async () => {
      const name = unique("cold-");
      for (const tag of ["one", "two"])
        await pushImage(source.url, name, tag, makeImage({ layers: [100, 200] }));
      const memory = createImageMemory();
      await copy({ ...ends, memory, name, tag: "one" });
      forget(here, there);
      await copy({ ...ends, memory, name, tag: "two" });
      expect(summary(here)).toEqual({ "GET manifests": 1, "GET blobs": 3 });
      expect(summary(there)).toEqual({
        "HEAD manifests": 1,
        "POST blobs": 3,
        "PUT blobs": 3,
        "PUT manifests": 1,
      });
    });

    test("an image is not read at the source if the plan knows its digest and the target has it", async () => {
      const image = makeImage();
      const name = unique("planned-");
      await pushImage(source.url, name, "latest", image);
      await copy({ ...ends, memory: createImageMemory(), name });
      const memory = createImageMemory();
      forget(here, there);
      const outcome = await copy({
        ...ends,
        memory,
        name,
        sourceDigest: image.digest,
      });
      expect(outcome.result).toEqual({ kind: "same" });
      expect(summary(here)).toEqual({ "GET tags": 1 });
    });
  },
);

describe.skipIf(!withReferrers.available)(
  "requests from a registry with the referrers API",
  () => {
    const { source, here, there, ends } = prepare(withReferrers);

    test("an equal tag costs one HEAD at each end, and one list of referrers for it and each child", async () => {
      const index = makeIndex([makeImage(), makeImage()]);
      const name = unique("warm-");
      await pushImage(source.url, name, "single", makeImage());
      await pushImage(source.url, name, "index", index);
      for (const tag of ["single", "index"])
        await copy({ ...ends, memory: createImageMemory(), name, tag });
      const memory = createImageMemory();
      forget(here, there);
      await copy({ ...ends, memory, name, tag: "single" });
      expect(summary(here)).toEqual({
        "HEAD manifests": 1,
        "GET referrers": 1,
        "GET tags": 1,
      });
      expect(summary(there)).toEqual({ "HEAD manifests": 1 });
      forget(here, there);
      await copy({ ...ends, memory, name, tag: "index" });
      expect(summary(here)).toEqual({
        "HEAD manifests": 1,
        "GET manifests": 1,
        "GET referrers": 3,
      });
      expect(summary(there)).toEqual({ "HEAD manifests": 1 });
    });
  },
);

function prepare({ source, target, here, there }: Rigs) {
  const ends = openEnds(here.url, there.url);
  beforeEach(() => forget(here, there));
  afterAll(async () => {
    await ends.close();
    await Promise.all([here.stop(), there.stop(), source.stop(), target.stop()]);
  });
  return { source, target, here, there, ends };
}

function forget(...proxies: FaultProxy[]): void {
  for (const proxy of proxies) proxy.clear();
}

/**
 * Counts requests by method and kind, without each client's first request, which finds out the kind of
 * login.
 */
function summary(proxy: FaultProxy): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { method, path } of proxy.requests) {
    const kind = /\/(manifests|blobs|referrers|tags)\//.exec(path)?.[1];
    if (kind !== undefined)
      counts[`${method} ${kind}`] = (counts[`${method} ${kind}`] ?? 0) + 1;
  }
  return counts;
}
