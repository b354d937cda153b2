import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHousekeeping } from "../../../api/upkeep/housekeeping.ts";
import {
  descriptor,
  makeBlob,
  makeImage,
  sha256,
  type TestManifest,
} from "../../rigs/servers/images.ts";
import { startImages, type Images } from "../../rigs/api/oci-server-fixture.ts";

const HOUR = 3_600_000;
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
const files = () =>
  rows<{ path: string }>(
    "SELECT full_path AS path FROM node WHERE folder = 0 ORDER BY full_path",
  ).map(({ path }) => path);
const folders = () =>
  rows<{ path: string }>("SELECT full_path AS path FROM node WHERE folder = 1").map(
    ({ path }) => path,
  );
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

describe("housekeeping of images", () => {
  /** Moves the clock by a number of hours and runs housekeeping, without REAL_TIME tasks. */
  async function later(hours: number): Promise<void> {
    clock.ahead += hours * HOUR;
    await createHousekeeping({
      db: api.db,
      store: api.deps.store,
      now: api.deps.now,
      logger: { error: (facts) => expect(facts).toBeNull(), warn: () => undefined },
    }).run();
  }

  test("housekeeping removes blobs without a manifest a day after their last use, and then their content", async () => {
    const image = makeImage();
    const [loose, asked] = [makeBlob(50_000), makeBlob(1_000)];
    await api.push(NAME, "v1", image);
    for (const blob of [loose, asked]) await api.putBlob(NAME, blob);
    await api.putBlob("team/docker/given-up", makeBlob(700));
    await later(23);
    expect((await api.http("HEAD", `/v2/${NAME}/blobs/${asked.digest}`)).status).toBe(
      200,
    );
    await later(2);
    expect([
      (await api.http("HEAD", `/v2/${NAME}/blobs/${loose.digest}`)).status,
      (await api.http("HEAD", `/v2/${NAME}/blobs/${asked.digest}`)).status,
    ]).toEqual([404, 200]);
    await later(25);
    expectFiles(image);
    expect(folders().filter((path) => path.includes("given-up"))).toEqual([]);
    await later(26);
    expect(rows<{ n: number }>("SELECT count(*) AS n FROM blob")).toEqual([{ n: 3 }]);
    for (const { digest } of image.blobs)
      expect(sha256((await api.http("GET", `/v2/${NAME}/blobs/${digest}`)).bytes)).toBe(
        digest,
      );
  });

  test("housekeeping keeps the blobs of a deleted manifest for another day, for pushes that reuse them", async () => {
    const shared = makeBlob(5_000);
    const [old, young] = [
      makeImage({ layers: [shared] }),
      makeImage({ layers: [shared] }),
    ];
    await api.push(NAME, "v1", old);
    await later(100);
    expect((await api.http("DELETE", `/v2/${NAME}/manifests/${old.digest}`)).status).toBe(
      202,
    );
    await later(20);
    expect((await api.http("HEAD", `/v2/${NAME}/blobs/${shared.digest}`)).status).toBe(
      200,
    );
    await api.push(NAME, "v2", young);
    await later(30);
    expectFiles(young);
  });
});

describe("unusual names", () => {
  test("an image whose name is the path of another image's blob is refused, and that image is unchanged", async () => {
    const image = makeImage();
    await api.push(NAME, "v1", image);
    const [blob] = image.blobs;
    const hostile = `${NAME}/blobs/sha256__${blob?.digest.slice("sha256:".length)}`;
    const inner = makeBlob(10);
    const answer = await api.http(
      "POST",
      `/v2/${hostile}/blobs/uploads/?digest=${inner.digest}`,
      {
        body: inner.bytes,
      },
    );
    expect([answer.status, answer.text]).toEqual([
      400,
      expect.stringContaining("NAME_INVALID"),
    ]);
    expectFiles(image);
  });

  test('images with names like "blobs" or "tags/list" can be pushed and pulled like others', async () => {
    for (const image of [
      "blobs",
      "manifests",
      "tags/list",
      "uploads",
      "blobs/uploads",
      "referrers",
      "v2",
    ]) {
      const made = makeImage();
      await api.push(`team/images/${image}`, "v1", made);
      expect([
        image,
        sha256((await api.http("GET", `/v2/team/images/${image}/manifests/v1`)).bytes),
        await api.tags(`team/images/${image}`),
      ]).toEqual([image, made.digest, ["v1"]]);
    }
  });

  test('annotations with names like "__proto__" are stored and listed like others', async () => {
    const subject = makeImage();
    const text =
      '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],' +
      `"subject":${JSON.stringify(descriptor(subject))},"annotations":{"__proto__":"x","constructor":"y"}}`;
    const index: TestManifest = {
      bytes: Buffer.from(text),
      digest: sha256(Buffer.from(text)),
      mediaType: "application/vnd.oci.image.index.v1+json",
      blobs: [],
      children: [],
    };
    expect((await api.putManifest(NAME, index.digest, index)).status).toBe(201);
    expect(
      (await api.http("GET", `/v2/${NAME}/referrers/${subject.digest}`)).text,
    ).toContain('"annotations":{"__proto__":"x","constructor":"y"}');
  });
});
