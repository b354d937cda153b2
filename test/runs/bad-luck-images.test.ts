import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createGate, follow, unique } from "../rigs/runs/run-fixture.ts";
import { sorted } from "../rigs/runs/run-judge.ts";
import { type Listing } from "../rigs/runs/run-sources.ts";
import { startUnluckyRig, TAGS, type UnluckyRig } from "../rigs/runs/unlucky-rig.ts";
import { makeBlob, makeImage, pushImage } from "../rigs/servers/images.ts";
import type { Fault } from "../rigs/servers/proxy.ts";

let rig: UnluckyRig;
beforeAll(async () => {
  rig = await startUnluckyRig();
});
afterAll(() => rig.end());

const without = (images: Listing, ...gone: string[]) =>
  sorted(new Map([...images].filter(([image]) => !gone.includes(image))));
const isPut = ({ method, path }: { method: string; path: string }, part: string) =>
  method === "PUT" && path.includes(part);

describe.concurrent("bad luck at a registry", () => {
  test("a tag that was deleted after the run was planned fails alone", async () => {
    const { until, letGo } = createGate();
    const name = unique("deleted");
    rig.luck.set(name, ({ path }) =>
      path.includes(`/${name}/app/manifests/`) ? { kind: "hold", until } : null,
    );
    const { key, images } = await rig.begin(name);
    await follow(rig.product, key, ({ counts }) => counts.planned === 3);
    const url = `${rig.source.url}/v2/${name}/app/manifests/`;
    const answer = await fetch(`${url}v2`, { method: "DELETE" });
    if (!answer.ok)
      await fetch(`${url}${images.get(`${name}/app:v2`)}`, { method: "DELETE" });
    letGo();
    const { status, counts, reasons } = await rig.ended(key);
    expect(status).toBe("FAILED");
    expect(counts).toMatchObject({ planned: 3, success: 2, failed: 1 });
    expect(reasons).toEqual([
      expect.stringMatching(
        new RegExp(
          `image ${name}/app:v2 is not in the registry .*: it was deleted, or its name is wrong`,
        ),
      ),
    ]);
    expect(sorted(await rig.there(name))).toEqual(without(images, `${name}/app:v2`));
  });

  test("an image with a corrupt blob at the source fails after three tries and is never at the target", async () => {
    const layer = makeBlob(5_000);
    const name = unique("corrupt");
    const image = makeImage({ layers: [layer] });
    await pushImage(rig.source.url, `${name}/app`, "bad", image);
    corrupt(rig.source.data, layer.digest);
    const { key, images } = await rig.begin(name);
    const { status, counts, reasons } = await rig.ended(key);
    expect(status).toBe("FAILED");
    expect(counts).toMatchObject({ planned: 4, success: 3, failed: 1 });
    expect(reasons).toEqual([
      expect.stringMatching(
        /the copy at the source is corrupt; push it there again \(tried 3 times\)$/,
      ),
    ]);
    expect(reasons[0]).toContain(layer.digest);
    expect(sorted(await rig.there(name))).toEqual(sorted(images));
    expect(
      (await fetch(`${rig.target.url}/v2/${name}/${name}/app/blobs/${layer.digest}`))
        .status,
    ).toBe(404);
  });

  test.each([
    [
      "because of its size limit",
      { kind: "answer", status: 413 },
      /answered 413.*raise the limit of the server or of the proxy before it$/,
    ],
    [
      "and answers 507",
      { kind: "answer", status: 507 },
      /answered 507.*free space there$/,
    ],
    [
      "because its disk is full",
      {
        kind: "answer",
        status: 500,
        body: `{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"Enclosed":{"Op":"write","Err":28}}}]}`,
      },
      /no space left on the device of the registry.*\(tried for \d+ s\)$/,
    ],
  ] satisfies [string, Fault, RegExp][])(
    "a target that accepts no more data %s fails the image, shows no half-written one and receives the others",
    async (_, fault, reason) => {
      const name = unique("tight");
      rig.luck.set(name, (request) =>
        isPut(request, `/${name}/tight/app/blobs/`) ? fault : null,
      );
      const { key, images } = await rig.begin(name, {
        names: [`${name}/roomy/app`, `${name}/tight/app`],
      });
      const { status, counts, reasons } = await rig.ended(key);
      expect(status).toBe("FAILED");
      expect(counts).toMatchObject({ planned: 6, success: 3, failed: 3, notDone: 0 });
      for (const said of reasons) expect(said).toMatch(reason);
      expect(sorted(await rig.there(name))).toEqual(
        without(images, ...TAGS.map((tag) => `${name}/tight/app:${tag}`)),
      );
    },
  );

  test("errorStrategy FAST_FAIL stops a run of images at the first failure", async () => {
    const name = unique("strict");
    rig.luck.set(name, (request) =>
      isPut(request, `/${name}/app/manifests/v2`)
        ? { kind: "answer", status: 413 }
        : null,
    );
    const { key } = await rig.begin(name, {
      setting: { errorStrategy: "FAST_FAIL" },
    });
    const { status, errorReason, counts, details } = await rig.ended(key);
    expect(status).toBe("FAILED");
    expect(errorReason).toMatch(
      new RegExp(
        String.raw`^stopped at the first failure \(FAST_FAIL\): ${name}/app:v2: .*` +
          " answered 413.*raise the limit",
      ),
    );
    expect(details).toHaveLength(counts.success + counts.failed);
    expect(counts.failed).toBeGreaterThan(0);
  });
});

/** Changes one byte of a blob in a distribution registry's storage. */
function corrupt(data: string, digest: string): void {
  const hex = digest.slice("sha256:".length);
  const folder = join(data, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex);
  const file = join(folder, readdirSync(folder)[0] ?? "");
  const bytes = readFileSync(file);
  bytes[10] = (bytes[10] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}
