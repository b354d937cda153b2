import { afterAll, describe, expect, test } from "vitest";
import { createImageMemory } from "../../activities/registries/oci/copy/memory.ts";
import type { CopyRules } from "../../domain/outcome.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import { copy, openEnds } from "../rigs/transfer/image-fixture.ts";
import { makeBlob, makeImage, pushImage, readManifest } from "../rigs/servers/images.ts";
import { startRegistry } from "../rigs/servers/registries.ts";

const source = await startRegistry("docker-registry");
const target = await startRegistry("docker-registry");

describe.skipIf(!source.available)("a tag that exists at the target", () => {
  const ends = openEnds(source.url, target.url);
  afterAll(async () => {
    await ends.close();
    await source.stop();
    await target.stop();
  });

  async function differing(name: string) {
    const [here, there] = [makeImage(), makeImage()];
    await pushImage(source.url, name, "latest", here);
    await pushImage(target.url, name, "latest", there);
    return {
      here,
      there,
      digestNow: async () => (await readManifest(target.url, name, "latest"))?.digest,
    };
  }
  const run = (name: string, rules: Partial<CopyRules>, targetTags?: string[]) =>
    copy({ ...ends, memory: createImageMemory(), name, rules, targetTags });

  test("under SKIP, a tag with other content at the target is kept, and nothing is sent", async () => {
    const { here, there, digestNow } = await differing("skip");
    const outcome = await run("skip", { conflictStrategy: "SKIP" });
    expect(outcome).toMatchObject({
      result: { kind: "skipped" },
      digest: here.digest,
      bytesSent: 0,
      parts: { node: { skip: 1 } },
    });
    expect(await digestNow()).toBe(there.digest);
  });

  test("under OVERWRITE, a tag with other content at the target is replaced", async () => {
    const { here, there, digestNow } = await differing("overwrite");
    const outcome = await run("overwrite", { conflictStrategy: "OVERWRITE" });
    expect(outcome).toMatchObject({ result: { kind: "replaced" }, digest: here.digest });
    expect(await digestNow()).toBe(here.digest);
    expect((await readManifest(target.url, "overwrite", there.digest))?.digest).toBe(
      there.digest,
    );
  });

  test("under FAST_FAIL, a tag with other content stops its cluster, and the reason names the tag", async () => {
    const { there, digestNow } = await differing("fast-fail");
    const outcome = await run("fast-fail", { conflictStrategy: "FAST_FAIL" });
    expect(outcome.result).toMatchObject({
      kind: "failed",
      conflict: true,
      stopsCluster: true,
    });
    expect(outcome.result).toHaveProperty(
      "reason",
      expect.stringContaining("fast-fail:latest"),
    );
    expect(outcome.bytesSent).toBe(0);
    expect(await digestNow()).toBe(there.digest);
  });

  test("a conflict concerns one target tag: missing tags are written, the others follow conflictStrategy", async () => {
    const name = unique("tags-");
    const { here, there } = await differing(name);
    const outcome = await run(name, { conflictStrategy: "SKIP" }, ["latest", "1.0"]);
    expect(outcome.result.kind).toBe("skipped");
    expect((await readManifest(target.url, name, "latest"))?.digest).toBe(there.digest);
    expect((await readManifest(target.url, name, "1.0"))?.digest).toBe(here.digest);
  });

  test("a tag with equal content is no conflict, and counts as sent if this run may have sent it", async () => {
    const image = makeImage();
    await pushImage(source.url, "equal", "latest", image);
    await pushImage(target.url, "equal", "latest", image);
    expect((await run("equal", { conflictStrategy: "FAST_FAIL" })).result).toEqual({
      kind: "same",
    });
    expect((await run("equal", { mayHaveSent: true })).result).toEqual({ kind: "sent" });
  });

  test("a cosign signature that gained layers is replaced, and other signatures are kept under SKIP", async () => {
    const image = makeImage();
    const tag = `${image.digest.replace(":", "-")}.sig`;
    const [one, two, other] = ["one", "two", "other"].map((text) =>
      makeBlob(text, "application/vnd.dev.cosign.simplesigning.v1+json"),
    );
    if (one === undefined || two === undefined || other === undefined)
      throw new Error("three signatures");
    const grown = makeImage({ layers: [one, two] });
    await pushImage(source.url, "cosign", "latest", image);
    await pushImage(source.url, "cosign", tag, grown);
    await pushImage(target.url, "cosign", "latest", image);
    await pushImage(target.url, "cosign", tag, makeImage({ layers: [one] }));
    expect(await run("cosign", {})).toMatchObject({
      result: { kind: "same" },
      parts: { node: { success: 1, skip: 1 } },
    });
    expect((await readManifest(target.url, "cosign", tag))?.digest).toBe(grown.digest);

    const theirs = makeImage({ layers: [other] });
    await pushImage(target.url, "cosign", tag, theirs);
    await run("cosign", { conflictStrategy: "SKIP" });
    expect((await readManifest(target.url, "cosign", tag))?.digest).toBe(theirs.digest);
    await run("cosign", { conflictStrategy: "OVERWRITE" });
    expect((await readManifest(target.url, "cosign", tag))?.digest).toBe(grown.digest);
  });
});
