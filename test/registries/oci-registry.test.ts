import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createOciRegistry,
  type OciRegistry,
} from "../../activities/registries/oci/registry.ts";
import { digestOf } from "../../activities/registries/verified.ts";
import { isDigest, type Digest } from "../../domain/digest.ts";
import { TransferError } from "../../domain/failure.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import {
  makeBlob,
  makeImage,
  makeIndex,
  missingParts,
  pushBlob,
  pushImage,
  readManifest,
  type TestBlob,
} from "../rigs/servers/images.ts";
import { startProxy, type FaultProxy } from "../rigs/servers/proxy.ts";
import {
  startRegistry,
  type RegistryKind,
  type TestRegistry,
} from "../rigs/servers/registries.ts";

const KINDS: RegistryKind[] = ["docker-registry", "distribution", "gcr"];
const rigs = await Promise.all(
  KINDS.map(async (kind) => ({ kind, rig: await startRegistry(kind) })),
);

describe.each(rigs)("a client of $kind", ({ kind, rig }) => {
  describe.skipIf(!rig.available)("distribution-spec 1.1", () => {
    conformance(kind, rig);
  });
});

const placeBlob = (registry: OciRegistry, name: string, { digest, bytes }: TestBlob) =>
  registry.putSmallBlob(
    name,
    { digest: asDigest(digest), size: bytes.length },
    async () => bytes,
    new AbortController().signal,
  );

