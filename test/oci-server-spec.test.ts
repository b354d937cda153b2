import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { descriptor, makeBlob, makeImage, makeIndex, sha256, type TestManifest } from "./servers/images.ts";
import { codeOf, startImages, withDigest, type Images } from "./oci-server-fixture.ts";

/** Section by section of distribution-spec 1.1: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md */
let api: Images;
beforeAll(async () => {
  api = await startImages();
});
afterAll(() => api.close());

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const NOWHERE = sha256(Buffer.from("nowhere"));
let made = 0;
/** An image name that no other test uses. */
const fresh = (repository = "team/images") => `${repository}/app${(made += 1)}/part`;
const header = (answer: { headers: Headers }, name: string) => answer.headers.get(name);

describe("determining support", () => {
  test("/v2/ answers 200, with and without the slash", async () => {
    for (const path of ["/v2/", "/v2"]) expect([(await api.http("GET", path)).status, header(await api.http("GET", path), "docker-distribution-api-version")]).toEqual([200, "registry/2.0"]);
  });
});

describe("pulling manifests", () => {
  test("GET and HEAD, by tag and by digest, answer the very bytes, their type, digest and length", async () => {
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

  test("what Accept says never hides a manifest: absent, anything, or another type", async () => {
    const name = fresh();
    const index = makeIndex([makeImage()]);
    await api.push(name, "multi", index);
    for (const accept of [undefined, "*/*", "application/json", "application/vnd.docker.distribution.manifest.v2+json", OCI_INDEX]) {
      const answer = await api.http("GET", `/v2/${name}/manifests/multi`, { headers: accept === undefined ? {} : { accept } });
      expect([answer.status, header(answer, "content-type"), sha256(answer.bytes)]).toEqual([200, OCI_INDEX, index.digest]);
    }
  });

  test("who has it already is told so, by ETag", async () => {
    const name = fresh();
    const image = makeImage();
    await api.push(name, "v1", image);
    const etag = header(await api.http("GET", `/v2/${name}/manifests/v1`), "etag") ?? "";
    expect((await api.http("GET", `/v2/${name}/manifests/v1`, { headers: { "if-none-match": etag } })).status).toBe(304);
    await api.push(name, "v1", makeImage());
    expect((await api.http("GET", `/v2/${name}/manifests/v1`, { headers: { "if-none-match": etag } })).status).toBe(200);
  });

  test("a manifest, tag, image or repository that is not there is 404", async () => {
    const name = fresh();
    await api.push(name, "v1", makeImage());
    const codes = [];
    for (const path of [`${name}/manifests/v2`, `${name}/manifests/${NOWHERE}`, `${fresh()}/manifests/v1`, "team/nothing/app/manifests/v1", "nobody/images/app/manifests/v1"]) {
      for (const method of ["GET", "HEAD"]) expect((await api.http(method, `/v2/${path}`)).status).toBe(404);
      codes.push(codeOf(await api.http("GET", `/v2/${path}`)));
    }
    expect(codes).toEqual(["MANIFEST_UNKNOWN", "MANIFEST_UNKNOWN", "MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NAME_UNKNOWN"]);
  });
});

describe("pulling blobs", () => {
  test.each([0, 1, 1_000, 100_000])("a blob of %i bytes: GET, HEAD, digest and length", async (size) => {
    const name = fresh();
    const blob = makeBlob(size);
    await api.putBlob(name, blob);
    const got = await api.http("GET", `/v2/${name}/blobs/${blob.digest}`);
    const head = await api.http("HEAD", `/v2/${name}/blobs/${encodeURIComponent(blob.digest)}`);
    expect([got.status, head.status, sha256(got.bytes)]).toEqual([200, 200, blob.digest]);
    for (const answer of [got, head]) expect([header(answer, "docker-content-digest"), header(answer, "content-length")]).toEqual([blob.digest, String(size)]);
  });

  test.each([1_000, 100_000])("Range and If-None-Match of a blob of %i bytes", async (size) => {
    const name = fresh();
    const blob = makeBlob(size);
    await api.putBlob(name, blob);
    const path = `/v2/${name}/blobs/${blob.digest}`;
    const part = await api.http("GET", path, { headers: { range: "bytes=10-99" } });
    expect([part.status, header(part, "content-range"), part.bytes.equals(blob.bytes.subarray(10, 100))]).toEqual([206, `bytes 10-99/${size}`, true]);
    const rest = await api.http("GET", path, { headers: { range: `bytes=${size - 5}-` } });
    expect([rest.status, rest.bytes.equals(blob.bytes.subarray(-5))]).toEqual([206, true]);
    const beyond = await api.http("GET", path, { headers: { range: `bytes=${size}-` } });
    expect([beyond.status, header(beyond, "content-range")]).toEqual([416, `bytes */${size}`]);
    expect((await api.http("GET", path, { headers: { "if-none-match": `"${blob.digest}"` } })).status).toBe(304);
    const stale = await api.http("GET", path, { headers: { range: "bytes=0-1", "if-range": '"other"' } });
    expect([stale.status, stale.bytes.length]).toEqual([200, size]);
  });

  test("a blob is there for its own image only", async () => {
    const [one, other] = [fresh(), fresh("team/docker")];
    const blob = makeBlob(500);
    await api.putBlob(one, blob);
    for (const method of ["GET", "HEAD", "DELETE"]) expect((await api.http(method, `/v2/${other}/blobs/${blob.digest}`)).status).toBe(404);
    expect(codeOf(await api.http("GET", `/v2/${other}/blobs/${blob.digest}`))).toBe("BLOB_UNKNOWN");
  });
});

describe("pushing a blob monolithically", () => {
  test.each([0, 300, 100_000, 3_000_000])("POST then PUT, %i bytes", async (size) => {
    const name = fresh();
    const blob = makeBlob(size);
    const begun = await api.http("POST", `/v2/${name}/blobs/uploads/`);
    const location = header(begun, "location") ?? "";
    expect(begun.status).toBe(202);
    expect(location).toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/);
    const done = await api.http("PUT", withDigest(location, blob.digest), { body: blob.bytes });
    expect(done.status).toBe(201);
    expect(sha256((await api.http("GET", header(done, "location") ?? "")).bytes)).toBe(blob.digest);
    expect((await api.http("GET", location)).status).toBe(404);
  });

  test.each([0, 300, 100_000])("a single POST, %i bytes", async (size) => {
    const name = fresh();
    const blob = makeBlob(size);
    const done = await api.http("POST", `/v2/${name}/blobs/uploads/?digest=${blob.digest}`, { body: blob.bytes });
    expect([done.status, header(done, "docker-content-digest")]).toEqual([201, blob.digest]);
    expect(sha256((await api.http("GET", header(done, "location") ?? "")).bytes)).toBe(blob.digest);
  });

  test.each(["sha512:" + "a".repeat(128), "sha256:abc", "md5:00", "nonsense"])("the digest %s is refused", async (digest) => {
    const name = fresh();
    for (const path of [`/v2/${name}/blobs/uploads/?digest=${digest}`, withDigest(await api.begin(name), digest)]) {
      const answer = await api.http(path.includes("uploads/?") ? "POST" : "PUT", path, { body: "x" });
      expect([answer.status, codeOf(answer)]).toEqual([400, "DIGEST_INVALID"]);
    }
    expect(await api.tags(name)).toBeNull();
  });

  test("another digest than announced keeps nothing", async () => {
    const name = fresh();
    for (const size of [100, 100_000]) {
      const [sent, announced] = [makeBlob(size), makeBlob(size)];
      const single = await api.http("POST", `/v2/${name}/blobs/uploads/?digest=${announced.digest}`, { body: sent.bytes });
      const put = await api.http("PUT", withDigest(await api.begin(name), announced.digest), { body: sent.bytes });
      const location = await api.begin(name);
      await api.http("PATCH", location, { body: sent.bytes });
      const closed = await api.http("PUT", withDigest(location, announced.digest));
      for (const answer of [single, put, closed]) expect([answer.status, codeOf(answer)]).toEqual([400, "DIGEST_INVALID"]);
      for (const { digest } of [sent, announced]) expect((await api.http("HEAD", `/v2/${name}/blobs/${digest}`)).status).toBe(404);
    }
  });

  test("an unsupported digest-algorithm is refused at the beginning", async () => {
    const answer = await api.http("POST", `/v2/${fresh()}/blobs/uploads/?digest-algorithm=sha512`);
    expect([answer.status, codeOf(answer)]).toEqual([400, "DIGEST_INVALID"]);
  });
});

describe("pushing a blob in chunks", () => {
  const chunk = (bytes: Buffer, from: number, to: number) => ({ body: bytes.subarray(from, to), headers: { "content-range": `${from}-${to - 1}`, "content-type": "application/octet-stream" } });

  test("in order, the last one with PATCH or with PUT", async () => {
    for (const last of ["PATCH", "PUT"]) {
      const name = fresh();
      const { bytes, digest } = makeBlob(100_000);
      const begun = await api.http("POST", `/v2/${name}/blobs/uploads/`, { headers: { "content-length": "0" } });
      expect([header(begun, "range"), header(begun, "oci-chunk-min-length")]).toEqual(["0-0", null]);
      let location = header(begun, "location") ?? "";
      for (const [from, to] of [[0, 10], [10, 40_000], ...(last === "PATCH" ? [[40_000, 100_000]] : [])] as [number, number][]) {
        const answer = await api.http("PATCH", location, chunk(bytes, from, to));
        expect([answer.status, header(answer, "range")]).toEqual([202, `0-${to - 1}`]);
        location = header(answer, "location") ?? "";
      }
      const closed = await api.http("PUT", withDigest(location, digest), last === "PUT" ? chunk(bytes, 40_000, 100_000) : {});
      expect(closed.status).toBe(201);
      expect(sha256((await api.http("GET", header(closed, "location") ?? "")).bytes)).toBe(digest);
    }
  });

  test("as a stream without Content-Range, continued where it ended", async () => {
    const name = fresh();
    const { bytes, digest } = makeBlob(50_000);
    const location = await api.begin(name);
    expect((await api.http("PATCH", location, { body: bytes.subarray(0, 30_000) })).status).toBe(202);
    expect(header(await api.http("PATCH", location, { body: bytes.subarray(30_000) }), "range")).toBe("0-49999");
    expect((await api.http("PUT", withDigest(location, digest))).status).toBe(201);
  });

  test("a gap, a repetition or a first chunk that is not the first is 416 with the true range, for PATCH and for the closing PUT; then the upload goes on", async () => {
    const name = fresh();
    const { bytes, digest } = makeBlob(1_000);
    const location = await api.begin(name);
    expect((await api.http("PATCH", location, chunk(bytes, 100, 200))).status).toBe(416);
    expect((await api.http("PATCH", location, chunk(bytes, 0, 500))).status).toBe(202);
    for (const [from, to] of [[501, 600], [0, 500], [400, 600]] as const) {
      for (const answer of [await api.http("PATCH", location, chunk(bytes, from, to)), await api.http("PUT", withDigest(location, digest), chunk(bytes, from, to))]) {
        expect([answer.status, header(answer, "range"), header(answer, "location")]).toEqual([416, "0-499", location]);
      }
    }
    const status = await api.http("GET", location);
    expect([status.status, header(status, "range"), header(status, "location")]).toEqual([204, "0-499", location]);
    expect((await api.http("PATCH", location, chunk(bytes, 500, 1_000))).status).toBe(202);
    expect((await api.http("PUT", withDigest(location, digest))).status).toBe(201);
  });

  test("a Content-Range that is none, or not as long as the body, is refused", async () => {
    const location = await api.begin(fresh());
    for (const range of ["bytes", "5-1", "0-", "a-b"]) expect((await api.http("PATCH", location, { body: "hello", headers: { "content-range": range } })).status).toBe(400);
    expect(codeOf(await api.http("PATCH", location, { body: "hello", headers: { "content-range": "0-9" } }))).toBe("SIZE_INVALID");
    expect(header(await api.http("GET", location), "range")).toBe("0-0");
  });

  test("a session of another image, of another instance, or one that ended, is unknown", async () => {
    const [name, other] = [fresh(), fresh()];
    const location = await api.begin(name);
    await api.http("PATCH", location, { body: "hello" });
    const { digest } = makeBlob("hello");
    const stolen = location.replace(name, other);
    for (const answer of [await api.http("PUT", withDigest(stolen, digest)), await api.http("GET", stolen), await api.http("DELETE", stolen), await api.http("PATCH", stolen, { body: "x" })]) {
      expect([answer.status, codeOf(answer)]).toEqual([404, answer.text === "" ? "" : "BLOB_UPLOAD_UNKNOWN"]);
    }
    expect((await api.http("GET", `/v2/${name}/blobs/uploads/00000000-0000-0000-0000-000000000000`)).status).toBe(404);
    expect((await api.http("DELETE", location)).status).toBe(204);
    for (const method of ["GET", "DELETE"]) expect((await api.http(method, location)).status).toBe(404);
    expect((await api.http("PUT", withDigest(location, digest))).status).toBe(404);
  });
});

describe("mounting a blob from another repository", () => {
  test("201 where it is there; else an ordinary upload", async () => {
    const [source, target] = [fresh(), fresh("team/docker")];
    const blob = makeBlob(2_000);
    await api.putBlob(source, blob);
    const mounted = await api.http("POST", `/v2/${target}/blobs/uploads/?mount=${blob.digest}&from=${source}`);
    expect([mounted.status, header(mounted, "docker-content-digest")]).toEqual([201, blob.digest]);
    expect(sha256((await api.http("GET", header(mounted, "location") ?? "")).bytes)).toBe(blob.digest);
    for (const query of [`mount=${NOWHERE}&from=${source}`, `mount=${blob.digest}&from=${fresh()}`, `mount=${blob.digest}&from=nobody/nothing/x`, `mount=${blob.digest}&from=../x`, `mount=${blob.digest}`]) {
      const answer = await api.http("POST", `/v2/${fresh()}/blobs/uploads/?${query}`);
      expect([answer.status, header(answer, "location")]).toEqual([202, expect.stringContaining("/blobs/uploads/")]);
    }
  });
});

describe("pushing manifests", () => {
  test("201 with Location and digest, by tag and by digest; by digest with tags as parameters", async () => {
    const name = fresh();
    const image = makeImage();
    await api.push(name, null, image);
    for (const reference of ["v1", image.digest, `${image.digest}?tag=a&tag=b`]) {
      const answer = await api.putManifest(name, reference, image);
      expect([answer.status, header(answer, "docker-content-digest"), header(answer, "oci-tag")]).toEqual([201, image.digest, reference.includes("?") ? "a, b" : null]);
      expect(sha256((await api.http("GET", header(answer, "location") ?? "")).bytes)).toBe(image.digest);
    }
    expect(await api.tags(name)).toEqual(["a", "b", "v1"]);
  });

  test("what is not there is named: blobs of an image, children of an index", async () => {
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

  test("another image's blobs do not count", async () => {
    const image = makeImage();
    await api.push(fresh(), "v1", image);
    expect(codeOf(await api.putManifest(fresh(), "v1", image))).toBe("MANIFEST_BLOB_UNKNOWN");
  });

  test("foreign layers lie elsewhere", async () => {
    const name = fresh();
    const foreign = [{ mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", digest: NOWHERE, size: 5, urls: ["https://example.com/layer"] }];
    await api.push(name, "v1", makeImage({ format: "docker", foreign }));
    expect(await api.tags(name)).toEqual(["v1"]);
  });

  test("nested indexes, empty indexes and images without layers are taken", async () => {
    const name = fresh();
    await api.push(name, "nested", makeIndex([makeIndex([makeImage(), makeImage({ architecture: "arm64" })])]));
    await api.push(name, "empty", makeIndex([]));
    await api.push(name, "bare", makeImage({ layers: [] }));
    expect(await api.tags(name)).toEqual(["bare", "empty", "nested"]);
  });

  test.each<[string, Partial<TestManifest>, string]>([
    ["no JSON", { bytes: Buffer.from("{") }, "MANIFEST_INVALID"],
    ["not UTF-8", { bytes: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) }, "MANIFEST_INVALID"],
    ["an unknown media type", { mediaType: "application/vnd.example+json" }, "MANIFEST_INVALID"],
    ["another media type than its own", { mediaType: "application/vnd.docker.distribution.manifest.v2+json" }, "MANIFEST_INVALID"],
    ["Docker's schema 1", { mediaType: "application/vnd.docker.distribution.manifest.v1+prettyjws", bytes: Buffer.from('{"schemaVersion":1}') }, "MANIFEST_INVALID"],
    ["a layer without digest", { bytes: Buffer.from('{"schemaVersion":2,"config":{"digest":"x","size":1}}') }, "MANIFEST_INVALID"],
    ["a layer of sha512", { bytes: Buffer.from(`{"schemaVersion":2,"config":{"digest":"sha512:${"a".repeat(128)}","size":1},"layers":[]}`) }, "MANIFEST_INVALID"],
  ])("%s is refused", async (_what, change, code) => {
    const name = fresh();
    const answer = await api.putManifest(name, "v1", { ...makeImage(), ...change });
    expect([answer.status, codeOf(answer)]).toEqual([400, code]);
  });

  test("another digest than its own is refused, as is what is no tag", async () => {
    const name = fresh();
    const image = makeImage();
    await api.push(name, null, image);
    expect(codeOf(await api.putManifest(name, NOWHERE, image))).toBe("DIGEST_INVALID");
    for (const tag of [".x", "-x", "a".repeat(129), "%20", "a%2fb"]) expect((await api.putManifest(name, tag, image)).status).toBe(400);
    expect((await api.putManifest(name, "a".repeat(128), image)).status).toBe(201);
  });

  test("4 MiB are taken, more is 413", async () => {
    const name = fresh();
    const size = 4 * 1024 * 1024;
    const sized = (bytes: number): TestManifest => {
      const image = makeImage({ annotations: { filler: "" } });
      const filler = "x".repeat(bytes - image.bytes.length);
      const manifest = Buffer.from(image.bytes.toString().replace('"filler": ""', `"filler": "${filler}"`));
      return { ...image, bytes: manifest, digest: sha256(manifest) };
    };
    await api.push(name, "largest", sized(size));
    const answer = await api.putManifest(name, "larger", sized(size + 1));
    expect([answer.status, codeOf(answer)]).toEqual([413, "MANIFEST_INVALID"]);
    expect(await api.tags(name)).toEqual(["largest"]);
  });

  test("with a subject that need not be there: OCI-Subject", async () => {
    const name = fresh();
    const subject = makeImage();
    const artifact = makeImage({ subject, artifactType: "application/vnd.example.sbom" });
    for (const { digest, bytes } of artifact.blobs) await api.putBlob(name, { digest, bytes, mediaType: "" });
    const answer = await api.putManifest(name, artifact.digest, artifact);
    expect([answer.status, header(answer, "oci-subject")]).toEqual([201, subject.digest]);
    expect((await api.http("GET", `/v2/${name}/referrers/${subject.digest}`)).json).toMatchObject({ manifests: [{ digest: artifact.digest }] });
  });
});

describe("listing tags", () => {
  test("in the order of their bytes, by pages with n, last and Link", async () => {
    const name = fresh();
    const image = makeImage();
    await api.push(name, null, image);
    const all = ["1.0", "1.10", "1.9", "A", "_x", "a", "b.c", "latest"];
    for (const tag of all.toReversed()) await api.putManifest(name, tag, image);
    expect((await api.http("GET", `/v2/${name}/tags/list`)).json).toEqual({ name, tags: all });
    const seen: string[][] = [];
    for (let next: string | null = `/v2/${name}/tags/list?n=3`; next !== null; ) {
      const page = await api.http("GET", next);
      seen.push((page.json as { tags: string[] }).tags);
      next = /^<(.+)>; rel="next"$/.exec(header(page, "link") ?? "")?.[1] ?? null;
    }
    expect(seen).toEqual([all.slice(0, 3), all.slice(3, 6), all.slice(6)]);
    expect((await api.http("GET", `/v2/${name}/tags/list?last=a`)).json).toEqual({ name, tags: ["b.c", "latest"] });
    expect((await api.http("GET", `/v2/${name}/tags/list?n=1&last=aa`)).json).toEqual({ name, tags: ["b.c"] });
    const none = await api.http("GET", `/v2/${name}/tags/list?n=0`);
    expect([none.json, header(none, "link")]).toEqual([{ name, tags: [] }, null]);
    for (const n of ["-1", "x", "1.5"]) expect((await api.http("GET", `/v2/${name}/tags/list?n=${n}`)).status).toBe(400);
  });

  test("an image without tags has an empty list; what is no image is 404", async () => {
    const name = fresh();
    await api.push(name, null, makeImage());
    expect(await api.tags(name)).toEqual([]);
    expect(await api.tags(fresh())).toBeNull();
  });
});

describe("listing referrers", () => {
  type Listed = { schemaVersion: number; mediaType: string; manifests: Record<string, unknown>[] };
  const referrers = async (name: string, digest: string, query = "") => {
    const answer = await api.http("GET", `/v2/${name}/referrers/${digest}${query}`);
    expect([answer.status, header(answer, "content-type")]).toEqual([200, OCI_INDEX]);
    const { schemaVersion, mediaType, manifests } = answer.json as Listed;
    expect([schemaVersion, mediaType]).toEqual([2, OCI_INDEX]);
    return { manifests, filters: header(answer, "oci-filters-applied") };
  };

  test("descriptors with artifactType, or the config's type, and annotations; filtered when asked; gone when deleted", async () => {
    const name = fresh();
    const subject = makeImage();
    await api.push(name, "v1", subject);
    const annotations = { "org.example.of": "the image" };
    const sbom = makeImage({ subject, artifactType: "application/vnd.example.sbom", annotations });
    const untyped = makeImage({ subject });
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], subject: descriptor(subject), annotations }));
    const index: TestManifest = { bytes, digest: sha256(bytes), mediaType: OCI_INDEX, blobs: [], children: [] };
    for (const each of [sbom, untyped, index]) await api.push(name, null, each);
    const { manifests, filters } = await referrers(name, subject.digest);
    expect(filters).toBeNull();
    expect(manifests).toEqual([
      { ...descriptor(sbom), artifactType: "application/vnd.example.sbom", annotations },
      { ...descriptor(untyped), artifactType: "application/vnd.oci.image.config.v1+json" },
      { ...descriptor(index), annotations },
    ]);
    const filtered = await referrers(name, subject.digest, "?artifactType=application%2Fvnd.example.sbom");
    expect([filtered.filters, filtered.manifests.map(({ digest }) => digest)]).toEqual(["artifactType", [sbom.digest]]);
    expect((await referrers(name, subject.digest, "?artifactType=other")).manifests).toEqual([]);
    expect((await referrers(fresh(), subject.digest)).manifests).toEqual([]);
    expect((await api.http("DELETE", `/v2/${name}/manifests/${sbom.digest}`)).status).toBe(202);
    expect((await referrers(name, subject.digest)).manifests.map(({ digest }) => digest)).toEqual([untyped.digest, index.digest]);
  });

  test("nothing attached is an empty index, also of a digest that is not here; a digest that is none is 400", async () => {
    const name = fresh();
    await api.push(name, "v1", makeImage());
    expect((await referrers(name, NOWHERE)).manifests).toEqual([]);
    expect((await referrers(fresh(), `sha512:${"a".repeat(128)}`)).manifests).toEqual([]);
    for (const digest of ["v1", "sha256:xyz", "sha256:ABC"]) expect((await api.http("GET", `/v2/${name}/referrers/${digest}`)).status).toBe(400);
  });
});

