import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test, type TestContext } from "vitest";
import { createImageMemory } from "../../activities/registries/oci/copy/memory.ts";
import type { ArtifactOutcome, UploadState } from "../../domain/outcome.ts";
import { copy, openEnds } from "../rigs/transfer/image-fixture.ts";
import { makeBlob, makeImage, missingParts, pushImage } from "../rigs/servers/images.ts";
import { DISTRIBUTION, GCR_REGISTRY } from "../rigs/servers/oci-tools.ts";
import { startProxy, type FaultProxy } from "../rigs/servers/proxy.ts";
import { startRegistry, type RegistryKind } from "../rigs/servers/registries.ts";
import { findTool } from "../rigs/servers/tools.ts";

const MiB = 1024 * 1024;
const BLOB = 150 * MiB;
const CHUNK = 64 * MiB;

// Builds the programs before any test begins: a build takes longer than a test may.
await Promise.all([DISTRIBUTION, GCR_REGISTRY].map(findTool));
const source = await startRegistry("docker-registry");
const image = makeImage({ layers: [makeBlob(BLOB)] });
const digest = image.blobs[1]?.digest ?? "";
if (source.available) await pushImage(source.url, "big", "latest", image);
afterAll(source.stop);

describe.skipIf(!source.available)("a blob of 150 MiB", () => {
  test.for([
    { kind: "distribution", outcome: "is resumed there", resumes: true },
    { kind: "docker-registry", outcome: "is sent from its start", resumes: false },
    { kind: "gcr", outcome: "is sent from its start", resumes: false },
  ] as const)(
    "a blob cut off in its second chunk to $kind $outcome",
    async ({ kind, resumes }, context) => {
      const rig = await rigFor(kind, context);
      const newest: UploadState[] = [];
      rig.there.fault = ({ method }) =>
        method === "PATCH" && rig.there.count("PATCH", /./) === 2
          ? { kind: "cutRequest", afterBytes: 20 * MiB }
          : null;
      const first = await copy({
        ...rig.ends,
        name: "big",
        onUpload: (state) => void newest.push(state),
      });
      expect(first.result.kind).toBe("again");
      expect(uploadsOf(first)).toEqual([
        { digest, location: expect.any(String), offset: CHUNK },
      ]);
      expect(newest).toEqual(uploadsOf(first));

      rig.there.fault = () => null;
      const second = await copy({
        ...rig.ends,
        name: "big",
        memory: createImageMemory(),
        resume: uploadsOf(first),
      });
      expect(second.result).toEqual({ kind: "sent" });
      const [least, most] = resumes
        ? [BLOB - CHUNK - 21 * MiB, BLOB - CHUNK - 15 * MiB]
        : [BLOB, BLOB + MiB];
      expect(second.bytesSent).toBeGreaterThanOrEqual(least);
      expect(second.bytesSent).toBeLessThanOrEqual(most);
      expect(await missingParts(rig.target.url, "big", image)).toEqual([]);
      await rig.end();
    },
  );

  test.for(["distribution", "docker-registry"] as const)(
    "a blob is resumed after a SIGKILL of %s between two chunks",
    async (kind, context) => {
      const rig = await rigFor(kind, context);
      rig.there.fault = ({ method }) =>
        method === "PATCH" && rig.there.count("PATCH", /./) === 2
          ? { kind: "answer", status: 503 }
          : null;
      const first = await copy({ ...rig.ends, name: "big" });
      expect(uploadsOf(first)).toHaveLength(1);
      rig.there.fault = () => null;
      await rig.target.restart();
      const second = await copy({
        ...rig.ends,
        name: "big",
        memory: createImageMemory(),
        resume: uploadsOf(first),
      });
      expect(second.result).toEqual({ kind: "sent" });
      expect(second.bytesSent).toBeLessThan(BLOB - CHUNK + MiB);
      expect(await missingParts(rig.target.url, "big", image)).toEqual([]);
      await rig.end();
    },
  );

  test("a blob is sent in one request to a registry that refused a second chunk once", async (context) => {
    const rig = await rigFor("distribution", context);
    const other = makeImage({ layers: [makeBlob(65 * MiB)] });
    await pushImage(source.url, "other", "latest", other);
    const memory = createImageMemory();
    rig.there.fault = ({ method }) =>
      method === "PATCH" && rig.there.count("PATCH", /./) > 1
        ? { kind: "answer", status: 416 }
        : null;
    expect((await copy({ ...rig.ends, memory, name: "big" })).result).toEqual({
      kind: "sent",
    });
    const patches = rig.there.count("PATCH", /./);
    expect((await copy({ ...rig.ends, memory, name: "other" })).result).toEqual({
      kind: "sent",
    });
    expect(rig.there.count("PATCH", /./)).toBe(patches);
    expect(rig.there.count("DELETE", /uploads/)).toBeGreaterThan(0);
    expect(await missingParts(rig.target.url, "big", image)).toEqual([]);
    expect(await missingParts(rig.target.url, "other", other)).toEqual([]);
    await rig.end();
  });

  test("a blob is sent from its start if the target lost its upload or confirms a wrong size", async (context) => {
    const rig = await rigFor("docker-registry", context);
    const lost = [lostUpload(rig.there.url)];
    rig.there.fault = ({ method }) =>
      method === "PATCH"
        ? {
            kind: "answer",
            status: 202,
            headers: {
              location: `${rig.there.url}/v2/big/blobs/uploads/x`,
              range: "0-99",
            },
          }
        : null;
    const confused = await copy({ ...rig.ends, name: "big", resume: lost });
    expect(confused.result).toMatchObject({
      kind: "again",
      reason: expect.stringContaining("confirms 100 bytes"),
      uploads: [],
    });
    rig.there.fault = () => null;
    expect(
      (
        await copy({
          ...rig.ends,
          name: "big",
          memory: createImageMemory(),
          resume: lost,
        })
      ).result,
    ).toEqual({
      kind: "sent",
    });
    expect(await missingParts(rig.target.url, "big", image)).toEqual([]);
    await rig.end();
  });

  test("an upload that the target loses between batches counts as a try, one that grows does not", async (context) => {
    const rig = await rigFor("docker-registry", context);
    const slice = { isOver: () => true, whole: false };
    const newest: UploadState[] = [];
    const send = (resume: UploadState[]) =>
      copy({
        ...rig.ends,
        name: "big",
        memory: createImageMemory(),
        resume,
        slice,
        onUpload: (state) => void newest.splice(0, 1, state),
      });
    expect((await send([])).result).toEqual({ kind: "yielded", whole: false });
    const again = await send([lostUpload(rig.there.url)]);
    expect(again.result).toMatchObject({
      kind: "again",
      reason: expect.stringContaining(`lost ${CHUNK} bytes of the upload`),
      uploads: newest,
    });
    const onwards = await send(uploadsOf(again));
    expect(onwards.result).toEqual({ kind: "yielded", whole: false });
    expect(newest).toMatchObject([{ digest, offset: 2 * CHUNK }]);
    await rig.end();
  });

  test("a blob that is corrupt at the source is never completed, and its upload is cancelled", async (context) => {
    const rig = await rigFor("distribution", context);
    const layer = makeBlob(70 * MiB);
    await pushImage(source.url, "corrupt", "latest", makeImage({ layers: [layer] }));
    const hex = layer.digest.slice("sha256:".length);
    const file = await open(
      join(source.data, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data"),
      "r+",
    );
    await file.write("other bytes", 10 * MiB);
    await file.close();
    const outcome = await copy({ ...rig.ends, name: "corrupt" });
    expect(outcome.result).toMatchObject({
      kind: "again",
      maxTries: 3,
      uploads: [],
      reason: expect.stringContaining(`${layer.digest} of corrupt`),
    });
    expect(rig.there.count("PUT", /uploads/)).toBe(1);
    expect(rig.there.count("DELETE", /uploads/)).toBeGreaterThan(0);
    await rig.end();
  });

  test("a blob is sent in chunks of at least the size that the registry demands", async (context) => {
    const rig = await rigFor("distribution", context);
    const asked: string[] = [];
    rig.there.answerHeaders = { "oci-chunk-min-length": String(100 * MiB) };
    await copy({ ...rig.ends, name: "big" });
    for (const { method, headers } of rig.there.requests)
      if (method === "PATCH") asked.push(String(headers["content-range"]));
    expect(asked).toEqual([`0-${100 * MiB - 1}`, `${100 * MiB}-${BLOB - 1}`]);
    await rig.end();
  });
});

async function rigFor(
  kind: RegistryKind,
  context: TestContext,
): Promise<{
  target: Awaited<ReturnType<typeof startRegistry>>;
  there: FaultProxy;
  ends: ReturnType<typeof openEnds>;
  end: () => Promise<void>;
}> {
  const target = await startRegistry(kind);
  context.skip(!target.available, `${kind} is not available`);
  const there = await startProxy(target.url);
  const ends = openEnds(source.url, there.url);
  return {
    target,
    there,
    ends,
    async end() {
      await ends.close();
      await there.stop();
      await target.stop();
    },
  };
}

function uploadsOf({ result }: ArtifactOutcome): UploadState[] {
  return "uploads" in result ? result.uploads : [];
}

/** The state of an upload of one chunk that the registry at `url` does not know. */
const lostUpload = (url: string): UploadState => ({
  digest,
  location: `${url}/v2/big/blobs/uploads/00000000-0000-0000-0000-000000000000?_state=x`,
  offset: CHUNK,
});