function conformance(kind: RegistryKind, rig: TestRegistry): void {
  let registry: OciRegistry;
  let proxy: FaultProxy;
  let proxied: OciRegistry;

  beforeAll(async () => {
    registry = createOciRegistry({ url: rig.url, pushes: true });
    proxy = await startProxy(rig.url);
    proxied = createOciRegistry({ url: proxy.url, pushes: true });
  });
  afterAll(async () => {
    await registry.close();
    await proxied.close();
    await proxy.stop();
    await rig.stop();
  });

  test("a client checks whether the registry is reachable, the login valid and the use allowed", async () => {
    await pushImage(rig.url, "check/image", "1", makeImage());
    const listing = await registry.check({ name: null, use: "READ" });
    expect([listing.reachable.ok, listing.authenticated.ok, listing.allowed.ok]).toEqual([
      true,
      true,
      true,
    ]);
    expect((await registry.check({ name: "check/image", use: "READ" })).allowed.ok).toBe(
      true,
    );
    expect((await registry.check({ name: "check/other", use: "WRITE" })).allowed.ok).toBe(
      true,
    );
    const nowhere = createOciRegistry({ url: "http://127.0.0.1:9" });
    const { reachable, authenticated } = await nowhere.check({ name: null, use: "READ" });
    expect(reachable).toMatchObject({
      ok: false,
      message: { en: expect.stringContaining("127.0.0.1:9") },
    });
    expect(authenticated.ok).toBeNull();
    await nowhere.close();
  });

  test("a client returns manifests of every media type with their digest, and null for missing ones", async () => {
    for (const image of [
      makeImage(),
      makeImage({ format: "docker" }),
      makeIndex([makeImage()]),
      makeIndex([makeImage({ format: "docker" })], "docker"),
    ]) {
      await pushImage(rig.url, "types", "tag", image);
      const head = await registry.headManifest("types", "tag");
      expect(head).toMatchObject({
        digest: image.digest,
        mediaType: image.mediaType,
        size: image.bytes.length,
      });
      const manifest = await registry.getManifest("types", image.digest);
      expect(manifest.bytes.equals(image.bytes)).toBe(true);
      expect(manifest.blobs.map(({ digest }) => digest)).toEqual(
        image.blobs.map(({ digest }) => digest),
      );
      expect(manifest.children.map(({ digest }) => digest)).toEqual(
        image.children.map(({ digest }) => digest),
      );
    }
    expect(await registry.headManifest("types", "no-such-tag")).toBeNull();
    expect(await registry.headManifest("no/such/name", "latest")).toBeNull();
    const failure = await failureOf(registry.getManifest("types", "no-such-tag"));
    expect(failure).toMatchObject({
      kind: "notFound",
      message: expect.stringContaining("types:no-such-tag"),
    });
  });

  test("a client writes the exact bytes of a manifest", async () => {
    const image = makeImage({ annotations: { odd: "spacing   and ünicode" } });
    for (const blob of image.blobs) await pushBlob(rig.url, "exact", blob);
    await registry.putManifest("exact", "tag", {
      ...image,
      digest: asDigest(image.digest),
    });
    expect((await readManifest(rig.url, "exact", "tag"))?.bytes.equals(image.bytes)).toBe(
      true,
    );
  });

  test("a client writes a small blob, finds it and reads it from any offset", async () => {
    const [blob, empty] = [makeBlob(50_000), makeBlob(0)];
    const digest = asDigest(blob.digest);
    const name = unique("small-");
    expect(await registry.headBlob(name, digest)).toBeNull();
    expect(await placeBlob(registry, name, blob)).toBe("sent");
    expect(await placeBlob(registry, name, blob)).toBe("found");
    expect(await registry.headBlob(name, digest)).toEqual({ size: 50_000 });
    // gcr has one empty blob for all names, which an earlier try of this test may have written.
    expect(["sent", "found"]).toContain(await placeBlob(registry, name, empty));
    expect(await registry.headBlob(name, asDigest(empty.digest))).toEqual({ size: 0 });
    for (const offset of [0, 1, 30_000, 49_999]) {
      const read = await collect(
        await registry.openBlob(name, { digest, size: 50_000 }, offset),
      );
      expect(read.equals(blob.bytes.subarray(offset))).toBe(true);
    }
    expect(
      await failureOf(
        registry.openBlob(name, { digest: asDigest(makeBlob(9).digest), size: 9 }, 0),
      ),
    ).toMatchObject({ kind: "notFound" });
  });

  test.each([
    ["by the registry itself", null],
    ["with status 400", 400],
    ["with status 404", 404],
  ])(
    "a client writes small blobs in few requests if mounts are answered %s",
    async (_how, status) => {
      const name = `own-mounts/${status}`;
      const blobs = [makeBlob(1_000), makeBlob(20_000), makeBlob(50_000)];
      const asking = createOciRegistry({ url: proxy.url, pushes: true });
      proxy.clear();
      proxy.fault = ({ path }) =>
        status !== null && path.includes("mount=") ? { kind: "answer", status } : null;
      for (const blob of blobs) expect(await placeBlob(asking, name, blob)).toBe("sent");
      for (const blob of blobs) expect(await placeBlob(asking, name, blob)).toBe("found");
      proxy.fault = () => null;
      await asking.close();
      const mountsTell = kind !== "gcr" && status === null;
      const asked = (method: string) =>
        proxy.requests.filter((request) => request.method === method).length;
      expect({ head: asked("HEAD"), post: asked("POST"), put: asked("PUT") }).toEqual({
        head: mountsTell ? 1 : 6,
        post: mountsTell ? 7 : 4,
        put: 3,
      });
      for (const { digest, bytes } of blobs)
        expect(await registry.headBlob(name, asDigest(digest))).toEqual({
          size: bytes.length,
        });
    },
  );

  test("a client reads a blob from an offset even if the server ignores Range", async () => {
    const blob = makeBlob(200_000);
    await pushBlob(rig.url, "ignoring", blob);
    proxy.fault = ({ path }) =>
      path.includes("/blobs/") ? { kind: "answer", status: 200, body: blob.bytes } : null;
    const read = await collect(
      await proxied.openBlob(
        "ignoring",
        { digest: asDigest(blob.digest), size: 200_000 },
        123_456,
      ),
    );
    proxy.fault = () => null;
    expect(read.equals(blob.bytes.subarray(123_456))).toBe(true);
  });

  test("a client uploads a blob in chunks and reads the state of an upload", async () => {
    const blob = makeBlob(300_000);
    const digest = asDigest(blob.digest);
    let session = await registry.startUpload("chunks", digest, null);
    if (session === "mounted") throw new Error("mounted without asking");
    for (const [from, to] of [
      [0, 100_000],
      [100_000, 250_000],
      [250_000, 300_000],
    ] as const) {
      session = await registry.appendChunk(
        "chunks",
        session,
        blob.bytes.subarray(from, to),
        to - from,
      );
      expect(session.offset).toBe(to);
      const status = await registry.uploadStatus("chunks", session.location);
      expect(status?.offset ?? null).toBe(kind === "gcr" ? null : to);
    }
    await registry.finishUpload("chunks", session, { digest, size: 300_000 }, null);
    expect(
      digestOf(
        await collect(await registry.openBlob("chunks", { digest, size: 300_000 }, 0)),
      ),
    ).toBe(digest);
  });

  test("a client reports a wrong digest at the end of an upload as a mismatch, and cancels an upload", async () => {
    const digest = asDigest(makeBlob(10).digest);
    const session = await registry.startUpload("wrong", digest, null);
    if (session === "mounted") throw new Error("mounted without asking");
    const failure = await failureOf(
      registry.finishUpload(
        "wrong",
        session,
        { digest, size: 3 },
        { body: Buffer.from("abc"), length: 3 },
      ),
    );
    expect(failure.kind).toBe("digestMismatch");
    await registry.cancelUpload("wrong", session);
    expect(await registry.uploadStatus("wrong", session.location)).toBeNull();
  });

  test("a client mounts a blob from another repository, or gets an upload session instead", async () => {
    const blob = makeBlob(5_000);
    await pushImage(rig.url, "mount/from", "1", makeImage({ layers: [blob] }));
    const begun = await registry.startUpload(
      "mount/to",
      asDigest(blob.digest),
      "mount/from",
    );
    expect(begun === "mounted").toBe(kind !== "gcr");
    expect(
      await registry.startUpload("mount/to", asDigest(makeBlob(7).digest), "mount/from"),
    ).toHaveProperty("location");
  });

  test("a client lists every tag once over several pages", async () => {
    const image = makeImage();
    const tags = Array.from({ length: 1_203 }, (_, index) => `v${index}`);
    await pushImage(rig.url, "paging", "v0", image);
    for (let at = 1; at < tags.length; at += 40) {
      await Promise.all(
        tags
          .slice(at, at + 40)
          .map((tag) => pushImage(rig.url, "paging", tag, { ...image, blobs: [] })),
      );
    }
    const listed: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const page = await registry.listTags("paging", cursor);
      listed.push(...(page?.items ?? []));
      cursor = page?.next ?? null;
      pages += 1;
    } while (cursor !== null);
    expect(listed.toSorted()).toEqual(tags.toSorted());
    expect(pages).toBeLessThanOrEqual(4);
    expect(await registry.listTags("no/such/name", null)).toBeNull();
  });

  test("a client lists a repository whose tags fill exactly one page", async () => {
    const image = makeImage();
    const tags = Array.from({ length: 500 }, (_, index) => `t${index}`);
    await pushImage(rig.url, "full", "t0", image);
    for (let at = 1; at < 500; at += 40)
      await Promise.all(
        tags
          .slice(at, at + 40)
          .map((tag) => pushImage(rig.url, "full", tag, { ...image, blobs: [] })),
      );
    const first = await registry.listTags("full", null);
    const second = first?.next ? await registry.listTags("full", first.next) : null;
    expect([...(first?.items ?? []), ...(second?.items ?? [])].toSorted()).toEqual(
      tags.toSorted(),
    );
  });

  test("a client lists the repositories below its namespace, by names relative to the namespace", async () => {
    await pushImage(rig.url, "team/app", "1", makeImage());
    await pushImage(rig.url, "team/deep/er", "1", makeImage());
    await pushImage(rig.url, "teamwork", "1", makeImage());
    const inside = createOciRegistry({ url: `${rig.url}/team` });
    const { items } = await inside.listRepositories(null);
    expect(items.toSorted()).toEqual(["app", "deep/er"]);
    expect(await inside.headManifest("app", "1")).not.toBeNull();
    await inside.close();
  });

  test("a client lists the attachments of an image if the registry supports referrers", async () => {
    const image = makeImage();
    const signature = makeImage({
      subject: image,
      artifactType: "application/x-signature",
    });
    await pushImage(rig.url, "attached", "1", image);
    await pushImage(rig.url, "attached", null, signature);
    const listed = await registry.listReferrers("attached", asDigest(image.digest));
    expect(listed?.map(({ digest }) => digest) ?? null).toEqual(
      kind === "gcr" ? [signature.digest] : null,
    );
    expect(await missingParts(rig.url, "attached", signature)).toEqual([]);
  });

  test("a client sends no request for an invalid name, tag or digest", async () => {
    proxy.clear();
    for (const name of [
      "../_catalog",
      "UPPER",
      "a//b",
      "a/../b",
      "",
      "a".repeat(300),
      "a?b",
    ]) {
      expect(await failureOf(proxied.headManifest(name, "latest"))).toMatchObject({
        kind: "invalid",
      });
    }
    expect(await failureOf(proxied.headManifest("name", "../../x"))).toMatchObject({
      kind: "invalid",
    });
    expect(proxy.requests).toEqual([]);
  });
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function failureOf(work: Promise<unknown>): Promise<TransferError> {
  const error: unknown = await work.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof TransferError)) throw error;
  return error;
}

function asDigest(text: string): Digest {
  if (!isDigest(text)) throw new Error(`${text} is not a digest`);
  return text;
}
