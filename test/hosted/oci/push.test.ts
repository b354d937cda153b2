import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { descriptor, makeBlob, makeImage, sha256 } from "../../rigs/servers/images.ts";
import {
  codeOf,
  startImages,
  withDigest,
  type Images,
} from "../../rigs/api/oci-server-fixture.ts";

/**
 * These tests follow the section "Push" of the OCI distribution-spec 1.1:
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */
let api: Images;
beforeAll(async () => {
  api = await startImages();
});
afterAll(() => api.close());

const sha512 = (bytes: Uint8Array) =>
  `sha512:${createHash("sha512").update(bytes).digest("hex")}`;
const NOWHERE = sha256(Buffer.from("nowhere"));
let made = 0;
/** Returns an image name that no other test uses. */
const fresh = (repository = "team/images") => `${repository}/app${(made += 1)}/part`;
const header = (answer: { headers: Headers }, name: string) => answer.headers.get(name);

describe("pushing a blob in one request", () => {
  test.each([0, 300, 100_000, 3_000_000])(
    "a blob of %i bytes can be pushed with POST and PUT",
    async (size) => {
      const name = fresh();
      const blob = makeBlob(size);
      const begun = await api.http("POST", `/v2/${name}/blobs/uploads/`);
      const location = header(begun, "location") ?? "";
      expect(begun.status).toBe(202);
      expect(location).toMatch(
        /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/,
      );
      const done = await api.http("PUT", withDigest(location, blob.digest), {
        body: blob.bytes,
      });
      expect(done.status).toBe(201);
      expect(sha256((await api.http("GET", header(done, "location") ?? "")).bytes)).toBe(
        blob.digest,
      );
      expect((await api.http("GET", location)).status).toBe(404);
    },
  );

  test.each([0, 300, 100_000])(
    "a blob of %i bytes can be pushed with a single POST",
    async (size) => {
      const name = fresh();
      const blob = makeBlob(size);
      const done = await api.http(
        "POST",
        `/v2/${name}/blobs/uploads/?digest=${blob.digest}`,
        { body: blob.bytes },
      );
      expect([done.status, header(done, "docker-content-digest")]).toEqual([
        201,
        blob.digest,
      ]);
      expect(sha256((await api.http("GET", header(done, "location") ?? "")).bytes)).toBe(
        blob.digest,
      );
    },
  );

  test.each([
    "sha512:" + "a".repeat(64),
    "sha384:" + "a".repeat(96),
    "sha256:abc",
    "md5:00",
    "nonsense",
  ])("a blob upload with the digest %s is refused", async (digest) => {
    const name = fresh();
    for (const path of [
      `/v2/${name}/blobs/uploads/?digest=${digest}`,
      withDigest(await api.begin(name), digest),
    ]) {
      const answer = await api.http(path.includes("uploads/?") ? "POST" : "PUT", path, {
        body: "x",
      });
      expect([answer.status, codeOf(answer)]).toEqual([400, "DIGEST_INVALID"]);
    }
    expect(await api.tags(name)).toBeNull();
  });

  test.each([10, 100_000])(
    "a blob of %i bytes can be pushed, mounted and pulled by its sha512, and used by an image",
    async (size) => {
      const [name, other] = [fresh(), fresh()];
      const [blob, config] = [makeBlob(size), makeBlob("{}")].map((made) => ({
        ...made,
        digest: sha512(made.bytes),
      }));
      if (!blob || !config) throw new Error("no blobs");
      const single = await api.http(
        "POST",
        `/v2/${name}/blobs/uploads/?digest=${config.digest}`,
        {
          body: config.bytes,
        },
      );
      const location = await api.begin(name);
      await api.http("PATCH", location, { body: blob.bytes });
      const closed = await api.http("PUT", withDigest(location, blob.digest));
      const mounted = await api.http(
        "POST",
        `/v2/${other}/blobs/uploads/?mount=${blob.digest}&from=${name}`,
      );
      expect([single.status, closed.status, mounted.status]).toEqual([201, 201, 201]);
      expect(
        (await api.http("GET", `/v2/${other}/blobs/${blob.digest}`)).bytes.equals(
          blob.bytes,
        ),
      ).toBe(true);
      expect(
        (await api.http("HEAD", `/v2/${name}/blobs/${sha256(blob.bytes)}`)).status,
      ).toBe(404);
      const wrong = await api.http(
        "PUT",
        withDigest(await api.begin(name), blob.digest),
        { body: "other" },
      );
      expect([wrong.status, codeOf(wrong)]).toEqual([400, "DIGEST_INVALID"]);

      const mediaType = makeImage().mediaType;
      const bytes = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType,
          config: descriptor(config),
          layers: [descriptor(blob)],
        }),
      );
      const digest = sha512(bytes);
      const put = await api.http("PUT", `/v2/${name}/manifests/${digest}?tag=v1`, {
        body: bytes,
        headers: { "content-type": mediaType },
      });
      expect([put.status, header(put, "docker-content-digest")]).toEqual([201, digest]);
      for (const reference of [digest, "v1"])
        expect(
          (await api.http("GET", `/v2/${name}/manifests/${reference}`)).bytes.equals(
            bytes,
          ),
        ).toBe(true);
      expect((await api.http("DELETE", `/v2/${name}/manifests/${digest}`)).status).toBe(
        202,
      );
      expect((await api.http("GET", `/v2/${name}/manifests/v1`)).status).toBe(404);
    },
  );

  test("a blob whose digest differs from the announced one is refused and not kept", async () => {
    const name = fresh();
    for (const size of [100, 100_000]) {
      const [sent, announced] = [makeBlob(size), makeBlob(size)];
      const single = await api.http(
        "POST",
        `/v2/${name}/blobs/uploads/?digest=${announced.digest}`,
        {
          body: sent.bytes,
        },
      );
      const put = await api.http(
        "PUT",
        withDigest(await api.begin(name), announced.digest),
        { body: sent.bytes },
      );
      const location = await api.begin(name);
      await api.http("PATCH", location, { body: sent.bytes });
      const closed = await api.http("PUT", withDigest(location, announced.digest));
      for (const answer of [single, put, closed])
        expect([answer.status, codeOf(answer)]).toEqual([400, "DIGEST_INVALID"]);
      for (const { digest } of [sent, announced])
        expect((await api.http("HEAD", `/v2/${name}/blobs/${digest}`)).status).toBe(404);
    }
  });

  test("a blob upload is refused at its start if its digest-algorithm is unsupported", async () => {
    const answer = await api.http(
      "POST",
      `/v2/${fresh()}/blobs/uploads/?digest-algorithm=sha384`,
    );
    expect([answer.status, codeOf(answer)]).toEqual([400, "DIGEST_INVALID"]);
  });
});

