import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import pLimit from "p-limit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blobFile, layout } from "../../activities/store/layout.ts";
import type { InstanceClient } from "../../activities/registries/instance/client.ts";
import { UNHURRIED } from "../../domain/slice.ts";
import { UNLIMITED } from "../../activities/transfer/throttle.ts";
import { findRepository } from "../../db/content/repositories.ts";
import { getNode } from "../../db/content/nodes.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import {
  clientOf,
  copy,
  createSource,
  REMOTE,
  type SourceFile,
  startInstance,
  type Instance,
} from "../rigs/transfer/instance-fixture.ts";

const MIB = 1024 * 1024;

let source: ReturnType<typeof createSource>;
let target: Instance;
let client: InstanceClient;

beforeEach(async () => {
  source = createSource();
  target = await startInstance();
  client = clientOf(target.url);
  await client.ensureRepository(REMOTE, "GENERIC");
  await client.capabilities();
  target.requests.length = 0;
});

afterEach(async () => {
  await client.close();
  await target.stop();
  target.remove();
  await source.close();
});

const run = (files: SourceFile[], options: Partial<Parameters<typeof copy>[1]> = {}) =>
  copy(files, { content: source.source, target: client, ...options });

async function seed(sizes: number[], folder = "/a b/ü"): Promise<SourceFile[]> {
  return source.addAll(
    sizes.map((size, i) => ({
      fullPath: `${folder}/${i}.bin`,
      bytes: randomBytes(size),
      metadata: { number: String(i) },
    })),
  );
}

/** Fetched through the public API, not asked of the one who wrote them. */
async function expectCopies(files: SourceFile[]): Promise<void> {
  const limit = pLimit(16);
  const found = await Promise.all(
    files.map(({ fullPath }) => limit(async () => sha256((await target.fetchFile(fullPath)) ?? "missing"))),
  );
  expect(found).toEqual(files.map((file) => file.sha256));
}

function nodeAt(path: string) {
  const repository = findRepository(target.db, REMOTE.projectId, REMOTE.repoName);
  return getNode(target.db, repository?.id ?? 0, path, Date.now());
}

describe("copying files to another instance", () => {
  it("makes each file there, of whatever size, byte for byte", async () => {
    const files = await seed([0, 1, 4096, 16 * 1024, 16 * 1024 + 1, 300_000, MIB, MIB + 1, 5_000_000]);
    const { outcomes, bytes } = await run(files);
    await expectCopies(files);
    expect(outcomes).toEqual(
      files.map((file) => ({
        result: { kind: "sent" },
        digest: `sha256:${file.sha256}`,
        size: file.size,
        parts: { blob: { success: 1, skip: 0, failed: 0 }, node: { success: 1, skip: 0, failed: 0 } },
        bytesSent: file.size,
      })),
    );
    expect(bytes).toBe(files.reduce((sum, file) => sum + file.size, 0));
  });

  it("sends tiny files to an empty repository without asking first, and files with more metadata than a statement holds in several", async () => {
    const tiny = await seed(Array.from({ length: 400 }, () => 100));
    await run(tiny, { isEmpty: true });
    expect(target.requests).toHaveLength(1);
    await expectCopies(tiny);

    const metadata = { remark: '"'.repeat(12_000) };
    const files = await source.addAll(
      Array.from({ length: 400 }, (_, i) => ({ fullPath: `/told/${i}.bin`, bytes: randomBytes(10), metadata })),
    );
    const { outcomes } = await run(files);
    expect(new Set(outcomes.map((outcome) => outcome?.result.kind))).toEqual(new Set(["sent"]));
    expect(nodeAt("/told/399.bin")).toMatchObject({ metadata });
  });

  it("keeps who made a file and when, and its metadata", async () => {
    const [file] = await seed([100]);
    await run([file as SourceFile]);
    expect(nodeAt("/a b/ü/0.bin")).toMatchObject({
      createdBy: "ann",
      createdDate: Date.UTC(2024, 0, 2),
      lastModifiedBy: "ben",
      lastModifiedDate: Date.UTC(2025, 3, 4),
      metadata: { number: "0" },
      md5: file?.md5,
    });
  });

  it("sends nothing when everything is there", async () => {
    const files = await seed([10, 20_000, 2 * MIB]);
    await run(files);
    target.requests.length = 0;
    const again = await run(files);
    expect(again.kinds).toEqual(["same", "same", "same"]);
    expect(again.outcomes[0]?.parts).toEqual({
      blob: { success: 0, skip: 1, failed: 0 },
      node: { success: 0, skip: 1, failed: 0 },
    });
    expect(again.bytes).toBe(0);
    expect(target.requests).toHaveLength(1);
  });

  it("copies 5,000 small files in few requests, and finds nothing to do in few", async () => {
    const files = await source.addAll(
      Array.from({ length: 5000 }, (_, i) => ({ fullPath: `/d${i % 50}/f${i}.bin`, bytes: randomBytes(4096) })),
    );
    const first = await run(files);
    expect(first.kinds.every((kind) => kind === "sent")).toBe(true);
    expect(target.requests.length).toBeLessThanOrEqual(50);
    target.requests.length = 0;
    expect((await run(files)).kinds.every((kind) => kind === "same")).toBe(true);
    expect(target.requests.length).toBeLessThanOrEqual(25);
    await expectCopies(files);
  }, 180_000);

  it("reports each file as soon as its fate is known", async () => {
    const files = await seed([10, 20 * MIB]);
    const seen: string[] = [];
    await run(files, {
      hooks: { ...quiet, onUpload: () => seen.push("upload") },
      report: (index) => seen.push(`file ${index}`),
    });
    expect(seen).toContain("file 0");
    expect(seen).toContain("upload");
    expect(seen.at(-1)).toBe("file 1");
  });

  it("asks for leave before each portion of at most 1 MiB", async () => {
    const files = await seed([500_000, 500_001, 500_002, 3 * MIB]);
    const asked: number[] = [];
    const { bytes } = await run(files, { hooks: { ...quiet, throttle: async (size) => (asked.push(size), size) } });
    expect(Math.max(...asked)).toBeLessThanOrEqual(MIB);
    const total = asked.reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThanOrEqual(bytes);
    expect(total).toBeLessThan(bytes + 10_000);
  });
});

