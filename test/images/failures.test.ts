import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { createImageMemory } from "../../activities/registries/oci/copy/memory.ts";
import type { ArtifactOutcome } from "../../domain/outcome.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import { copy, openEnds, type CopyOptions } from "../rigs/transfer/image-fixture.ts";
import { selfSigned } from "../rigs/servers/credentials.ts";
import {
  makeBlob,
  makeImage,
  makeIndex,
  missingParts,
  pushImage,
  readManifest,
  type TestBlob,
} from "../rigs/servers/images.ts";
import { startProxy, type Fault } from "../rigs/servers/proxy.ts";
import { startRegistry } from "../rigs/servers/registries.ts";

const source = await startRegistry("docker-registry");
const target = await startRegistry("docker-registry");
const here = await startProxy(source.url);
const there = await startProxy(target.url);
const ends = openEnds(here.url, there.url);

const run = (name: string, options: Partial<CopyOptions> = {}) =>
  copy({ ...ends, memory: createImageMemory(), name, ...options });
const visible = async (name: string) =>
  (await readManifest(target.url, name, "latest")) !== null;
const atTarget = (
  fault: Fault,
  when: (request: { method: string; path: string }) => boolean = () => true,
) => {
  there.fault = (request) => (when(request) ? fault : null);
};

