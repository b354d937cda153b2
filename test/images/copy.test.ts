import { afterAll, describe, expect, test } from "vitest";
import { createImageMemory } from "../../activities/registries/oci/copy/memory.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import { copy, openEnds } from "../rigs/transfer/image-fixture.ts";
import {
  descriptor,
  makeBlob,
  makeImage,
  makeIndex,
  missingParts,
  pushImage,
  readManifest,
} from "../rigs/servers/images.ts";
import { judge, treeDigests } from "../rigs/servers/oci-clients.ts";
import { CRANE, REGCTL, SKOPEO } from "../rigs/servers/oci-tools.ts";
import { startProxy } from "../rigs/servers/proxy.ts";
import {
  startRegistry,
  type RegistryKind,
  type TestRegistry,
} from "../rigs/servers/registries.ts";
import { findTool } from "../rigs/servers/tools.ts";

const PAIRS: [RegistryKind, RegistryKind][] = [
  ["docker-registry", "docker-registry"],
  ["docker-registry", "distribution"],
  ["distribution", "docker-registry"],
  ["distribution", "gcr"],
  ["gcr", "distribution"],
  ["gcr", "gcr"],
];

async function pairOf(source: RegistryKind, target: RegistryKind) {
  return {
    source,
    target,
    rigs: [await startRegistry(source), await startRegistry(target)] as const,
  };
}
// Builds the programs before any test begins: a build takes longer than a test may.
await Promise.all([CRANE, REGCTL, SKOPEO].map(findTool));
const pairs = await Promise.all(PAIRS.map(([source, target]) => pairOf(source, target)));

describe.each(pairs)("image copies from $source to $target", ({ rigs }) => {
  const [source, target] = rigs;
  describe.skipIf(!source.available || !target.available)("complete images", () => {
    copies(source, target);
  });
});