describe("content management", () => {
  test("deleting a tag leaves the manifest; deleting the manifest takes its tags along; blobs go alone", async () => {
    const name = fresh();
    const image = makeImage();
    for (const tag of ["a", "b", "c"]) await api.push(name, tag, image);
    expect((await api.http("DELETE", `/v2/${name}/manifests/a`)).status).toBe(202);
    expect([(await api.http("GET", `/v2/${name}/manifests/a`)).status, (await api.http("GET", `/v2/${name}/manifests/${image.digest}`)).status]).toEqual([404, 200]);
    expect((await api.http("DELETE", `/v2/${name}/manifests/${image.digest}`)).status).toBe(202);
    for (const reference of ["b", "c", image.digest]) expect((await api.http("GET", `/v2/${name}/manifests/${reference}`)).status).toBe(404);
    const [config] = image.blobs;
    expect((await api.http("DELETE", `/v2/${name}/blobs/${config?.digest}`)).status).toBe(202);
    expect((await api.http("GET", `/v2/${name}/blobs/${config?.digest}`)).status).toBe(404);
  });

  test("what is not there is 404", async () => {
    const name = fresh();
    await api.push(name, "v1", makeImage());
    for (const path of [`manifests/v2`, `manifests/${NOWHERE}`, `blobs/${NOWHERE}`]) {
      for (const image of [name, fresh(), "nobody/images/x"]) expect((await api.http("DELETE", `/v2/${image}/${path}`)).status).toBe(404);
    }
  });
});