describe.skipIf(!source.available)("failures of an image copy", () => {
  afterEach(() => {
    here.fault = () => null;
    there.fault = () => null;
  });
  afterAll(async () => {
    await ends.close();
    await Promise.all([here.stop(), there.stop(), source.stop(), target.stop()]);
  });

  test("the failure of an image copy names an image that does not exist", async () => {
    await pushImage(source.url, "here", "latest", makeImage());
    for (const [name, tag] of [
      ["here", "deleted"],
      ["nowhere/at/all", "latest"],
    ] as const) {
      const { result, parts } = await run(name, { tag });
      expect(result).toMatchObject({
        kind: "failed",
        conflict: false,
        stopsCluster: false,
        reason: expect.stringContaining(`${name}:${tag} is not in the registry`),
      });
      expect(parts.node.failed).toBe(1);
    }
  });

  test.each([1_000, 200_000])(
    "an image copy detects a blob of %i bytes that is corrupt at the source, and makes nothing visible",
    async (size) => {
      const layer = makeBlob(size);
      const name = `corrupt/${size}`;
      await pushImage(source.url, name, "latest", makeImage({ layers: [layer] }));
      const path = fileOf(layer);
      const bytes = readFileSync(path);
      bytes[size - 1] = (bytes[size - 1] ?? 0) ^ 1;
      writeFileSync(path, bytes);
      const outcome = await run(name);
      expect(outcome.result).toMatchObject({
        kind: "again",
        maxTries: 3,
        throttled: false,
        uploads: [],
      });
      expect(reasonOf(outcome)).toContain(layer.digest);
      expect(reasonOf(outcome)).toContain(
        "the copy at the source is corrupt; push it there again",
      );
      expect(await visible(name)).toBe(false);
      expect((await fetch(`${target.url}/v2/${name}/blobs/${layer.digest}`)).status).toBe(
        404,
      );
    },
  );

  test("an image copy fails and names a blob or a child manifest of an index that the source has lost", async () => {
    const layer = makeBlob(2_000);
    await pushImage(source.url, "lost/blob", "latest", makeImage({ layers: [layer] }));
    rmSync(fileOf(layer));
    const blob = await run("lost/blob");
    expect(blob).toMatchObject({
      result: { kind: "failed" },
      parts: { blob: { failed: 1 } },
    });
    expect(reasonOf(blob)).toContain(
      `${layer.digest} of lost/blob is missing in the registry`,
    );

    const index = makeIndex([makeImage(), makeImage()]);
    await pushImage(source.url, "lost/child", "latest", index);
    await fetch(`${source.url}/v2/lost/child/manifests/${index.children[1]?.digest}`, {
      method: "DELETE",
    });
    const child = await run("lost/child");
    expect(child.result.kind).toBe("failed");
    expect(reasonOf(child)).toMatch(
      /index lost\/child@sha256:\w+ names sha256:\w+, which the registry .* does not have/,
    );
    expect(await visible("lost/child")).toBe(false);
  });

  test.each([
    [429, { "retry-after": "3" }, true],
    [503, { "retry-after": "3" }, false],
    [500, {}, false],
    [408, {}, false],
  ] as const)(
    "an image copy is to be tried again when the target answers %i, and then succeeds",
    async (status, headers, throttled) => {
      const name = unique(`busy/${status}-`);
      const image = makeImage();
      await pushImage(source.url, name, "latest", image);
      atTarget(
        {
          kind: "answer",
          status,
          headers,
          body: `{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}`,
        },
        ({ method }) => method !== "GET" && method !== "HEAD",
      );
      const began = Date.now();
      const { result } = await run(name);
      expect(result).toMatchObject({
        kind: "again",
        throttled,
        reason: expect.stringContaining(
          `answered ${status} (TOOMANYREQUESTS: slow down)`,
        ),
      });
      const notBefore = "notBefore" in result ? result.notBefore : undefined;
      expect(notBefore === null ? 0 : (notBefore ?? 0) - began).toBeGreaterThanOrEqual(
        "retry-after" in headers ? 3_000 : 0,
      );
      atTarget({ kind: "latency", ms: 1 });
      expect((await run(name)).result).toEqual({ kind: "sent" });
      expect(await missingParts(target.url, name, image)).toEqual([]);
    },
  );

  test.each([
    [413, "raise the limit"],
    [507, "free space"],
    [400, "answered 400"],
    [403, "what this user may do"],
  ])(
    "an image copy fails permanently when the target answers %i, and says what to do",
    async (status, advice) => {
      const name = `refused/${status}`;
      await pushImage(source.url, name, "latest", makeImage());
      atTarget(
        { kind: "answer", status },
        ({ method, path }) => method === "PUT" && path.includes("/blobs/"),
      );
      const outcome = await run(name);
      expect(outcome.result).toMatchObject({
        kind: "failed",
        conflict: false,
        stopsCluster: false,
      });
      expect(reasonOf(outcome)).toContain(advice);
      expect(outcome.parts.blob.failed).toBeGreaterThan(0);
      expect(await visible(name)).toBe(false);
    },
  );

  test("an image copy reports that the disk of the target is full", async () => {
    await pushImage(source.url, "full", "latest", makeImage());
    const detail = {
      DriverName: "filesystem",
      Enclosed: { Op: "write", Path: "/data", Err: 28 },
    };
    const body = JSON.stringify({
      errors: [{ code: "UNKNOWN", message: "unknown error", detail }],
    });
    atTarget({ kind: "answer", status: 500, body }, ({ method }) => method === "PUT");
    const outcome = await run("full");
    expect(outcome.result.kind).toBe("again");
    expect(reasonOf(outcome)).toContain("no space left on the device of the registry");
  });

  test("an image copy gives up a registry that is silent for the idle time", async () => {
    await pushImage(source.url, "silent", "latest", makeImage());
    const impatient = openEnds(here.url, { url: there.url, idleTimeoutMs: 1_500 });
    atTarget({ kind: "hang" }, ({ path }) => path.includes("/silent/"));
    expect((await copy({ ...impatient, name: "silent" })).result).toMatchObject({
      kind: "again",
      reason: expect.stringContaining("was silent for 2 s"),
    });
    await impatient.close();
  });

  test("an image copy does not wait for the other blobs when one is refused permanently", async () => {
    const [refused, endless] = [makeBlob(100_000), makeBlob(100_001)];
    await pushImage(
      source.url,
      "siblings",
      "latest",
      makeImage({ layers: [refused, endless] }),
    );
    there.fault = ({ method, path }) => {
      if (method !== "PUT") return null;
      return path.includes(encodeURIComponent(refused.digest))
        ? { kind: "answer", status: 413 }
        : path.includes(encodeURIComponent(endless.digest))
          ? { kind: "hang" }
          : null;
    };
    const outcome = await run("siblings");
    expect(outcome.result).toMatchObject({
      kind: "failed",
      reason: expect.stringContaining("answered 413"),
    });
  });

  test("an image copy is to be tried again when a connection to either end breaks", async () => {
    const image = makeImage({ layers: [400_000] });
    const name = unique("broken-");
    await pushImage(source.url, name, "latest", image);
    here.fault = ({ path, method }) =>
      method === "GET" && path.includes("/blobs/")
        ? { kind: "cutAnswer", afterBytes: 100_000 }
        : null;
    expect((await run(name)).result).toMatchObject({
      kind: "again",
      reason: expect.stringMatching(/connection broke off|terminated|closed/),
    });
    here.fault = () => null;
    atTarget(
      { kind: "cutRequest", afterBytes: 100_000 },
      ({ method }) => method === "PUT",
    );
    expect((await run(name)).result).toMatchObject({ kind: "again" });
    atTarget({ kind: "latency", ms: 1 });
    expect((await run(name)).result).toEqual({ kind: "sent" });
    expect(await missingParts(target.url, name, image)).toEqual([]);
  });

  test("an image copy is to be tried again if the target is down", async () => {
    const name = unique("down-");
    await pushImage(source.url, name, "latest", makeImage());
    const direct = openEnds(source.url, target.url);
    await target.kill();
    try {
      expect((await copy({ ...direct, name })).result).toMatchObject({
        kind: "again",
        reason: expect.stringContaining("ECONNREFUSED"),
      });
    } finally {
      await target.restart();
    }
    expect((await copy({ ...direct, name })).result).toEqual({ kind: "sent" });
    await direct.close();
  });

  test("an image copy stops at once when its abort signal fires, even in the middle of a body", async () => {
    await pushImage(source.url, "stopped", "latest", makeImage({ layers: [500_000] }));
    const controller = new AbortController();
    atTarget({ kind: "hang" }, ({ method }) => {
      if (method === "PUT") setTimeout(() => controller.abort(), 50);
      return method === "PUT";
    });
    await expect(run("stopped", { signal: controller.signal })).rejects.toMatchObject({
      kind: "cancelled",
    });
    expect(await visible("stopped")).toBe(false);
    await expect(run("stopped", { signal: controller.signal })).rejects.toMatchObject({
      kind: "cancelled",
    });
  });

  test("an image copy sends no byte that the rate limit has not granted", async () => {
    const name = unique("limited-");
    await pushImage(source.url, name, "latest", makeImage({ layers: [1_000, 300_000] }));
    const granted: number[] = [];
    const outcome = await run(name, {
      throttle: async (bytes) => (granted.push(bytes), bytes),
    });
    expect(granted.reduce((sum, bytes) => sum + bytes, 0)).toBe(outcome.bytesSent);
    expect(Math.max(...granted)).toBeLessThanOrEqual(1024 * 1024);
  });

  test("an image copy refuses an untrusted certificate, unless it is configured or verification is off", async () => {
    const folder = mkdtempSync(join(tmpdir(), "certificate-"));
    const files = selfSigned(folder);
    const certificate = readFileSync(files.certificate, "utf8");
    const secure = await startProxy(target.url, {
      tls: { key: readFileSync(files.key, "utf8"), cert: certificate },
    });
    const name = unique("tls-");
    await pushImage(source.url, name, "latest", makeImage());
    for (const [options, kind] of [
      [{}, "failed"],
      [{ certificate }, "sent"],
      [{ insecureSkipVerify: true }, "same"],
    ] as const) {
      const pair = openEnds(source.url, { url: secure.url, ...options });
      const outcome = await copy({ ...pair, name });
      expect(outcome.result.kind).toBe(kind);
      expect(
        kind === "failed" ? reasonOf(outcome) : "set `certificate` to the CA's PEM",
      ).toContain("set `certificate` to the CA's PEM");
      await pair.close();
    }
    await secure.stop();
    rmSync(folder, { recursive: true });
  });

  test("an image copy sends a blob again that the target has lost since an earlier copy", async () => {
    const base = makeBlob(3_000);
    const name = unique("forgotten-");
    await pushImage(source.url, name, "one", makeImage({ layers: [base] }));
    const two = makeImage({ layers: [base] });
    await pushImage(source.url, name, "two", two);
    const memory = createImageMemory();
    await run(name, { tag: "one", memory });
    await fetch(`${target.url}/v2/${name}/blobs/${base.digest}`, { method: "DELETE" });
    expect((await run(name, { tag: "two", memory })).result).toMatchObject({
      kind: "again",
      reason: expect.stringContaining("the missing parts are sent again"),
    });
    expect((await run(name, { tag: "two", memory })).result).toEqual({
      kind: "sent",
    });
    expect(await missingParts(target.url, name, two)).toEqual([]);
  });
});

function fileOf({ digest }: TestBlob): string {
  const hex = digest.slice("sha256:".length);
  return join(
    source.data,
    "docker/registry/v2/blobs/sha256",
    hex.slice(0, 2),
    hex,
    "data",
  );
}

function reasonOf({ result }: ArtifactOutcome): string {
  return "reason" in result ? result.reason : "";
}
