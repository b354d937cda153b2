import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  makeImage,
  makeIndex,
  rewrite,
  sha256,
  type TestManifest,
} from "../../rigs/servers/images.ts";
import { codeOf, startImages, type Images } from "../../rigs/api/oci-server-fixture.ts";

/**
 * These tests follow the section "Push" of the OCI distribution-spec 1.1:
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */
let api: Images;
beforeAll(async () => {
  api = await startImages();
});
afterAll(() => api.close());

const NOWHERE = sha256(Buffer.from("nowhere"));
let made = 0;
/** Returns an image name that no other test uses. */
const fresh = (repository = "team/images") => `${repository}/app${(made += 1)}/part`;
const header = (answer: { headers: Headers }, name: string) => answer.headers.get(name);

describe("pushing manifests", () => {
  test("a manifest can be pushed by tag, by digest, and by digest with tags as query parameters", async () => {
    const name = fresh();
    const image = makeImage();
    await api.push(name, null, image);
    for (const reference of ["v1", image.digest, `${image.digest}?tag=a&tag=b`]) {
      const answer = await api.putManifest(name, reference, image);
      expect([
        answer.status,
        header(answer, "docker-content-digest"),
        header(answer, "oci-tag"),
      ]).toEqual([201, image.digest, reference.includes("?") ? "a, b" : null]);
      expect(
        sha256((await api.http("GET", header(answer, "location") ?? "")).bytes),
      ).toBe(image.digest);
    }
    expect(await api.tags(name)).toEqual(["a", "b", "v1"]);
  });

  test("a manifest with missing blobs or children is refused, and the answer names them", async () => {
    const name = fresh();
    const image = makeImage();
    const index = makeIndex([image]);
    for (const each of [image, index]) {
      const answer = await api.putManifest(name, "v1", each);
      expect([answer.status, codeOf(answer)]).toEqual([400, "MANIFEST_BLOB_UNKNOWN"]);
      expect(answer.text).toContain((each === image ? image.blobs[0] : image)?.digest);
    }
    expect(await api.tags(name)).toBeNull();
  });

  test("a manifest is refused if its blobs exist only in another image", async () => {
    const image = makeImage();
    await api.push(fresh(), "v1", image);
    expect(codeOf(await api.putManifest(fresh(), "v1", image))).toBe(
      "MANIFEST_BLOB_UNKNOWN",
    );
  });

  test("manifests with missing or negative sizes, null lists or null configs are accepted", async () => {
    const name = fresh();
    const image = makeImage({ layers: [100, 200] });
    const layers = image.blobs
      .slice(1)
      .map(({ mediaType, digest }, at) =>
        at === 0 ? { mediaType, digest } : { mediaType, digest, size: -1 },
      );
    await api.push(name, "sound", image);
    for (const [tag, change] of Object.entries({
      unsized: { layers },
      layers: { layers: null },
      config: { config: null },
    })) {
      const other = rewrite(image, (json) => ({ ...json, ...change }));
      await api.push(name, tag, other);
      expect(
        (await api.http("GET", `/v2/${name}/manifests/${tag}`)).bytes.equals(other.bytes),
      ).toBe(true);
    }
    await api.push(
      name,
      "manifests",
      rewrite(makeIndex([]), (json) => ({ ...json, manifests: null })),
    );
  });

  test("a manifest with foreign layers is accepted although these layers were not pushed", async () => {
    const name = fresh();
    const foreign = [
      {
        mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        digest: NOWHERE,
        size: 5,
        urls: ["https://example.com/layer"],
      },
    ];
    await api.push(name, "v1", makeImage({ format: "docker", foreign }));
    expect(await api.tags(name)).toEqual(["v1"]);
  });

  test("nested indexes, empty indexes and images without layers are accepted", async () => {
    const name = fresh();
    await api.push(
      name,
      "nested",
      makeIndex([makeIndex([makeImage(), makeImage({ architecture: "arm64" })])]),
    );
    await api.push(name, "empty", makeIndex([]));
    await api.push(name, "bare", makeImage({ layers: [] }));
    expect(await api.tags(name)).toEqual(["bare", "empty", "nested"]);
  });

  test.each<[string, Partial<TestManifest>, string]>([
    ["that is not complete JSON", { bytes: Buffer.from("{") }, "MANIFEST_INVALID"],
    [
      "that begins with a byte order mark",
      { bytes: Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), makeImage().bytes]) },
      "MANIFEST_INVALID",
    ],
    [
      "that is not UTF-8",
      { bytes: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) },
      "MANIFEST_INVALID",
    ],
    [
      "with an unknown media type",
      { mediaType: "application/vnd.example+json" },
      "MANIFEST_INVALID",
    ],
    [
      "with another media type than its content says",
      { mediaType: "application/vnd.docker.distribution.manifest.v2+json" },
      "MANIFEST_INVALID",
    ],
    [
      "of Docker's schema 1",
      {
        mediaType: "application/vnd.docker.distribution.manifest.v1+prettyjws",
        bytes: Buffer.from('{"schemaVersion":1}'),
      },
      "MANIFEST_INVALID",
    ],
    [
      "with a config of an invalid digest",
      { bytes: Buffer.from('{"schemaVersion":2,"config":{"digest":"x","size":1}}') },
      "MANIFEST_INVALID",
    ],
    [
      "with a config whose sha512 is too short",
      {
        bytes: Buffer.from(
          `{"schemaVersion":2,"config":{"digest":"sha512:${"a".repeat(64)}","size":1},"layers":[]}`,
        ),
      },
      "MANIFEST_INVALID",
    ],
  ])("a manifest %s is refused", async (_what, change, code) => {
    const name = fresh();
    const answer = await api.putManifest(name, "v1", { ...makeImage(), ...change });
    expect([answer.status, codeOf(answer)]).toEqual([400, code]);
  });

  test("a manifest with a wrong digest or an invalid tag is refused", async () => {
    const name = fresh();
    const image = makeImage();
    await api.push(name, null, image);
    expect(codeOf(await api.putManifest(name, NOWHERE, image))).toBe("DIGEST_INVALID");
    for (const tag of [".x", "-x", "a".repeat(129), "%20", "a%2fb"])
      expect((await api.putManifest(name, tag, image)).status).toBe(400);
    expect((await api.putManifest(name, "a".repeat(128), image)).status).toBe(201);
  });

  test("a manifest of 4 MiB is accepted, and a larger one is refused with 413", async () => {
    const name = fresh();
    const size = 4 * 1024 * 1024;
    const sized = (bytes: number): TestManifest => {
      const image = makeImage({ annotations: { filler: "" } });
      const filler = "x".repeat(bytes - image.bytes.length);
      const manifest = Buffer.from(
        image.bytes.toString().replace('"filler": ""', `"filler": "${filler}"`),
      );
      return { ...image, bytes: manifest, digest: sha256(manifest) };
    };
    await api.push(name, "largest", sized(size));
    const answer = await api.putManifest(name, "larger", sized(size + 1));
    expect([answer.status, codeOf(answer)]).toEqual([413, "MANIFEST_INVALID"]);
    expect(await api.tags(name)).toEqual(["largest"]);
  });

  test("a manifest with a subject that does not exist is accepted, and the answer has OCI-Subject", async () => {
    const name = fresh();
    const subject = makeImage();
    const artifact = makeImage({ subject, artifactType: "application/vnd.example.sbom" });
    for (const { digest, bytes } of artifact.blobs)
      await api.putBlob(name, { digest, bytes, mediaType: "" });
    const answer = await api.putManifest(name, artifact.digest, artifact);
    expect([answer.status, header(answer, "oci-subject")]).toEqual([201, subject.digest]);
    expect(
      (await api.http("GET", `/v2/${name}/referrers/${subject.digest}`)).json,
    ).toMatchObject({
      manifests: [{ digest: artifact.digest }],
    });
  });
});