describe("the catalog", () => {
  test("names the images with tags of all hosted repositories, by pages", async () => {
    const names = ["team/images/zz-a", "team/images/zz-b/c", "team/docker/zz"];
    for (const name of names) await api.push(name, "v1", makeImage());
    const seen: string[] = [];
    for (let next: string | null = "/v2/_catalog?n=2"; next !== null; ) {
      const page = await api.http("GET", next);
      seen.push(...(page.json as { repositories: string[] }).repositories);
      next = /^<(.+)>; rel="next"$/.exec(header(page, "link") ?? "")?.[1] ?? null;
    }
    expect(seen).toEqual(seen.toSorted());
    expect(seen).toEqual(expect.arrayContaining(names));
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe("errors", () => {
  test("have distribution's form", async () => {
    const answer = await api.http("GET", "/v2/team/images/none/manifests/v1");
    expect(header(answer, "content-type")).toContain("application/json");
    expect(answer.json).toEqual({ errors: [{ code: "MANIFEST_UNKNOWN", message: expect.stringContaining("v1") }] });
  });

  test.each([
    ["a linked repository", "team/linked/app", "NAME_UNKNOWN", "linked"],
    ["a repository of files", "team/files/app", "NAME_UNKNOWN", "GENERIC"],
    ["a repository without an image", "team/images", "NAME_UNKNOWN", "project/repository/image"],
    ["a missing repository", "team/none/app", "NAME_UNKNOWN", "team/none"],
    ["upper case", "team/images/App", "NAME_INVALID", "lower-case"],
    ["an empty part", "team/images//app", "NAME_INVALID", "lower-case"],
    ["an encoded slash", "team/images/a%2fb", "NAME_INVALID", "lower-case"],
    ["a name that is too long", `team/images/${"a".repeat(250)}`, "NAME_INVALID", "255"],
  ])("%s says so to those who push and to those who pull", async (_what, name, code, words) => {
    for (const answer of [await api.http("POST", `/v2/${name}/blobs/uploads/`), await api.http("GET", `/v2/${name}/tags/list`)]) {
      expect([answer.status, codeOf(answer), answer.text]).toEqual([code === "NAME_INVALID" ? 400 : 404, code, expect.stringContaining(words)]);
    }
  });

  test("methods that are not offered are 405, paths that are not 404", async () => {
    const answer = await api.http("PATCH", "/v2/team/images/app/manifests/v1", { body: "x" });
    expect([answer.status, header(answer, "allow"), codeOf(answer)]).toEqual([405, "GET, HEAD, PUT, DELETE", "UNSUPPORTED"]);
    for (const path of ["/v2/x", "/v2/team/images/app/manifests", "/v2/team/images/app/tags", "/v2/constructor", "/v2//"]) expect((await api.http("GET", path)).status).toBe(404);
  });
});