describe("pushing a blob in chunks", () => {
  const chunk = (bytes: Buffer, from: number, to: number) => ({
    body: bytes.subarray(from, to),
    headers: {
      "content-range": `${from}-${to - 1}`,
      "content-type": "application/octet-stream",
    },
  });

  test("chunks of a blob are pushed in order, the last one with PATCH or with PUT", async () => {
    for (const last of ["PATCH", "PUT"]) {
      const name = fresh();
      const { bytes, digest } = makeBlob(100_000);
      const begun = await api.http("POST", `/v2/${name}/blobs/uploads/`, {
        headers: { "content-length": "0" },
      });
      expect([header(begun, "range"), header(begun, "oci-chunk-min-length")]).toEqual([
        "0-0",
        null,
      ]);
      let location = header(begun, "location") ?? "";
      for (const [from, to] of [
        [0, 10],
        [10, 40_000],
        ...(last === "PATCH" ? [[40_000, 100_000]] : []),
      ] as [number, number][]) {
        const answer = await api.http("PATCH", location, chunk(bytes, from, to));
        expect([answer.status, header(answer, "range")]).toEqual([202, `0-${to - 1}`]);
        location = header(answer, "location") ?? "";
      }
      const closed = await api.http(
        "PUT",
        withDigest(location, digest),
        last === "PUT" ? chunk(bytes, 40_000, 100_000) : {},
      );
      expect(closed.status).toBe(201);
      expect(
        sha256((await api.http("GET", header(closed, "location") ?? "")).bytes),
      ).toBe(digest);
    }
  });

  test("a blob can be pushed without Content-Range, in several requests", async () => {
    const name = fresh();
    const { bytes, digest } = makeBlob(50_000);
    const location = await api.begin(name);
    expect(
      (await api.http("PATCH", location, { body: bytes.subarray(0, 30_000) })).status,
    ).toBe(202);
    expect(
      header(
        await api.http("PATCH", location, { body: bytes.subarray(30_000) }),
        "range",
      ),
    ).toBe("0-49999");
    expect((await api.http("PUT", withDigest(location, digest))).status).toBe(201);
  });

  test("a chunk at a wrong offset is refused with 416 and the stored range, and the upload can go on", async () => {
    const name = fresh();
    const { bytes, digest } = makeBlob(1_000);
    const location = await api.begin(name);
    expect((await api.http("PATCH", location, chunk(bytes, 100, 200))).status).toBe(416);
    expect((await api.http("PATCH", location, chunk(bytes, 0, 500))).status).toBe(202);
    for (const [from, to] of [
      [501, 600],
      [0, 500],
      [400, 600],
    ] as const) {
      for (const answer of [
        await api.http("PATCH", location, chunk(bytes, from, to)),
        await api.http("PUT", withDigest(location, digest), chunk(bytes, from, to)),
      ]) {
        expect([
          answer.status,
          header(answer, "range"),
          header(answer, "location"),
        ]).toEqual([416, "0-499", location]);
      }
    }
    const status = await api.http("GET", location);
    expect([status.status, header(status, "range"), header(status, "location")]).toEqual([
      204,
      "0-499",
      location,
    ]);
    expect((await api.http("PATCH", location, chunk(bytes, 500, 1_000))).status).toBe(
      202,
    );
    expect((await api.http("PUT", withDigest(location, digest))).status).toBe(201);
  });

  test("a chunk is refused if its Content-Range is invalid or does not match the body's length", async () => {
    const location = await api.begin(fresh());
    for (const range of ["bytes", "5-1", "0-", "a-b"])
      expect(
        (
          await api.http("PATCH", location, {
            body: "hello",
            headers: { "content-range": range },
          })
        ).status,
      ).toBe(400);
    expect(
      codeOf(
        await api.http("PATCH", location, {
          body: "hello",
          headers: { "content-range": "0-9" },
        }),
      ),
    ).toBe("SIZE_INVALID");
    expect(header(await api.http("GET", location), "range")).toBe("0-0");
  });

  test("a blob upload is not found under another image's name, with an unknown id, or after its end", async () => {
    const [name, other] = [fresh(), fresh()];
    const location = await api.begin(name);
    await api.http("PATCH", location, { body: "hello" });
    const { digest } = makeBlob("hello");
    const stolen = location.replace(name, other);
    for (const answer of [
      await api.http("PUT", withDigest(stolen, digest)),
      await api.http("GET", stolen),
      await api.http("DELETE", stolen),
      await api.http("PATCH", stolen, { body: "x" }),
    ]) {
      expect([answer.status, codeOf(answer)]).toEqual([
        404,
        answer.text === "" ? "" : "BLOB_UPLOAD_UNKNOWN",
      ]);
    }
    expect(
      (
        await api.http(
          "GET",
          `/v2/${name}/blobs/uploads/00000000-0000-0000-0000-000000000000`,
        )
      ).status,
    ).toBe(404);
    expect((await api.http("DELETE", location)).status).toBe(204);
    for (const method of ["GET", "DELETE"])
      expect((await api.http(method, location)).status).toBe(404);
    expect((await api.http("PUT", withDigest(location, digest))).status).toBe(404);
  });
});

describe("mounting a blob from another repository", () => {
  test("a mount is answered with 201 if the blob exists, and with an upload session otherwise", async () => {
    const [source, target] = [fresh(), fresh("team/docker")];
    const blob = makeBlob(2_000);
    await api.putBlob(source, blob);
    const mounted = await api.http(
      "POST",
      `/v2/${target}/blobs/uploads/?mount=${blob.digest}&from=${source}`,
    );
    expect([mounted.status, header(mounted, "docker-content-digest")]).toEqual([
      201,
      blob.digest,
    ]);
    expect(sha256((await api.http("GET", header(mounted, "location") ?? "")).bytes)).toBe(
      blob.digest,
    );
    for (const query of [
      `mount=${NOWHERE}&from=${source}`,
      `mount=${blob.digest}&from=${fresh()}`,
      `mount=${blob.digest}&from=nobody/nothing/x`,
      `mount=${blob.digest}&from=../x`,
      `mount=${blob.digest}`,
    ]) {
      const answer = await api.http("POST", `/v2/${fresh()}/blobs/uploads/?${query}`);
      expect([answer.status, header(answer, "location")]).toEqual([
        202,
        expect.stringContaining("/blobs/uploads/"),
      ]);
    }
  });
});
