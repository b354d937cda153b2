import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deleteImage, deleteImageVersion } from "../../../db/packages/image/delete.ts";
import { findRepository } from "../../../db/content/repositories.ts";
import {
  makeBlob,
  makeImage,
  makeIndex,
  makeSignature,
  sha256,
  type TestManifest,
} from "../../rigs/servers/images.ts";
import { startImages, type Images } from "../../rigs/api/oci-server-fixture.ts";

const NAME = "team/images/lib/app";
const IMAGE = "lib/app";

let api: Images;
let clock: { ahead: number };
beforeEach(async () => {
  clock = { ahead: 0 };
  api = await startImages({ now: () => Date.now() + clock.ahead });
});
afterEach(() => api.close());

const rows = <T>(query: string) => api.db.$client.prepare(query).all() as T[];
const events = () =>
  rows<{ subject: string; version: string; digest: string }>(
    "SELECT subject, version, digest FROM event WHERE kind = 'version' ORDER BY seq",
  ).map(({ subject, version, digest }) => [subject, version, digest]);
const versions = () =>
  rows<{ name: string; digest: string; size: number }>(
    "SELECT version.name, digest, size FROM version JOIN package ON package.id = package_id " +
      "ORDER BY package.name, version.name",
  );
const files = () =>
  rows<{ path: string }>(
    "SELECT full_path AS path FROM node WHERE folder = 0 ORDER BY full_path",
  ).map(({ path }) => path);
const folders = () =>
  rows<{ path: string }>("SELECT full_path AS path FROM node WHERE folder = 1").map(
    ({ path }) => path,
  );
const wholeSize = (image: TestManifest): number =>
  [...image.blobs, ...image.children].reduce(
    (sum, { bytes }) => sum + bytes.length,
    image.bytes.length,
  ) +
  image.children
    .flatMap(({ blobs }) => blobs)
    .reduce((sum, { bytes }) => sum + bytes.length, 0);

function repository() {
  const found = findRepository(api.db, "team", "images");
  if (!found) throw new Error("team/images is gone");
  return found;
}

/** Expects that the repository contains the files of the given images and no others. */
function expectFiles(...images: TestManifest[]): void {
  const hex = (digest: string) => `sha256__${digest.slice("sha256:".length)}`;
  const below = (image: TestManifest): string[] => [
    `/${IMAGE}/manifests/${hex(image.digest)}`,
    ...image.blobs.map(({ digest }) => `/${IMAGE}/blobs/${hex(digest)}`),
    ...image.children.flatMap(below),
  ];
  expect(files()).toEqual([...new Set(images.flatMap(below))].toSorted());
}

