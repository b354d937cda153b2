import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createOciRegistry,
  type OciRegistry,
} from "../../activities/registries/oci/registry.ts";
import {
  listImagePage,
  type ImageArtifact,
  type ImageListing,
} from "../../activities/registries/oci/copy/listing.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import {
  makeImage,
  makeIndex,
  makeSignature,
  pushImage,
} from "../rigs/servers/images.ts";
import { startProxy } from "../rigs/servers/proxy.ts";
import {
  startRegistry,
  type RegistryKind,
  type TestRegistry,
} from "../rigs/servers/registries.ts";

const KINDS: RegistryKind[] = ["docker-registry", "distribution", "gcr"];
const rigs = await Promise.all(
  KINDS.map(async (kind) => ({ kind, rig: await startRegistry(kind) })),
);

describe.each(rigs)("image listings of $kind", ({ rig }) => {
  describe.skipIf(!rig.available)("read page by page", () => {
    listings(rig);
  });
});

function listings(rig: TestRegistry): void {
  const registry = createOciRegistry({ url: rig.url });
  const names = ["a", "b/c", "d"];
  const index = makeIndex([makeImage()]);
  const beside = index.digest.replace(":", "-");
  const tags = Array.from({ length: 400 }, (_, count) => `v${count}`);

  beforeAll(async () => {
    const image = makeImage();
    const fallback = makeIndex([
      makeImage({ subject: index, artifactType: "application/x-test" }),
    ]);
    for (const name of names) {
      await pushImage(rig.url, name, "v0", index);
      await pushImage(rig.url, name, "v1", image);
      await pushImage(rig.url, name, beside, fallback);
      for (const suffix of ["sig", "att", "sbom"])
        await pushImage(rig.url, name, `${beside}.${suffix}`, makeSignature());
      for (let at = 1; at < tags.length; at += 40)
        await Promise.all(
          tags
            .slice(at, at + 40)
            .map((tag) => pushImage(rig.url, name, tag, { ...image, blobs: [] })),
        );
    }
  });
  afterAll(async () => {
    await registry.close();
    await rig.stop();
  });

  test("an image listing has every tag of every repository once, and names attached tags separately", async () => {
    const { artifacts, sizes, missing, attached } = await readAll({
      registry,
      names: null,
    });
    const ours = (listed: ImageArtifact[]) =>
      listed
        .filter(({ name }) => names.includes(name))
        .map(({ name, tag }) => `${name}:${tag}`)
        .toSorted();
    expect(ours(artifacts)).toEqual(
      names.flatMap((name) => tags.map((tag) => `${name}:${tag}`)).toSorted(),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
    expect(missing).toEqual([]);
    expect(ours(attached)).toEqual(
      names.flatMap((name) =>
        ["", ".att", ".sbom", ".sig"].map((suffix) => `${name}:${beside}${suffix}`),
      ),
    );
  });

  test("an image listing includes tags that only look like attachments, judged by manifest and subject", async () => {
    const [named, alone] = [unique("named-"), unique("alone-")];
    const own = makeImage();
    const pair = makeIndex([makeImage(), makeImage()]);
    const v1 = makeImage();
    const images: [tag: string, image: ReturnType<typeof makeImage>][] = [
      ["v1", v1],
      [own.digest.replace(":", "-"), own],
      [pair.digest.replace(":", "-"), pair],
      [v1.digest.replace(":", "-"), makeIndex([makeImage(), makeImage()])],
      [`${v1.digest.replace(":", "-")}.sig`, makeImage()],
      [`sha256-${"0".repeat(64)}.sig`, makeSignature()],
      [`sha256-${"0".repeat(64)}.att`, makeSignature()],
      [`sha256-${"1".repeat(64)}`, makeIndex([makeImage({ subject: makeImage() })])],
    ];
    for (const [tag, image] of images) await pushImage(rig.url, named, tag, image);
    for (const [tag, image] of images)
      await pushImage(
        rig.url,
        `${alone}/${tag.toLowerCase().slice(0, 20)}${tag.slice(-4)}`,
        tag,
        image,
      );
    const { artifacts, attached } = await readAll({ registry, names: null });
    const tagsOf = (isMeant: (name: string) => boolean) =>
      artifacts
        .filter(({ name }) => isMeant(name))
        .map(({ tag }) => tag)
        .toSorted();
    const made = images.map(([tag]) => tag).toSorted();
    const isNamed = (name: string) => name === named;
    const isAlone = (name: string) => name.startsWith(`${alone}/`);
    expect(tagsOf(isNamed)).toEqual(made);
    expect(tagsOf(isAlone)).toEqual(made);
    expect(attached.filter(({ name }) => isNamed(name) || isAlone(name))).toEqual([]);
  });

  test("an image listing has all requested versions, even missing ones, and reports missing names", async () => {
    const { artifacts, missing } = await readAll({
      registry,
      names: ["d", "no/such", "BAD NAME", "constructor"],
      versions: { d: ["v1", "gone", "v1"] },
    });
    expect(artifacts).toEqual([
      { name: "d", tag: "v1" },
      { name: "d", tag: "gone" },
    ]);
    expect(missing.toSorted()).toEqual(["BAD NAME", "constructor", "no/such"]);
    const many = Array.from({ length: 1_100 }, (_, index) => `t${index}`);
    const all = await readAll({ registry, names: ["d"], versions: { d: many } });
    expect(all.artifacts.map(({ tag }) => tag)).toEqual(many);
    expect(all.sizes).toEqual([500, 500, 100]);
  });

  test("an image listing omits a repository without tags", async () => {
    await fetch(`${rig.url}/v2/empty/blobs/uploads/`, { method: "POST" });
    const { artifacts } = await readAll({ registry, names: null });
    expect(artifacts.some(({ name }) => name === "empty")).toBe(false);
  });

  test("an image listing fails with advice when the registry does not list its repositories", async () => {
    for (const status of [401, 403, 404, 405]) {
      const proxy = await startProxy(rig.url);
      proxy.fault = ({ path }) =>
        path.includes("_catalog") ? { kind: "answer", status } : null;
      const refusing = createOciRegistry({ url: proxy.url });
      await expect(
        listImagePage({ registry: refusing, names: null, cursor: null }),
      ).rejects.toMatchObject({
        kind: "unsupported",
        message: expect.stringContaining(
          "name the packages to replicate with packageConstraints",
        ),
      });
      expect(
        (await listImagePage({ registry: refusing, names: ["a"], cursor: null }))
          .artifacts,
      ).toHaveLength(400);
      await refusing.close();
      await proxy.stop();
    }
  });

  test("an image listing fails when one of its pages fails, instead of counting as complete", async () => {
    const proxy = await startProxy(rig.url);
    proxy.fault = ({ path }) =>
      /tags\/list/.test(path) ? { kind: "answer", status: 503 } : null;
    const failing = createOciRegistry({ url: proxy.url });
    await expect(
      listImagePage({ registry: failing, names: null, cursor: null }),
    ).rejects.toMatchObject({
      kind: "server",
    });
    await failing.close();
    await proxy.stop();
  });
}

async function readAll(
  listing: Omit<ImageListing, "cursor"> & { registry: OciRegistry },
) {
  const artifacts: ImageArtifact[] = [];
  const missing: string[] = [];
  const attached: ImageArtifact[] = [];
  const sizes: number[] = [];
  let cursor: string | null = null;
  do {
    const page = await listImagePage({ ...listing, cursor });
    artifacts.push(...page.artifacts);
    missing.push(...page.missing);
    attached.push(...page.attached);
    sizes.push(page.artifacts.length);
    cursor = page.next;
  } while (cursor !== null);
  return { artifacts, missing, attached, sizes };
}
