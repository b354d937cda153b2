import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { createImageMemory } from "../../activities/registries/oci/copy/memory.ts";
import type { ArtifactOutcome } from "../../domain/outcome.ts";
import { copy, openEnds, type CopyOptions } from "../rigs/transfer/image-fixture.ts";
import {
  makeBlob,
  makeImage,
  makeIndex,
  makeSignature,
  missingParts,
  pushBlob,
  pushImage,
  pushManifest,
  readManifest,
  rewrite,
  type TestManifest,
} from "../rigs/servers/images.ts";
import { startProxy, type FaultProxy } from "../rigs/servers/proxy.ts";
import { startRegistry } from "../rigs/servers/registries.ts";

const source = await startRegistry("docker-registry");
const target = await startRegistry("docker-registry");
const here = await startProxy(source.url);
const there = await startProxy(target.url);

const fresh = () => openEnds(here.url, there.url);
const reasonOf = ({ result }: ArtifactOutcome) => ("reason" in result ? result.reason : "");
async function run(name: string, options: Partial<CopyOptions> = {}): Promise<ArtifactOutcome> {
  const ends = fresh();
  try {
    return await copy({ ...ends, name, ...options });
  } finally {
    await ends.close();
  }
}

/** Answers questions of that kind with `status`; a function decides by the path. */
function refuse(
  proxy: FaultProxy,
  methods: readonly string[],
  path: RegExp,
  status: number,
  when: (path: string) => boolean = () => true,
): void {
  proxy.fault = (request) =>
    methods.includes(request.method) && path.test(request.path) && when(request.path)
      ? { kind: "answer", status }
      : null;
}

const STATUSES = [401, 403, 405, 406, 410, 415, 501];

