import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { paced } from "../../activities/registries/body.ts";
import type { UploadSession } from "../../activities/registries/oci/uploads.ts";
import { putBlobs } from "../../db/content/blobs.ts";
import type { CopyHooks } from "../../domain/outcome.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import { openEnds } from "../rigs/transfer/image-fixture.ts";
import {
  clientOf,
  copy as copyFiles,
  quietHooks,
  settle,
  startProxiedTarget,
} from "../rigs/transfer/instance-fixture.ts";
import { artifactOf, mavenVersion } from "../rigs/transfer/package-copy-fixture.ts";
import { type FaultProxy, startProxy } from "../rigs/servers/proxy.ts";
import { startRegistry } from "../rigs/servers/registries.ts";

const MIB = 1024 * 1024;
type Ends = ReturnType<typeof openEnds>;
const registry = await startRegistry("docker-registry");

let rig: Awaited<ReturnType<typeof startProxiedTarget>>;
let images: FaultProxy;
beforeAll(async () => {
  rig = await startProxiedTarget();
  images = await startProxy(registry.url);
});
afterAll(async () => {
  await rig.close();
  await images.stop();
  await registry.stop();
});

/**
 * Returns hooks that delay a body's first piece until the server has closed its idle connections. A body
 * that waits for the rate limit must not hold such a connection; each test sends one body.
 */
function patient(proxy: FaultProxy): CopyHooks {
  let isFirst = true;
  const throttle = async (bytes: number) => {
    if (isFirst) await proxy.endIdle();
    isFirst = false;
    return bytes;
  };
  return quietHooks({ throttle });
}

test.each([
  ["a declaration with small files", 1_000, /^POST .*\/files\//],
  ["a chunk of a large file", 3 * MIB, /^PATCH .*\/uploads\//],
])("%s arrives although the server closes idle connections", async (_, size, carries) => {
  const { source, proxy } = rig;
  const files = await source.addAll([
    { fullPath: `/of-${size}`, bytes: randomBytes(size) },
  ]);
  const client = clientOf(proxy.url);
  await client.ensureRepository({ projectId: "copies", repoName: "files" }, "GENERIC");
  const { kinds } = await copyFiles(files, {
    content: source.source,
    target: client,
    hooks: patient(proxy),
  });
  expect(kinds).toEqual(["sent"]);
  expect(proxy.requests.map(({ method, path }) => `${method} ${path}`)).toContainEqual(
    expect.stringMatching(carries),
  );
  await client.close();
});

test("a declaration with package versions arrives although the server closes idle connections", async () => {
  const built = mavenVersion("com.acme:a", "1", { ".jar": randomBytes(50_000) });
  const { source, proxy } = rig;
  const contents = [...built.bytes.values()].map((content) => ({ content }));
  await source.store.putAll(contents, (blobs) => putBlobs(source.db, blobs, Date.now()));
  const client = clientOf(proxy.url);
  const remote = { projectId: "copies", repoName: "maven" };
  await client.ensureRepository(remote, "MAVEN");
  const hooks = patient(proxy);
  const versions = [
    { artifact: artifactOf(built.stated), mayHaveSent: false, uploads: [] },
  ];
  const { kinds } = await settle(versions, {
    content: source.source,
    target: client,
    remote,
    type: "MAVEN",
    hooks,
  });
  expect(kinds).toEqual(["sent"]);
  await client.close();
});

describe.skipIf(!registry.available)("idle connections of a registry", () => {
  const content = randomBytes(MIB);
  const blob = { digest: `sha256:${sha256(content)}` as const, size: content.length };
  async function* body(): AsyncGenerator<Uint8Array> {
    for await (const piece of paced(content, patient(images).throttle)) yield piece;
  }

  test.each([
    [
      "a blob in one request",
      (ends: Ends, name: string, session: UploadSession) =>
        ends.to.finishUpload(name, session, blob, { body: body(), length: blob.size }),
    ],
    [
      "a chunk of a blob",
      async (ends: Ends, name: string, begun: UploadSession) => {
        const session = await ends.to.appendChunk(name, begun, body(), blob.size);
        await ends.to.finishUpload(name, session, blob, null);
      },
    ],
  ])(
    "image data sent as %s arrives although the registry closes idle connections",
    async (what, send) => {
      const name = what.replaceAll(" ", "-");
      const ends = openEnds(registry.url, images.url);
      const session = await ends.to.startUpload(name, blob.digest, null);
      if (session === "mounted") throw new Error("the blob was there before");
      await send(ends, name, session);
      expect(await ends.to.hasBlob(name, blob)).toBe(true);
      await ends.close();
    },
  );
});