describe("tags as versions", () => {
  test("tags are versions with the digest of their manifest and a size that counts each layer once", async () => {
    const shared = makeBlob(5_000);
    const [one, two] = [
      makeImage({ layers: [shared, 100] }),
      makeImage({ layers: [shared, 200], architecture: "arm64" }),
    ];
    const index = makeIndex([one, two]);
    await api.push(NAME, "one", one);
    await api.push(NAME, "multi", index);
    expect(versions()).toEqual([
      {
        name: "multi",
        digest: index.digest,
        size: wholeSize(index) - shared.bytes.length,
      },
      { name: "one", digest: one.digest, size: wholeSize(one) },
    ]);
  });

  test("creating or moving a tag writes one event, and pushing by digest or unchanged writes none", async () => {
    const [one, two] = [makeImage(), makeImage()];
    await api.push(NAME, null, one);
    expect(events()).toEqual([]);
    for (const image of [one, one, two, two, one]) await api.push(NAME, "latest", image);
    expect(events()).toEqual(
      [one, two, one].map(({ digest }) => ["oci://lib/app", "latest", digest]),
    );
    await api.push("team/docker/app", "v1", one);
    expect(events().at(-1)).toEqual(["docker://app", "v1", one.digest]);
    expect(rows("SELECT * FROM event WHERE kind = 'node'")).toEqual([]);
  });

  test("pushing an attachment writes an event for each tag to which it belongs, directly or not", async () => {
    const child = makeImage();
    const index = makeIndex([child]);
    for (const tag of ["v1", "v2"]) await api.push(NAME, tag, index);
    await api.push(NAME, "other", makeImage());
    const heard = async (act: () => Promise<unknown>) => {
      const before = events().length;
      await act();
      return events()
        .slice(before)
        .map(([, version, digest]) => [version, digest])
        .toSorted();
    };
    const both = [
      ["v1", index.digest],
      ["v2", index.digest],
    ];
    const sbom = makeImage({
      subject: index,
      artifactType: "application/vnd.example.sbom",
    });
    expect(await heard(() => api.push(NAME, null, sbom))).toEqual(both);
    expect(await heard(() => api.push(NAME, null, sbom))).toEqual([]);
    expect(
      await heard(() =>
        api.push(NAME, null, makeImage({ subject: child, artifactType: "a/b" })),
      ),
    ).toEqual(both);
    expect(
      await heard(() =>
        api.push(NAME, null, makeImage({ subject: sbom, artifactType: "a/b" })),
      ),
    ).toEqual(both);
    const signature = makeSignature();
    expect(
      await heard(() =>
        api.push(NAME, `${child.digest.replace(":", "-")}.sig`, signature),
      ),
    ).toEqual(both);
  });

  test("a tag that is only named like an attachment is a version with its own event", async () => {
    const v1 = makeImage();
    await api.push(NAME, "v1", v1);
    const [own, index, signature] = [
      makeImage(),
      makeIndex([makeImage(), makeImage()]),
      makeSignature(),
    ];
    for (const [tag, image] of [
      [`sha256-${"0".repeat(64)}`, own],
      [own.digest.replace(":", "-"), own],
      [`sha256-${"0".repeat(64)}.sig`, signature],
      [v1.digest.replace(":", "-"), index],
    ] as const) {
      await api.push(NAME, tag, image);
      expect(events().at(-1)?.slice(1)).toEqual([tag, image.digest]);
    }
    await api.push(NAME, `${v1.digest.replace(":", "-")}.att`, own);
    expect(
      events()
        .map(([, version]) => version)
        .slice(-2),
    ).toEqual(["v1", `${v1.digest.replace(":", "-")}.att`]);
    expect(deleteImageVersion(api.db, repository(), IMAGE, "v1", Date.now())).toBe(true);
    expect(await api.tags(NAME)).toContain(v1.digest.replace(":", "-"));
    expectFiles(own, index, signature);
  });
});

