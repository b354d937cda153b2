import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  descriptor,
  makeBlob,
  makeImage,
  makeIndex,
  sha256,
  type TestManifest,
} from "../../rigs/servers/images.ts";
import { codeOf, startImages, type Images } from "../../rigs/api/oci-server-fixture.ts";

/**
 * These tests follow the OCI distribution-spec 1.1 without its section "Push" (push.test.ts, push-manifests.test.ts):
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */
let api: Images;
beforeAll(async () => {
  api = await startImages();
});
afterAll(() => api.close());

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const NOWHERE = sha256(Buffer.from("nowhere"));
let made = 0;
/** Returns an image name that no other test uses. */
const fresh = (repository = "team/images") => `${repository}/app${(made += 1)}/part`;
const header = (answer: { headers: Headers }, name: string) => answer.headers.get(name);

describe("pulling manifests", () => {
  test("a manifest is answered to GET and HEAD, by tag and digest, with its type, digest and length", async () => {
    const name = fresh();
    for (const image of [makeImage(), makeImage({ format: "docker" })]) {
      await api.push(name, "v1", image);
      for (const reference of ["v1", image.digest]) {
        const got = await api.http("GET", `/v2/${name}/manifests/${reference}`);
        const head = await api.http("HEAD", `/v2/${name}/manifests/${reference}`);
        expect([got.status, head.status, head.bytes.length]).toEqual([200, 200, 0]);
        expect(got.bytes).toEqual(image.bytes);
        for (const answer of [got, head]) {
          expect(header(answer, "content-type")).toBe(image.mediaType);
          expect(header(answer, "docker-content-digest")).toBe(image.digest);
          expect(header(answer, "content-length")).toBe(String(image.bytes.length));
        }
      }
    }
  });

  test("a manifest is answered whatever the Accept header contains", async () => {
    const name = fresh();
    const index = makeIndex([makeImage()]);
    await api.push(name, "multi", index);
    for (const accept of [
      undefined,
      "*/*",
      "application/json",
      "application/vnd.docker.distribution.manifest.v2+json",
      OCI_INDEX,
    ]) {
      const answer = await api.http("GET", `/v2/${name}/manifests/multi`, {
        headers: accept === undefined ? {} : { accept },
      });
      expect([
        answer.status,
        header(answer, "content-type"),
        sha256(answer.bytes),
      ]).toEqual([200, OCI_INDEX, index.digest]);
    }
  });

  test("a client that sends the ETag of a manifest gets 304 until the tag moves", async () => {
    const name = fresh();
    const image = makeImage();
    await api.push(name, "v1", image);
    const etag = header(await api.http("GET", `/v2/${name}/manifests/v1`), "etag") ?? "";
    expect(
      (
        await api.http("GET", `/v2/${name}/manifests/v1`, {
          headers: { "if-none-match": etag },
        })
      ).status,
    ).toBe(304);
    await api.push(name, "v1", makeImage());
    expect(
      (
        await api.http("GET", `/v2/${name}/manifests/v1`, {
          headers: { "if-none-match": etag },
        })
      ).status,
    ).toBe(200);
  });

  test("a missing manifest, tag, image or repository is answered with 404", async () => {
    const name = fresh();
    await api.push(name, "v1", makeImage());
    const codes = [];
    for (const path of [
      `${name}/manifests/v2`,
      `${name}/manifests/${NOWHERE}`,
      `${fresh()}/manifests/v1`,
      "team/nothing/app/manifests/v1",
      "nobody/images/app/manifests/v1",
    ]) {
      for (const method of ["GET", "HEAD"])
        expect((await api.http(method, `/v2/${path}`)).status).toBe(404);
      codes.push(codeOf(await api.http("GET", `/v2/${path}`)));
    }
    expect(codes).toEqual([
      "MANIFEST_UNKNOWN",
      "MANIFEST_UNKNOWN",
      "MANIFEST_UNKNOWN",
      "NAME_UNKNOWN",
      "NAME_UNKNOWN",
    ]);
  });
});

describe("references under which nothing can be stored", () => {
  const NO_TAG = ["is not a valid tag", "letters, digits"];
  const NO_DIGEST = ["is not valid", "64 lower-case hex digits"];
  test.each([
    ["a tag that begins with a dot", "manifests/.INVALID_MANIFEST_NAME", NO_TAG],
    ["a tag that is too long", `manifests/${"a".repeat(129)}`, NO_TAG],
    ["a tag with a slash", "manifests/a%2fb", NO_TAG],
    ["a tag with a space", "manifests/%20", NO_TAG],
    ["a manifest's digest without hex digits", "manifests/sha256:zz", NO_DIGEST],
    ["a manifest's digest that is cut", `manifests/${NOWHERE.slice(0, -1)}`, NO_DIGEST],
    ["a manifest's digest of another algorithm", "manifests/md5:00", ["use sha256"]],
    ["a blob's digest without hex digits", "blobs/sha256:zz", NO_DIGEST],
    ["a blob's digest without algorithm", "blobs/abc", NO_DIGEST],
    ["a blob's digest of another algorithm", "blobs/md5:00", ["use sha256"]],
  ])(
    "GET and HEAD of %s are answered with 404 and the fault, DELETE with 400",
    async (_what, path, words) => {
      const name = fresh();
      await api.push(name, "v1", makeImage());
      const got = await api.http("GET", `/v2/${name}/${path}`);
      expect([got.status, codeOf(got)]).toEqual([
        404,
        path.startsWith("blobs") ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN",
      ]);
      for (const word of words) expect(got.text).toContain(word);
      expect((await api.http("HEAD", `/v2/${name}/${path}`)).status).toBe(404);
      expect((await api.http("DELETE", `/v2/${name}/${path}`)).status).toBe(400);
    },
  );
});