describe("content the target has already", () => {
  it("is not sent for another path", async () => {
    const content = [randomBytes(5000), randomBytes(3 * MIB)] as const;
    await run([await source.add("/one/small", content[0]), await source.add("/one/big", content[1])]);
    const files = [await source.add("/two/small", content[0]), await source.add("/two/big", content[1])];
    const { outcomes, bytes } = await run(files, { mayHaveSent: true });
    expect(outcomes.map((outcome) => outcome?.result.kind)).toEqual(["sent", "sent"]);
    expect(outcomes[1]?.parts.blob).toEqual({ success: 0, skip: 1, failed: 0 });
    expect(bytes).toBe(0);
    await expectCopies(files);
  });

  it("is sent once when several files of a batch have it", async () => {
    const small = randomBytes(30_000);
    const big = randomBytes(2 * MIB);
    const files: SourceFile[] = [];
    for (let i = 0; i < 5; i++) files.push(await source.add(`/s${i}`, small), await source.add(`/b${i}`, big));
    const { bytes } = await run(files);
    expect(bytes).toBe(small.length + big.length);
    await expectCopies(files);
  });
});

describe("a file that is there with other content", () => {
  let theirs: Buffer;
  let files: SourceFile[];

  beforeEach(async () => {
    theirs = randomBytes(700);
    await run([await source.add("/a b/ü/1.bin", theirs, { owner: "them" })]);
    files = await seed([10, 2000, 30, 3 * MIB]);
  });

  it("stays under SKIP", async () => {
    const { kinds, outcomes } = await run(files, { rules: { conflictStrategy: "SKIP", includeMetadata: true } });
    expect(kinds).toEqual(["sent", "skipped", "sent", "sent"]);
    expect(outcomes[1]?.bytesSent ?? -1).toBeLessThanOrEqual(2000);
    expect(await target.fetchFile("/a b/ü/1.bin")).toEqual(theirs);
    expect(nodeAt("/a b/ü/1.bin")?.metadata).toEqual({ owner: "them" });
  });

  it("is replaced under OVERWRITE", async () => {
    const { kinds } = await run(files, { rules: { conflictStrategy: "OVERWRITE", includeMetadata: true } });
    expect(kinds).toEqual(["sent", "replaced", "sent", "sent"]);
    await expectCopies(files);
  });

  it("stops the cluster under FAST_FAIL, and what has not begun is not begun", async () => {
    const { outcomes, kinds } = await run(files, { rules: { conflictStrategy: "FAST_FAIL", includeMetadata: true } });
    expect(outcomes[1]?.result).toMatchObject({ kind: "failed", conflict: true, stopsCluster: true });
    expect(JSON.stringify(outcomes[1]?.result)).toContain("/a b/ü/1.bin");
    expect(kinds.slice(2)).toEqual([undefined, undefined]);
    expect(await target.fetchFile("/a b/ü/1.bin")).toEqual(theirs);
    expect(await target.fetchFile("/a b/ü/3.bin")).toBeNull();
  });

  it("stays under SKIP although this execution may have sent the file: nothing of ours is ever there half-written", async () => {
    const { kinds } = await run(files.slice(1, 2), { mayHaveSent: true });
    expect(kinds).toEqual(["skipped"]);
    expect(await target.fetchFile("/a b/ü/1.bin")).toEqual(theirs);
  });
});