describe("deleting a version", () => {
  test("deleting a tag's version deletes its attachments and all that no other tag or index needs", async () => {
    const shared = makeBlob(5_000);
    const [amd, arm] = [
      makeImage({ layers: [shared, 100] }),
      makeImage({ layers: [shared, 200], architecture: "arm64" }),
    ];
    const index = makeIndex([amd, arm]);
    const kept = makeImage({ layers: [shared, 300] });
    await api.push(NAME, "multi", index);
    await api.push(NAME, "amd", amd);
    await api.push(NAME, "kept", kept);
    const ofAmd = makeImage({ subject: amd, artifactType: "a/b" });
    const ofIndex = makeImage({ subject: index, artifactType: "a/b" });
    const ofThat = makeImage({ subject: ofIndex, artifactType: "a/b" });
    for (const image of [ofAmd, ofIndex, ofThat]) await api.push(NAME, null, image);
    await api.push(NAME, `${arm.digest.replace(":", "-")}.sig`, makeSignature());
    expect(deleteImageVersion(api.db, repository(), IMAGE, "multi", Date.now())).toBe(
      true,
    );
    expectFiles(amd, kept, ofAmd);
    expect(await api.tags(NAME)).toEqual(["amd", "kept"]);
    expect((await api.http("GET", `/v2/${NAME}/manifests/${index.digest}`)).status).toBe(
      404,
    );
    expect(
      (await api.http("GET", `/v2/${NAME}/referrers/${index.digest}`)).json,
    ).toMatchObject({ manifests: [] });

    expect(deleteImageVersion(api.db, repository(), IMAGE, "multi", Date.now())).toBe(
      false,
    );
    deleteImageVersion(api.db, repository(), IMAGE, "amd", Date.now());
    expectFiles(kept);
    deleteImageVersion(api.db, repository(), IMAGE, "kept", Date.now());
    expect([
      files(),
      folders(),
      rows("SELECT * FROM package"),
      rows("SELECT * FROM image_manifest"),
      rows("SELECT * FROM image_reference"),
    ]).toEqual([[], [], [], [], []]);
  });

  test("a manifest is kept while another tag or an index refers to it", async () => {
    const image = makeImage();
    const index = makeIndex([image]);
    for (const tag of ["a", "b"]) await api.push(NAME, tag, image);
    await api.push(NAME, "index", index);
    deleteImageVersion(api.db, repository(), IMAGE, "a", Date.now());
    deleteImageVersion(api.db, repository(), IMAGE, "b", Date.now());
    expectFiles(index);
    expect((await api.http("GET", `/v2/${NAME}/manifests/index`)).status).toBe(200);
  });

  test("deleting an image deletes all its tags, but no image whose name begins with its name", async () => {
    const [one, two] = [makeImage(), makeImage({ layers: [20_000] })];
    for (const tag of ["a", "b"]) await api.push(NAME, tag, one);
    await api.push(NAME, null, two);
    const inner = makeImage();
    await api.push(`${NAME}/blobs`, "v1", inner);
    expect(await deleteImage(api.db, repository(), IMAGE, Date.now())).toBe(true);
    expect(await deleteImage(api.db, repository(), IMAGE, Date.now())).toBe(false);
    expect(await api.tags(NAME)).toBeNull();
    expect(sha256((await api.http("GET", `/v2/${NAME}/blobs/manifests/v1`)).bytes)).toBe(
      inner.digest,
    );
    expect(files().every((path) => path.startsWith(`/${IMAGE}/blobs/`))).toBe(true);
  });

  test("deleting an image without tags leaves an empty repository", async () => {
    for (const image of [makeImage(), makeImage()]) await api.push(NAME, "latest", image);
    expect((await api.http("DELETE", `/v2/${NAME}/manifests/latest`)).status).toBe(202);
    const remove = () =>
      api.http(
        "DELETE",
        `/repository/api/package/delete/team/images?packageKey=oci://${IMAGE}`,
      );
    expect((await remove()).status).toBe(200);
    expect([
      files(),
      folders().filter((path) => path !== "/"),
      rows("SELECT * FROM image_manifest"),
    ]).toEqual([[], [], []]);
    expect((await remove()).status).toBe(404);
  });

  test("a push during the deletion of its image leaves a complete image or nothing", async () => {
    await Promise.all(
      Array.from({ length: 300 }, (_, at) =>
        api.push(NAME, `old${at}`, makeImage({ layers: [10] })),
      ),
    );
    const index = makeIndex([makeImage(), makeImage({ architecture: "arm64" })]);
    const over = deleteImage(api.db, repository(), IMAGE, Date.now());
    for (let at = 0; at < 5; at += 1)
      await api.push(NAME, `new${at}`, index).catch(() => undefined);
    await over;
    const tags = (await api.tags(NAME)) ?? [];
    expect(tags.filter((tag) => tag.startsWith("old"))).toEqual([]);
    if (tags.length > 0) expectFiles(index);
  });

  test("an image with 1,200 tags is deleted completely", async () => {
    const image = makeImage();
    await api.push(NAME, null, image);
    const tags = Array.from({ length: 12 }, (_, i) =>
      Array.from({ length: 100 }, (_each, j) => `tag=v${i}-${j}`).join("&"),
    );
    for (const query of tags)
      expect(
        (await api.putManifest(NAME, `${image.digest}?${query}`, image)).status,
      ).toBe(201);
    expect((await api.tags(NAME))?.length).toBe(1_200);
    expect(await deleteImage(api.db, repository(), IMAGE, Date.now())).toBe(true);
    expect([rows("SELECT * FROM version"), files()]).toEqual([[], []]);
  });
});