function copies(source: TestRegistry, target: TestRegistry): void {
  const ends = openEnds(source.url, target.url);
  afterAll(async () => {
    await ends.close();
    await source.stop();
    await target.stop();
  });
  const run = (name: string, options: Partial<Parameters<typeof copy>[0]> = {}) =>
    copy({ ...ends, name, ...options });

  test.each(["oci", "docker"] as const)(
    "an image of one %s manifest arrives with its config and its small, streamed and empty layers",
    async (format) => {
      const name = unique(`single/${format}-`);
      const image = makeImage({ format, layers: [100, 0, 65_536, 65_537, 3_000_000] });
      await pushImage(source.url, name, "latest", image);
      const outcome = await run(name);
      expect(outcome.result).toEqual({ kind: "sent" });
      expect(outcome.digest).toBe(image.digest);
      const bytes = [image, ...image.blobs].reduce(
        (sum, part) => sum + part.bytes.length,
        0,
      );
      expect(outcome).toMatchObject({
        size: bytes,
        bytesSent: bytes,
        parts: { blob: { failed: 0 }, node: { success: 1, skip: 0, failed: 0 } },
      });
      expect(outcome.parts.blob.success + outcome.parts.blob.skip).toBe(6);
      expect(await missingParts(target.url, name, image)).toEqual([]);
      await judge(source, target, name, "latest");
    },
  );

  test.each(["oci", "docker"] as const)(
    "an %s index arrives with all its children",
    async (format) => {
      const base = makeBlob(70_000);
      const index = makeIndex(
        ["amd64", "arm64", "s390x"].map((architecture) =>
          makeImage({ format, architecture, layers: [base, 500] }),
        ),
        format,
      );
      const name = unique(`index/${format}-`);
      await pushImage(source.url, name, "latest", index);
      const outcome = await run(name);
      expect(outcome).toMatchObject({ result: { kind: "sent" }, digest: index.digest });
      expect(outcome.parts).toEqual({
        blob: { success: 7, skip: 0, failed: 0 },
        node: { success: 4, skip: 0, failed: 0 },
      });
      expect(await missingParts(target.url, name, index)).toEqual([]);
      await judge(source, target, name, "latest");
    },
  );

  test("an index within an index arrives completely", async () => {
    const index = makeIndex([makeIndex([makeImage()]), makeImage()]);
    const name = unique("nested-");
    await pushImage(source.url, name, "latest", index);
    expect((await run(name)).result).toEqual({ kind: "sent" });
    expect(await missingParts(target.url, name, index)).toEqual([]);
  });

  test("attachments arrive: referrers of an index and its children, their own attachments, cosign's tags", async () => {
    const name = unique("attached-");
    const child = makeImage();
    const index = makeIndex([child, makeImage()]);
    const sbom = makeImage({ subject: index, artifactType: "application/x-sbom" });
    const signature = makeImage({
      subject: sbom,
      artifactType: "application/x-signature",
    });
    const childSbom = makeImage({
      subject: child,
      artifactType: "application/x-sbom",
      annotations: { of: "child" },
    });
    const cosign = makeImage({
      layers: [makeBlob("signature", "application/vnd.dev.cosign.simplesigning.v1+json")],
    });
    await pushImage(source.url, name, "latest", index);
    await attach(source, name, index, [sbom]);
    await attach(source, name, sbom, [signature]);
    await attach(source, name, child, [childSbom]);
    await pushImage(source.url, name, `${index.digest.replace(":", "-")}.sig`, cosign);

    const outcome = await run(name);
    expect(outcome).toMatchObject({
      result: { kind: "sent" },
      parts: { node: { success: 7, skip: 0, failed: 0 } },
    });
    for (const part of [index, sbom, signature, childSbom, cosign])
      expect(await missingParts(target.url, name, part)).toEqual([]);
    expect(
      (await readManifest(target.url, name, `${index.digest.replace(":", "-")}.sig`))
        ?.digest,
    ).toBe(cosign.digest);
    const tree = await treeDigests(target, name, "latest");
    expect(
      tree === null || [sbom, signature].every(({ digest }) => tree.includes(digest)),
    ).toBe(true);

    const again = await run(name, { memory: createImageMemory() });
    expect(again).toMatchObject({ result: { kind: "same" }, bytesSent: 0 });
  });

  test("a later signature arrives, and the attachments that the target already lists stay listed", async () => {
    const name = unique("signed-later-");
    const image = makeImage();
    const first = makeImage({ subject: image, artifactType: "application/x-signature" });
    const later = makeImage({ subject: image, artifactType: "application/x-signature" });
    const theirs = makeImage({ subject: image, artifactType: "application/x-local" });
    await pushImage(source.url, name, "latest", image);
    await attach(source, name, image, [first]);
    expect((await run(name)).result).toEqual({ kind: "sent" });
    await attach(target, name, image, [theirs]);
    await attach(source, name, image, [first, later]);

    const outcome = await run(name, { memory: createImageMemory() });
    expect(outcome).toMatchObject({
      result: { kind: "same" },
      digest: image.digest,
      parts: { node: { success: 1, skip: 2 } },
    });
    expect(await missingParts(target.url, name, later)).toEqual([]);
    const listed = await listedDigests(target, name, image.digest);
    expect(listed.toSorted()).toEqual(
      [first.digest, later.digest, theirs.digest].toSorted(),
    );
  });

  test("an image arrives with the same bytes under every target tag", async () => {
    const image = makeImage();
    const [name, targetName] = [unique("retagged-"), unique("other/name-")];
    await pushImage(source.url, name, "latest", image);
    const proxy = await startProxy(target.url);
    const through = openEnds(source.url, proxy.url);
    const outcome = await copy({
      ...through,
      name,
      targetName,
      targetTags: ["1", "1.0", "1.0.0"],
    });
    expect(outcome.result).toEqual({ kind: "sent" });
    for (const tag of ["1", "1.0", "1.0.0"])
      expect(
        (await readManifest(target.url, targetName, tag))?.bytes.equals(image.bytes),
      ).toBe(true);
    expect(await readManifest(target.url, targetName, "latest")).toBeNull();
    expect(proxy.count("PUT", /\/manifests\//)).toBe(3);
    await through.close();
    await proxy.stop();
  });

  test("a foreign layer is not copied and stays at its URL", async () => {
    const foreign = {
      ...descriptor(makeBlob(10)),
      mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
      urls: ["https://example.com/layer"],
    };
    const image = makeImage({ format: "docker", foreign: [foreign] });
    const name = unique("foreign-");
    await pushImage(source.url, name, "latest", image);
    const outcome = await run(name);
    expect(outcome).toMatchObject({
      result: { kind: "sent" },
      parts: { blob: { success: 2, skip: 1 } },
    });
    expect(await missingParts(target.url, name, image)).toEqual([]);
  });
}

async function attach(
  rig: TestRegistry,
  name: string,
  subject: { digest: string },
  referrers: ReturnType<typeof makeImage>[],
): Promise<void> {
  for (const referrer of referrers) await pushImage(rig.url, name, null, referrer);
  if (rig.kind === "gcr") return;
  const manifests = referrers.map((referrer) => ({
    ...descriptor(referrer),
    artifactType: "application/x-test",
  }));
  const tag = subject.digest.replace(":", "-");
  const old = await readManifest(rig.url, name, tag);
  const before =
    old === null
      ? []
      : (JSON.parse(old.bytes.toString()) as { manifests: { digest: string }[] })
          .manifests;
  const all = [
    ...before,
    ...manifests.filter(({ digest }) => !before.some((item) => item.digest === digest)),
  ];
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: all,
    }),
  );
  await fetch(`${rig.url}/v2/${name}/manifests/${tag}`, {
    method: "PUT",
    body: new Uint8Array(bytes),
    headers: { "content-type": "application/vnd.oci.image.index.v1+json" },
  });
}

async function listedDigests(
  rig: TestRegistry,
  name: string,
  digest: string,
): Promise<string[]> {
  const path =
    rig.kind === "gcr" ? `referrers/${digest}` : `manifests/${digest.replace(":", "-")}`;
  const response = await fetch(`${rig.url}/v2/${name}/${path}`, {
    headers: { accept: "application/vnd.oci.image.index.v1+json" },
  });
  const { manifests } = (await response.json()) as { manifests: { digest: string }[] };
  return manifests.map((item) => item.digest);
}
