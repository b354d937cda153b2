import { afterAll, afterEach, describe, expect, test } from "vitest";
import { createImageMemory } from "../../activities/registries/oci/copy/memory.ts";
import { OCI_INDEX } from "../../domain/image/media-types.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import {
  makeBlob,
  makeImage,
  makeIndex,
  missingParts,
  pushBlob,
  pushImage,
  pushManifest,
  readManifest,
  rewrite,
  type TestManifest,
} from "../rigs/servers/images.ts";
import { descriptorOf, reasonOf, startProxied } from "./proxied.ts";

const { source, target, here, there, run, heal, stop } = await startProxied();

describe.skipIf(!source.available)("the copy of an image", () => {
  afterEach(heal);
  afterAll(stop);

  test("an image is copied even if the tag that should list its attachments names an ordinary image", async () => {
    const name = unique("named-");
    const [v1, v2] = [makeImage(), makeImage()];
    const index = makeIndex([makeImage(), makeImage()]);
    const tags: [string, TestManifest][] = [
      ["v1", v1],
      [v1.digest.replace(":", "-"), v1],
      ["v2", v2],
      [v2.digest.replace(":", "-"), index],
    ];
    for (const [tag, image] of tags) await pushImage(source.url, name, tag, image);
    for (const kind of ["sent", "same"] as const) {
      const memory = createImageMemory();
      for (const [tag, image] of tags) {
        expect((await run(name, { tag, memory })).result).toEqual({ kind });
        expect(
          (await readManifest(target.url, name, tag))?.bytes.equals(image.bytes),
        ).toBe(true);
      }
    }
  });

  test("a wrong blob size fails an image copy after one read, and the reason names manifest and blob", async () => {
    for (const [size, stated] of [
      [3_000, 2_999],
      [3_000, 3_001],
      [300_000, 200_000],
      [300_000, 400_000],
    ] as const) {
      const name = unique(`misstated/${size}-${stated}-`);
      const layer = makeBlob(size);
      const sound = makeImage({ layers: [layer] });
      const image = rewrite(sound, (json) => ({
        ...json,
        layers: [{ ...descriptorOf(layer), size: stated }],
      }));
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

  test("an index that misstates the sizes of its children is copied, and counts with their true sizes", async () => {
    const name = unique("misstated/index-");
    const children = [makeImage(), makeImage(), makeImage()];
    const index = rewrite(makeIndex(children), (json) => ({
      ...json,
      manifests: (json["manifests"] as object[]).map((child) => ({
        ...child,
        size: Number.MAX_SAFE_INTEGER,
      })),
    }));
    await pushImage(source.url, name, "latest", index);
    const blobs = new Map(
      children.flatMap((child) => child.blobs.map((blob) => [blob.digest, blob])),
    );
    const parts = [index, ...children, ...blobs.values()];
    expect(await run(name)).toMatchObject({
      result: { kind: "sent" },
      size: parts.reduce((sum, { bytes }) => sum + bytes.length, 0),
    });
    expect(await missingParts(target.url, name, index)).toEqual([]);
  });

  test("an image is copied even if another image's manifest misstates the size of a shared blob", async () => {
    const layer = makeBlob(200_000);
    const sound = makeImage({ layers: [layer] });
    const name = unique("both-");
    await pushImage(source.url, name, "sound", sound);
    await pushManifest(
      source.url,
      name,
      "wrong",
      rewrite(sound, (json) => ({
        ...json,
        layers: [{ ...descriptorOf(layer), size: 5 }],
      })),
    );
    for (const order of [
      ["wrong", "sound"],
      ["sound", "wrong"],
    ]) {
      const memory = createImageMemory();
      const kinds = await Promise.all(
        order.map(async (tag) => [
          tag,
          (await run(name, { tag, memory, targetName: `${name}/${order[0]}` })).result
            .kind,
        ]),
      );
      expect(Object.fromEntries(kinds)).toEqual({ sound: "sent", wrong: "failed" });
    }
  });

  test("an image is copied even if blob sizes are missing or negative, or a list or the config is null", async () => {
    const layers = [makeBlob(1_000), makeBlob(200_000)];
    const sized = makeImage({ layers });
    const unsized = layers.map((layer, at) => ({
      ...descriptorOf(layer),
      size: at === 0 ? undefined : -1,
    }));
    const images: Record<string, TestManifest> = {
      unsized: rewrite(sized, (json) => ({ ...json, layers: unsized })),
      "no-layers": rewrite(sized, (json) => ({ ...json, layers: null })),
      "no-config": rewrite(sized, (json) => ({ ...json, config: null })),
      "no-manifests": rewrite(makeIndex([]), (json) => ({ ...json, manifests: null })),
    };
    for (const blob of sized.blobs) await pushBlob(source.url, "unsized", blob);
    for (const [tag, image] of Object.entries(images)) {
      // The registry refuses some of these manifests, so a proxy serves them.
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
          ? {
              kind: "answer",
              status: 200,
              headers: { "content-type": image.mediaType },
              body: image.bytes,
            }
          : null;
      there.fault = ({ path, method }) => {
        if (method !== "PUT" || !path.includes("/manifests/")) return null;
        put.push(image);
        return {
          kind: "answer",
          status: 201,
          headers: { "docker-content-digest": image.digest },
        };
      };
      expect([tag, (await run("unsized", { tag })).result]).toEqual([
        tag,
        { kind: "sent" },
      ]);
      expect(put).toHaveLength(1);
      for (const { digest } of blobs)
        expect((await fetch(`${target.url}/v2/unsized/blobs/${digest}`)).status).toBe(
          200,
        );
    }
  });

  test("an image copy ignores invalid entries of a list of attachments", async () => {
    const image = makeImage();
    const signature = makeImage({
      subject: image,
      artifactType: "application/x-signature",
    });
    const name = unique("nulls-");
    await pushImage(source.url, name, "latest", image);
    await pushImage(source.url, name, null, signature);
    const list = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [null, 5, descriptorOf(signature), {}],
      }),
    );
    here.fault = ({ path, method }) => {
      if (path.endsWith("/tags/list?n=500"))
        return {
          kind: "answer",
          status: 200,
          body: JSON.stringify({
            name,
            tags: ["latest", image.digest.replace(":", "-")],
          }),
        };
      return method === "GET" && path.endsWith(image.digest.replace(":", "-"))
        ? {
            kind: "answer",
            status: 200,
            headers: { "content-type": OCI_INDEX },
            body: list,
          }
        : null;
    };
    expect(await run(name)).toMatchObject({
      result: { kind: "sent" },
      parts: { node: { success: 2 } },
    });
    expect(await missingParts(target.url, name, signature)).toEqual([]);
  });
});