describe.skipIf(!source.available)("the copy of an image", () => {
  afterEach(() => {
    here.fault = () => null;
    there.fault = () => null;
  });
  afterAll(() => Promise.all([here.stop(), there.stop(), source.stop(), target.stop()]));

  test.each(STATUSES)(
    "asks by GET where the target answers HEAD of a manifest with %i, and a second copy finds it equal",
    async (status) => {
      const image = makeIndex([makeImage(), makeImage()]);
      const name = `head/${status}`;
      await pushImage(source.url, name, "latest", image);
      refuse(there, ["HEAD"], /\/manifests\//, status);
      expect((await run(name)).result).toEqual({ kind: "sent" });
      expect((await run(name)).result).toEqual({ kind: "same" });
      expect(await missingParts(target.url, name, image)).toEqual([]);
    },
  );

  test.each(STATUSES)(
    "looks into the list of tags where neither HEAD nor GET tells whether an absent tag is there (%i)",
    async (status) => {
      const name = `absent/${status}`;
      const image = makeImage();
      await pushImage(source.url, name, "latest", image);
      await pushImage(target.url, name, "other", makeImage());
      refuse(there, ["HEAD", "GET"], /\/manifests\/latest/, status);
      expect((await run(name)).result).toEqual({ kind: "sent" });
      expect(await missingParts(target.url, name, image)).toEqual([]);
    },
  );

  test.each(["SKIP", "FAST_FAIL", "OVERWRITE"] as const)(
    "of what nothing tells of is written under OVERWRITE only (%s)",
    async (conflictStrategy) => {
      const name = `untold/${conflictStrategy.toLowerCase().replace("_", "-")}`;
      await pushImage(source.url, name, "latest", makeImage());
      refuse(there, ["HEAD", "GET"], /\/(?:manifests|tags|blobs)\//, 403, (path) => !path.includes("/uploads/"));
      const outcome = await run(name, { rules: { conflictStrategy } });
      const writes = conflictStrategy === "OVERWRITE";
      expect(outcome.result).toMatchObject(
        writes ? { kind: "sent" } : { kind: "failed", conflict: false, stopsCluster: false },
      );
      expect(reasonOf(outcome).includes(`cannot tell whether image ${name}:latest exists at ${there.host}`)).toBe(
        !writes,
      );
      expect((await readManifest(target.url, name, "latest")) !== null).toBe(writes);
    },
  );

  test("does not ask in vain for each of many images what a target never answers", async () => {
    const tags = Array.from({ length: 20 }, (_, at) => `v${at}`);
    for (const tag of tags) await pushImage(source.url, "many", tag, makeImage());
    refuse(there, ["HEAD"], /\/(?:manifests|blobs)\//, 405);
    const ends = fresh();
    there.clear();
    for (const tag of tags) expect((await copy({ ...ends, name: "many", tag })).result).toEqual({ kind: "sent" });
    await ends.close();
    expect(there.count("HEAD", /manifests|blobs/)).toBeLessThanOrEqual(8);
    expect(there.count("GET", /tags\/list/)).toBe(1);
  });

  test.each([403, 405])(
    "sends blobs where HEAD of a blob is answered %i, and finds those that are there by GET",
    async (status) => {
      const [base, name] = [makeBlob(200_000), `blobs/${status}`];
      await pushBlob(target.url, name, base);
      const image = makeImage({ layers: [base, 100, 300_000] });
      await pushImage(source.url, name, "latest", image);
      refuse(there, ["HEAD"], /\/blobs\//, status);
      const outcome = await run(name);
      expect(outcome).toMatchObject({ result: { kind: "sent" }, parts: { blob: { success: 3, skip: 1 } } });
      expect(await missingParts(target.url, name, image)).toEqual([]);
      refuse(there, ["HEAD", "GET"], /\/blobs\/sha256/, status);
      await pushImage(source.url, name, "next", makeImage({ layers: [base] }));
      expect((await run(name, { tag: "next" })).result).toEqual({ kind: "sent" });
    },
  );

  test.each([...STATUSES, 404])(
    "takes the fallback tag where the referrers API is answered %i, also at the target",
    async (status) => {
      const name = `attached/${status}`;
      const image = makeImage();
      const signature = makeImage({ subject: image, artifactType: "application/x-signature" });
      await pushImage(source.url, name, "latest", image);
      await pushImage(source.url, name, image.digest.replace(":", "-"), listOf(signature));
      for (const proxy of [here, there]) refuse(proxy, ["GET"], /\/referrers\//, status);
      expect(await run(name)).toMatchObject({ result: { kind: "sent" }, parts: { node: { success: 2 } } });
      expect(await missingParts(target.url, name, signature)).toEqual([]);
      const list = await readManifest(target.url, name, image.digest.replace(":", "-"));
      expect(list?.bytes.toString()).toContain(signature.digest);
    },
  );

  test("goes on where the referrers API redirects to a host that cannot be reached", async () => {
    await pushImage(source.url, "redirected", "latest", makeImage());
    for (const proxy of [here, there]) {
      proxy.fault = ({ path }) =>
        path.includes("/referrers/")
          ? { kind: "answer", status: 307, headers: { location: "http://127.0.0.1:9/elsewhere" } }
          : null;
    }
    expect((await run("redirected")).result).toEqual({ kind: "sent" });
  });

  test.each(STATUSES)("goes on where the source refuses to list tags (%i)", async (status) => {
    const name = `tags/${status}`;
    const image = makeImage();
    const signature = makeSignature();
    await pushImage(source.url, name, "latest", image);
    await pushImage(source.url, name, `${image.digest.replace(":", "-")}.sig`, signature);
    refuse(here, ["GET"], /\/tags\/list/, status);
    expect((await run(name)).result).toEqual({ kind: "sent" });
    expect(await missingParts(target.url, name, signature)).toEqual([]);
  });

  test("sends a blob where its mount from another name is refused", async () => {
    const base = makeBlob(300_000);
    await pushImage(source.url, "mounts/one", "latest", makeImage({ layers: [base] }));
    await pushImage(source.url, "mounts/two", "latest", makeImage({ layers: [base] }));
    refuse(there, ["POST"], /mount=.*from=mounts/, 403, (path) => !path.includes("from=mounts%2Ftwo"));
    const ends = fresh();
    for (const name of ["mounts/one", "mounts/two"])
      expect((await copy({ ...ends, name })).result).toEqual({ kind: "sent" });
    await ends.close();
  });

  test("is not bothered by an image, or an index of images, under the tag of a list of attachments", async () => {
    const [v1, v2] = [makeImage(), makeImage()];
    const index = makeIndex([makeImage(), makeImage()]);
    const tags: [string, TestManifest][] = [
      ["v1", v1],
      [v1.digest.replace(":", "-"), v1],
      ["v2", v2],
      [v2.digest.replace(":", "-"), index],
    ];
    for (const [tag, image] of tags) await pushImage(source.url, "named", tag, image);
    for (const kind of ["sent", "same"] as const) {
      const seen = createImageMemory();
      for (const [tag, image] of tags) {
        expect((await run("named", { tag, seen })).result).toEqual({ kind });
        expect((await readManifest(target.url, "named", tag))?.bytes.equals(image.bytes)).toBe(true);
      }
    }
  });

  test("says which manifest misstates the size of which blob, after one reading, also where the target has the blob", async () => {
    for (const [size, stated] of [
      [3_000, 2_999],
      [3_000, 3_001],
      [300_000, 200_000],
      [300_000, 400_000],
    ] as const) {
      const name = `misstated/${size}-${stated}`;
      const layer = makeBlob(size);
      const sound = makeImage({ layers: [layer] });
      const image = rewrite(sound, (json) => ({ ...json, layers: [{ ...descriptorOf(layer), size: stated }] }));
      await pushImage(source.url, name, "sound", sound);
      await pushManifest(source.url, name, "latest", image);
      for (const beforehand of [false, true]) {
        if (beforehand) await pushBlob(target.url, name, layer);
        here.clear();
        const outcome = await run(name);
        expect(outcome.result).toMatchObject({ kind: "failed", conflict: false });
        expect(reasonOf(outcome)).toContain(
          `manifest ${name}@${image.digest} misstates the size of blob ${layer.digest}: says ${stated}, has ${size}`,
        );
        expect(here.count("GET", new RegExp(layer.digest))).toBe(1);
      }
      expect((await run(name, { tag: "sound" })).result).toEqual({ kind: "sent" });
    }
  });

  test("does not make one image suffer for the wrong size that another one's manifest says of their blob", async () => {
    const layer = makeBlob(200_000);
    const sound = makeImage({ layers: [layer] });
    await pushImage(source.url, "both", "sound", sound);
    await pushManifest(
      source.url,
      "both",
      "wrong",
      rewrite(sound, (json) => ({ ...json, layers: [{ ...descriptorOf(layer), size: 5 }] })),
    );
    for (const order of [
      ["wrong", "sound"],
      ["sound", "wrong"],
    ]) {
      const seen = createImageMemory();
      const kinds = await Promise.all(
        order.map(async (tag) => [tag, (await run("both", { tag, seen, targetName: `both/${order[0]}` })).result.kind]),
      );
      expect(Object.fromEntries(kinds)).toEqual({ sound: "sent", wrong: "failed" });
    }
  });

  test("finds the size of what is described without one or with -1, and takes null for a list and a config that are not there", async () => {
    const layers = [makeBlob(1_000), makeBlob(200_000)];
    const sized = makeImage({ layers });
    const unsized = layers.map((layer, at) => ({ ...descriptorOf(layer), size: at === 0 ? undefined : -1 }));
    const images: Record<string, TestManifest> = {
      unsized: rewrite(sized, (json) => ({ ...json, layers: unsized })),
      "no-layers": rewrite(sized, (json) => ({ ...json, layers: null })),
      "no-config": rewrite(sized, (json) => ({ ...json, config: null })),
      "no-manifests": rewrite(makeIndex([]), (json) => ({ ...json, manifests: null })),
    };
    for (const blob of sized.blobs) await pushBlob(source.url, "unsized", blob);
    for (const [tag, image] of Object.entries(images)) {
      // The registry refuses some of them, so a proxy shows them.
      const blobs =
        tag === "no-manifests"
          ? []
          : tag === "no-layers"
            ? sized.blobs.slice(0, 1)
            : tag === "no-config"
              ? sized.blobs.slice(1)
              : sized.blobs;
      const put: TestManifest[] = [];
      here.fault = ({ path, method }) =>
        method === "GET" && path.endsWith(`/manifests/${tag}`)
          ? { kind: "answer", status: 200, headers: { "content-type": image.mediaType }, body: image.bytes }
          : null;
      there.fault = ({ path, method }) => {
        if (method !== "PUT" || !path.includes("/manifests/")) return null;
        put.push(image);
        return { kind: "answer", status: 201, headers: { "docker-content-digest": image.digest } };
      };
      expect([tag, (await run("unsized", { tag })).result]).toEqual([tag, { kind: "sent" }]);
      expect(put).toHaveLength(1);
      for (const { digest } of blobs)
        expect((await fetch(`${target.url}/v2/unsized/blobs/${digest}`)).status).toBe(200);
    }
  });

  test("passes over entries of a list of attachments that are none", async () => {
    const image = makeImage();
    const signature = makeImage({ subject: image, artifactType: "application/x-signature" });
    await pushImage(source.url, "nulls", "latest", image);
    await pushImage(source.url, "nulls", null, signature);
    const list = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [null, 5, descriptorOf(signature), {}] }),
    );
    here.fault = ({ path, method }) => {
      if (path.endsWith("/tags/list?n=500"))
        return {
          kind: "answer",
          status: 200,
          body: JSON.stringify({ name: "nulls", tags: ["latest", image.digest.replace(":", "-")] }),
        };
      return method === "GET" && path.endsWith(image.digest.replace(":", "-"))
        ? { kind: "answer", status: 200, headers: { "content-type": OCI_INDEX }, body: list }
        : null;
    };
    expect(await run("nulls")).toMatchObject({ result: { kind: "sent" }, parts: { node: { success: 2 } } });
    expect(await missingParts(target.url, "nulls", signature)).toEqual([]);
  });

  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
  ] as const)("reads what the source answers coded as %s", async (coding, encode) => {
    const image = makeImage({ layers: [5_000, 200_000] });
    const name = `coded/${coding}`;
    await pushImage(source.url, name, "latest", image);
    here.clear();
    here.fault = ({ method }) =>
      method === "GET" ? { kind: "alter", headers: { "content-encoding": coding }, body: encode } : null;
    expect((await run(name)).result).toEqual({ kind: "sent" });
    expect(await missingParts(target.url, name, image)).toEqual([]);
    expect(here.requests.every(({ headers }) => headers["accept-encoding"] === "identity")).toBe(true);
  });

  test("takes a layer's own compression for no coding, and refuses a coding that it does not know by its name", async () => {
    const image = makeImage({ layers: [5_000, 200_000] });
    await pushImage(source.url, "labelled", "latest", image);
    const label = (coding: string) => {
      here.fault = ({ method, path }) =>
        method === "GET" && path.includes("/blobs/")
          ? { kind: "alter", headers: { "content-encoding": coding } }
          : null;
    };
    label("x-gzip");
    expect((await run("labelled")).result).toEqual({ kind: "sent" });
    expect(await missingParts(target.url, "labelled", image)).toEqual([]);
    here.fault = ({ method }) => (method === "GET" ? { kind: "alter", headers: { "content-encoding": "zstd" } } : null);
    const outcome = await run("labelled", { tag: "latest", targetName: "labelled/other" });
    expect(outcome.result.kind).toBe("failed");
    expect(reasonOf(outcome)).toContain('has the Content-Encoding "zstd"');
  });
});

/** A list of attachments, as a fallback tag names it. */
const listOf = (attached: TestManifest): TestManifest =>
  rewrite(makeIndex([attached]), (json) => ({
    ...json,
    manifests: [{ ...descriptorOf(attached), artifactType: "application/x-test" }],
  }));
const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const descriptorOf = ({ mediaType, digest, bytes }: { mediaType: string; digest: string; bytes: Buffer }) => ({
  mediaType,
  digest,
  size: bytes.length,
});
