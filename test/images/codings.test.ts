import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { unique } from "../rigs/runs/run-fixture.ts";
import { makeImage, missingParts, pushImage } from "../rigs/servers/images.ts";
import { reasonOf, startProxied } from "./proxied.ts";

const { source, target, here, run, heal, stop } = await startProxied();

describe.skipIf(!source.available)("the copy of an image", () => {
  afterEach(heal);
  afterAll(stop);

  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
  ] as const)(
    "an image copy decodes answers of the source with the content coding %s",
    async (coding, encode) => {
      const image = makeImage({ layers: [5_000, 200_000] });
      const name = unique(`coded/${coding}-`);
      await pushImage(source.url, name, "latest", image);
      here.clear();
      here.fault = ({ method }) =>
        method === "GET"
          ? { kind: "alter", headers: { "content-encoding": coding }, body: encode }
          : null;
      expect((await run(name)).result).toEqual({ kind: "sent" });
      expect(await missingParts(target.url, name, image)).toEqual([]);
      expect(
        here.requests.every(({ headers }) => headers["accept-encoding"] === "identity"),
      ).toBe(true);
    },
  );

  test("an image copy keeps a layer's own compression, and its error names an unknown content coding", async () => {
    const image = makeImage({ layers: [5_000, 200_000] });
    const name = unique("labelled-");
    await pushImage(source.url, name, "latest", image);
    const label = (coding: string) => {
      here.fault = ({ method, path }) =>
        method === "GET" && path.includes("/blobs/")
          ? { kind: "alter", headers: { "content-encoding": coding } }
          : null;
    };
    label("x-gzip");
    expect((await run(name)).result).toEqual({ kind: "sent" });
    expect(await missingParts(target.url, name, image)).toEqual([]);
    here.fault = ({ method }) =>
      method === "GET"
        ? { kind: "alter", headers: { "content-encoding": "zstd" } }
        : null;
    const outcome = await run(name, { tag: "latest", targetName: `${name}/other` });
    expect(outcome.result.kind).toBe("failed");
    expect(reasonOf(outcome)).toContain('has the Content-Encoding "zstd"');
  });
});