describe("pulling blobs", () => {
  test.each([0, 1, 1_000, 100_000])(
    "a blob of %i bytes is answered to GET and HEAD with its digest and length",
    async (size) => {
      const name = fresh();
      const blob = makeBlob(size);
      await api.putBlob(name, blob);
      const got = await api.http("GET", `/v2/${name}/blobs/${blob.digest}`);
      const head = await api.http(
        "HEAD",
        `/v2/${name}/blobs/${encodeURIComponent(blob.digest)}`,
      );
      expect([got.status, head.status, sha256(got.bytes)]).toEqual([
        200,
        200,
        blob.digest,
      ]);
      for (const answer of [got, head])
        expect([
          header(answer, "docker-content-digest"),
          header(answer, "content-length"),
        ]).toEqual([blob.digest, String(size)]);
    },
  );

  test.each([1_000, 100_000])(
    "a blob of %i bytes can be read with Range and If-None-Match",
    async (size) => {
      const name = fresh();
      const blob = makeBlob(size);
      await api.putBlob(name, blob);
      const path = `/v2/${name}/blobs/${blob.digest}`;
      const part = await api.http("GET", path, { headers: { range: "bytes=10-99" } });
      expect([
        part.status,
        header(part, "content-range"),
        part.bytes.equals(blob.bytes.subarray(10, 100)),
      ]).toEqual([206, `bytes 10-99/${size}`, true]);
      const rest = await api.http("GET", path, {
        headers: { range: `bytes=${size - 5}-` },
      });
      expect([rest.status, rest.bytes.equals(blob.bytes.subarray(-5))]).toEqual([
        206,
        true,
      ]);
      const beyond = await api.http("GET", path, {
        headers: { range: `bytes=${size}-` },
      });
      expect([beyond.status, header(beyond, "content-range")]).toEqual([
        416,
        `bytes */${size}`,
      ]);
      expect(
        (
          await api.http("GET", path, {
            headers: { "if-none-match": `"${blob.digest}"` },
          })
        ).status,
      ).toBe(304);
      const stale = await api.http("GET", path, {
        headers: { range: "bytes=0-1", "if-range": '"other"' },
      });
      expect([stale.status, stale.bytes.length]).toEqual([200, size]);
    },
  );

  test("a blob of one image is not found through another image", async () => {
    const [one, other] = [fresh(), fresh("team/docker")];
    const blob = makeBlob(500);
    await api.putBlob(one, blob);
    for (const method of ["GET", "HEAD", "DELETE"])
      expect((await api.http(method, `/v2/${other}/blobs/${blob.digest}`)).status).toBe(
        404,
      );
    expect(codeOf(await api.http("GET", `/v2/${other}/blobs/${blob.digest}`))).toBe(
      "BLOB_UNKNOWN",
    );
  });
});

describe("listing tags", () => {
  test("tags are listed in byte order, and in pages with n, last and Link", async () => {
    const name = fresh();
    const image = makeImage();
    await api.push(name, null, image);
    const all = ["1.0", "1.10", "1.9", "A", "_x", "a", "b.c", "latest"];
    for (const tag of all.toReversed()) await api.putManifest(name, tag, image);
    expect((await api.http("GET", `/v2/${name}/tags/list`)).json).toEqual({
      name,
      tags: all,
    });
    const seen: string[][] = [];
    for (let next: string | null = `/v2/${name}/tags/list?n=3`; next !== null;) {
      const page = await api.http("GET", next);
      seen.push((page.json as { tags: string[] }).tags);
      next = /^<(.+)>; rel="next"$/.exec(header(page, "link") ?? "")?.[1] ?? null;
    }
    expect(seen).toEqual([all.slice(0, 3), all.slice(3, 6), all.slice(6)]);
    expect((await api.http("GET", `/v2/${name}/tags/list?last=a`)).json).toEqual({
      name,
      tags: ["b.c", "latest"],
    });
    expect((await api.http("GET", `/v2/${name}/tags/list?n=1&last=aa`)).json).toEqual({
      name,
      tags: ["b.c"],
    });
    const none = await api.http("GET", `/v2/${name}/tags/list?n=0`);
    expect([none.json, header(none, "link")]).toEqual([{ name, tags: [] }, null]);
    for (const n of ["-1", "x", "1.5"])
      expect((await api.http("GET", `/v2/${name}/tags/list?n=${n}`)).status).toBe(400);
  });

  test("the tag list of an image without tags is empty, and that of a missing image is 404", async () => {
    const name = fresh();
    await api.push(name, null, makeImage());
    expect(await api.tags(name)).toEqual([]);
    expect(await api.tags(fresh())).toBeNull();
  });
});

