import { afterAll, afterEach, describe, expect, test } from "vitest";
import { unique } from "../rigs/runs/run-fixture.ts";
import { copy } from "../rigs/transfer/image-fixture.ts";
import {
  makeBlob,
  makeImage,
  makeIndex,
  makeSignature,
  missingParts,
  pushBlob,
  pushImage,
  readManifest,
  rewrite,
  type TestManifest,
} from "../rigs/servers/images.ts";
import type { FaultProxy } from "../rigs/servers/proxy.ts";
import { descriptorOf, reasonOf, startProxied } from "./proxied.ts";

const { source, target, here, there, fresh, run, heal, stop } = await startProxied();

/** Makes the proxy answer the matching requests with `status`; `when` selects among their paths. */
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
  afterEach(heal);
  afterAll(stop);

  test.each(STATUSES)(
    "an image copy uses GET when the target answers HEAD of a manifest with %i, and later finds it equal",
    async (status) => {
      const image = makeIndex([makeImage(), makeImage()]);
      const name = unique(`head/${status}-`);
      await pushImage(source.url, name, "latest", image);
      refuse(there, ["HEAD"], /\/manifests\//, status);
      expect((await run(name)).result).toEqual({ kind: "sent" });
      expect((await run(name)).result).toEqual({ kind: "same" });
      expect(await missingParts(target.url, name, image)).toEqual([]);
    },
  );

  test.each(STATUSES)(
    "an image copy reads the list of tags when HEAD and GET of an absent tag are answered with %i",
    async (status) => {
      const name = unique(`absent/${status}-`);
      const image = makeImage();
      await pushImage(source.url, name, "latest", image);
      await pushImage(target.url, name, "other", makeImage());
      refuse(there, ["HEAD", "GET"], /\/manifests\/latest/, status);
      expect((await run(name)).result).toEqual({ kind: "sent" });
      expect(await missingParts(target.url, name, image)).toEqual([]);
    },
  );

  test.each([
    ["SKIP", "refuses", false],
    ["FAST_FAIL", "refuses", false],
    ["OVERWRITE", "writes", true],
  ] as const)(
    "under %s an image copy %s a tag whose existence it cannot find out",
    async (conflictStrategy, _does, writes) => {
      const name = unique(`untold/${conflictStrategy.toLowerCase().replace("_", "-")}-`);
      await pushImage(source.url, name, "latest", makeImage());
      refuse(
        there,
        ["HEAD", "GET"],
        /\/(?:manifests|tags|blobs)\//,
        403,
        (path) => !path.includes("/uploads/"),
      );
      const outcome = await run(name, { rules: { conflictStrategy } });
      expect(outcome.result).toMatchObject(
        writes
          ? { kind: "sent" }
          : { kind: "failed", conflict: false, stopsCluster: false },
      );
      expect(
        reasonOf(outcome).includes(
          `cannot tell whether image ${name}:latest exists at ${there.host}`,
        ),
      ).toBe(!writes);
      expect((await readManifest(target.url, name, "latest")) !== null).toBe(writes);
    },
  );

  test("an image copy no longer sends a kind of request that the target has refused for several images", async () => {
    const tags = Array.from({ length: 20 }, (_, at) => `v${at}`);
    const name = unique("many-");
    for (const tag of tags) await pushImage(source.url, name, tag, makeImage());
    refuse(there, ["HEAD"], /\/(?:manifests|blobs)\//, 405);
    const ends = fresh();
    there.clear();
    for (const tag of tags)
      expect((await copy({ ...ends, name, tag })).result).toEqual({
        kind: "sent",
      });
    await ends.close();
    expect(there.count("HEAD", /manifests|blobs/)).toBeLessThanOrEqual(8);
    expect(there.count("GET", /tags\/list/)).toBe(1);
  });

  test.each([403, 405])(
    "an image copy sends blobs when HEAD of a blob is answered with %i, and finds existing blobs by GET",
    async (status) => {
      const [base, name] = [makeBlob(200_000), unique(`blobs/${status}-`)];
      await pushBlob(target.url, name, base);
      const image = makeImage({ layers: [base, 100, 300_000] });
      await pushImage(source.url, name, "latest", image);
      refuse(there, ["HEAD"], /\/blobs\//, status);
      const outcome = await run(name);
      expect(outcome).toMatchObject({
        result: { kind: "sent" },
        parts: { blob: { success: 3, skip: 1 } },
      });
      expect(await missingParts(target.url, name, image)).toEqual([]);
      refuse(there, ["HEAD", "GET"], /\/blobs\/sha256/, status);
      await pushImage(source.url, name, "next", makeImage({ layers: [base] }));
      expect((await run(name, { tag: "next" })).result).toEqual({ kind: "sent" });
    },
  );

  test.each([...STATUSES, 404])(
    "an image copy lists attachments in a fallback tag when the referrers API is answered with %i",
    async (status) => {
      const name = unique(`attached/${status}-`);
      const image = makeImage();
      const signature = makeImage({
        subject: image,
        artifactType: "application/x-signature",
      });
      await pushImage(source.url, name, "latest", image);
      await pushImage(
        source.url,
        name,
        image.digest.replace(":", "-"),
        listOf(signature),
      );
      for (const proxy of [here, there]) refuse(proxy, ["GET"], /\/referrers\//, status);
      expect(await run(name)).toMatchObject({
        result: { kind: "sent" },
        parts: { node: { success: 2 } },
      });
      expect(await missingParts(target.url, name, signature)).toEqual([]);
      const list = await readManifest(target.url, name, image.digest.replace(":", "-"));
      expect(list?.bytes.toString()).toContain(signature.digest);
    },
  );

  test("an image copy succeeds when the referrers API redirects to an unreachable host", async () => {
    const name = unique("redirected-");
    await pushImage(source.url, name, "latest", makeImage());
    for (const proxy of [here, there]) {
      proxy.fault = ({ path }) =>
        path.includes("/referrers/")
          ? {
              kind: "answer",
              status: 307,
              headers: { location: "http://127.0.0.1:9/elsewhere" },
            }
          : null;
    }
    expect((await run(name)).result).toEqual({ kind: "sent" });
  });

  test.each(STATUSES)(
    "an image copy succeeds when the source refuses to list tags with %i",
    async (status) => {
      const name = unique(`tags/${status}-`);
      const image = makeImage();
      const signature = makeSignature();
      await pushImage(source.url, name, "latest", image);
      await pushImage(
        source.url,
        name,
        `${image.digest.replace(":", "-")}.sig`,
        signature,
      );
      refuse(here, ["GET"], /\/tags\/list/, status);
      expect((await run(name)).result).toEqual({ kind: "sent" });
      expect(await missingParts(target.url, name, signature)).toEqual([]);
    },
  );

  test("an image copy uploads a blob if the target refuses to mount it from another repository", async () => {
    const base = makeBlob(300_000);
    const names = [unique("mounts/one-"), unique("mounts/two-")];
    for (const name of names)
      await pushImage(source.url, name, "latest", makeImage({ layers: [base] }));
    refuse(
      there,
      ["POST"],
      /mount=.*from=mounts/,
      403,
      (path) => !path.includes("from=mounts%2Ftwo"),
    );
    const ends = fresh();
    for (const name of names)
      expect((await copy({ ...ends, name })).result).toEqual({ kind: "sent" });
    await ends.close();
  });
});

/** Builds the list of attachments to which a fallback tag (`sha256-…`) points. */
const listOf = (attached: TestManifest): TestManifest =>
  rewrite(makeIndex([attached]), (json) => ({
    ...json,
    manifests: [{ ...descriptorOf(attached), artifactType: "application/x-test" }],
  }));