describe("what this execution may have sent before", () => {
  it("is a success when it is found equal", async () => {
    const files = await seed([10, 2 * MIB]);
    await run(files);
    const { outcomes, bytes } = await run(files, {
      mayHaveSent: true,
      rules: { conflictStrategy: "FAST_FAIL", includeMetadata: true },
    });
    expect(outcomes.map((outcome) => outcome?.result)).toEqual([{ kind: "sent" }, { kind: "sent" }]);
    expect(outcomes[1]?.parts).toEqual({
      blob: { success: 1, skip: 0, failed: 0 },
      node: { success: 1, skip: 0, failed: 0 },
    });
    expect(bytes).toBe(0);
  });
});

describe("metadata", () => {
  it("is set where it differs, without sending the content again", async () => {
    const content = randomBytes(100);
    await run([await source.add("/f", content, { a: "1", b: "2" })]);
    const changed = await source.add("/f", content, { b: "2", c: "3" });
    const { kinds, bytes } = await run([changed]);
    expect(kinds).toEqual(["same"]);
    expect(bytes).toBe(0);
    expect(nodeAt("/f")?.metadata).toEqual({ b: "2", c: "3" });
  });

  it("stays as it is there without includeMetadata", async () => {
    const content = randomBytes(100);
    await run([await source.add("/f", content, { a: "1" })]);
    const rules = { conflictStrategy: "OVERWRITE", includeMetadata: false } as const;
    await run([await source.add("/f", content, { a: "2" }), await source.add("/g", randomBytes(5), { a: "2" })], {
      rules,
    });
    expect(nodeAt("/f")?.metadata).toEqual({ a: "1" });
    expect(nodeAt("/g")?.metadata).toEqual({});
    await run([await source.add("/f", randomBytes(101), { a: "3" })], { rules });
    expect(nodeAt("/f")).toMatchObject({ size: 101, metadata: { a: "1" } });
  });
});

describe("a source that lost or damaged content", () => {
  it("fails that file, says so, and sends the others", async () => {
    const files = await seed([100_000, 100_001, 100_002, 3 * MIB, 3 * MIB + 1]);
    const [lost, damaged, , lostBig, damagedBig] = files.map((file) => blobFile(layout(source.dataDir), file.sha256));
    rmSync(lost ?? "");
    rmSync(lostBig ?? "");
    writeFileSync(damaged ?? "", randomBytes(100_001));
    writeFileSync(damagedBig ?? "", randomBytes(3 * MIB + 1));
    const { kinds, outcomes } = await run(files);
    expect(kinds).toEqual(["failed", "failed", "sent", "failed", "failed"]);
    for (const at of [0, 3])
      expect(outcomes[at]?.result).toMatchObject({
        reason: expect.stringMatching(new RegExp(`^${files[at]?.fullPath}: .*not in the store`)),
      });
    for (const at of [1, 4])
      expect(outcomes[at]?.result).toMatchObject({
        reason: expect.stringMatching(new RegExp(`^${files[at]?.fullPath}: .*damaged`)),
      });
    for (const at of [0, 1, 3, 4]) expect(await target.fetchFile(files[at]?.fullPath ?? "")).toBeNull();
    expect(await uploadsLeft()).toEqual([]);
  });

  it("fails a file whose content became shorter", async () => {
    const [file] = await seed([2 * MIB]);
    writeFileSync(blobFile(layout(source.dataDir), file?.sha256 ?? ""), randomBytes(MIB));
    const { outcomes } = await run([file as SourceFile]);
    expect(outcomes[0]?.result).toMatchObject({ kind: "failed", reason: expect.stringContaining("damaged") });
    expect(await uploadsLeft()).toEqual([]);
  });
});

describe("an abort", () => {
  it("reaches the sockets within two seconds and leaves the rest unreported", async () => {
    const files = await seed([20 * MIB]);
    const stop = new AbortController();
    let aborted = 0;
    const hooks = {
      ...quiet,
      signal: stop.signal,
      onBytes: () => {
        if (aborted > 0) return;
        aborted = performance.now();
        stop.abort(new Error("stopped by a user"));
      },
    };
    const seen: number[] = [];
    await expect(run(files, { hooks, report: (index) => seen.push(index) })).rejects.toThrow("stopped by a user");
    expect(performance.now() - aborted).toBeLessThan(2000);
    expect(seen).toEqual([]);
  });
});

async function uploadsLeft(): Promise<string[]> {
  const { readdir } = await import("node:fs/promises");
  return readdir(layout(target.dataDir).staging);
}

const quiet = {
  signal: new AbortController().signal,
  slice: UNHURRIED,
  throttle: UNLIMITED,
  onUpload: () => undefined,
  onBytes: () => undefined,
};