describe("listing referrers", () => {
  type Listed = {
    schemaVersion: number;
    mediaType: string;
    manifests: Record<string, unknown>[];
  };
  const referrers = async (name: string, digest: string, query = "") => {
    const answer = await api.http("GET", `/v2/${name}/referrers/${digest}${query}`);
    expect([answer.status, header(answer, "content-type")]).toEqual([200, OCI_INDEX]);
    const { schemaVersion, mediaType, manifests } = answer.json as Listed;
    expect([schemaVersion, mediaType]).toEqual([2, OCI_INDEX]);
    return { manifests, filters: header(answer, "oci-filters-applied") };
  };

  test("referrers are listed with type and annotations, can be filtered by type, and can be deleted", async () => {
    const name = fresh();
    const subject = makeImage();
    await api.push(name, "v1", subject);
    const annotations = { "org.example.of": "the image" };
    const sbom = makeImage({
      subject,
      artifactType: "application/vnd.example.sbom",
      annotations,
    });
    const untyped = makeImage({ subject });
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_INDEX,
        manifests: [],
        subject: descriptor(subject),
        annotations,
      }),
    );
    const index: TestManifest = {
      bytes,
      digest: sha256(bytes),
      mediaType: OCI_INDEX,
      blobs: [],
      children: [],
    };
    for (const each of [sbom, untyped, index]) await api.push(name, null, each);
    const { manifests, filters } = await referrers(name, subject.digest);
    expect(filters).toBeNull();
    expect(manifests).toEqual([
      { ...descriptor(sbom), artifactType: "application/vnd.example.sbom", annotations },
      {
        ...descriptor(untyped),
        artifactType: "application/vnd.oci.image.config.v1+json",
      },
      { ...descriptor(index), annotations },
    ]);
    const filtered = await referrers(
      name,
      subject.digest,
      "?artifactType=application%2Fvnd.example.sbom",
    );
    expect([filtered.filters, filtered.manifests.map(({ digest }) => digest)]).toEqual([
      "artifactType",
      [sbom.digest],
    ]);
    expect(
      (await referrers(name, subject.digest, "?artifactType=other")).manifests,
    ).toEqual([]);
    expect((await referrers(fresh(), subject.digest)).manifests).toEqual([]);
    expect(
      (await api.http("DELETE", `/v2/${name}/manifests/${sbom.digest}`)).status,
    ).toBe(202);
    expect(
      (await referrers(name, subject.digest)).manifests.map(({ digest }) => digest),
    ).toEqual([untyped.digest, index.digest]);
  });

  test("a list of referrers of more than 4 MiB has pages with Links, and no entry is left out", async () => {
    const name = fresh();
    const subject = makeImage();
    const pushed: string[] = [];
    for (const size of [10, 3, 3, 1.5, 0, 1]) {
      const annotations = { "org.example.of": "a".repeat(size * 300_000) };
      const attached = makeImage({ subject, artifactType: "a/b+c", annotations });
      pushed.push(attached.digest);
      await api.push(name, null, attached);
    }
    const pages: number[] = [];
    const listed: unknown[] = [];
    let path: string | undefined =
      `/v2/${name}/referrers/${subject.digest}?artifactType=a%2Fb%2Bc`;
    while (path !== undefined) {
      const answer = await api.http("GET", path);
      expect([answer.status, header(answer, "oci-filters-applied")]).toEqual([
        200,
        "artifactType",
      ]);
      const { manifests } = answer.json as Listed;
      listed.push(...manifests.map(({ digest }) => digest));
      pages.push(manifests.length);
      path = /^<([^>]+)>; rel="next"$/.exec(header(answer, "link") ?? "")?.[1];
    }
    expect(listed).toEqual(pushed);
    expect(pages).toEqual([2, 4]);
    const wrong = await api.http(
      "GET",
      `/v2/${name}/referrers/${subject.digest}?last=sha256`,
    );
    expect([wrong.status, codeOf(wrong)]).toEqual([400, "UNSUPPORTED"]);
  });

  test("the referrers of a digest without attachments are an empty index, and an invalid digest is 400", async () => {
    const name = fresh();
    await api.push(name, "v1", makeImage());
    expect((await referrers(name, NOWHERE)).manifests).toEqual([]);
    expect((await referrers(fresh(), `sha512:${"a".repeat(128)}`)).manifests).toEqual([]);
    for (const digest of ["v1", "sha256:xyz", "sha256:ABC"])
      expect((await api.http("GET", `/v2/${name}/referrers/${digest}`)).status).toBe(400);
  });
});
