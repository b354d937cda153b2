import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FileSender, startFileSender } from "../rigs/transfer/file-sender-rig.ts";
import { quietHooks, type SourceFile } from "../rigs/transfer/instance-fixture.ts";

const MIB = 1024 * 1024;

let rig: FileSender;

beforeEach(async () => {
  rig = await startFileSender();
});
afterEach(() => rig.stop());

describe("copies of files to another instance", () => {
  it("files of every size are copied unchanged to another instance", async () => {
    const files = await rig.seed([
      0,
      1,
      4096,
      16 * 1024,
      16 * 1024 + 1,
      300_000,
      MIB,
      MIB + 1,
      5_000_000,
    ]);
    const { outcomes, bytes } = await rig.run(files);
    await rig.expectCopies(files);
    expect(outcomes).toEqual(
      files.map((file) => ({
        result: { kind: "sent" },
        digest: `sha256:${file.sha256}`,
        size: file.size,
        parts: {
          blob: { success: 1, skip: 0, failed: 0 },
          node: { success: 1, skip: 0, failed: 0 },
        },
        bytesSent: file.size,
      })),
    );
    expect(bytes).toBe(files.reduce((sum, file) => sum + file.size, 0));
  });

  it("400 tiny files reach an empty repository in one request, and files with much metadata in several", async () => {
    const tiny = await rig.seed(Array.from({ length: 400 }, () => 100));
    await rig.run(tiny, { isEmpty: true });
    expect(rig.target.requests).toHaveLength(1);
    await rig.expectCopies(tiny);

    const metadata = { remark: '"'.repeat(12_000) };
    const files = await rig.source.addAll(
      Array.from({ length: 400 }, (_, i) => ({
        fullPath: `/told/${i}.bin`,
        bytes: randomBytes(10),
        metadata,
      })),
    );
    const { outcomes } = await rig.run(files);
    expect(new Set(outcomes.map((outcome) => outcome?.result.kind))).toEqual(
      new Set(["sent"]),
    );
    expect(rig.nodeAt("/told/399.bin")).toMatchObject({ metadata });
  });

  it("a copied file keeps its audit fields and its metadata", async () => {
    const [file] = await rig.seed([100]);
    await rig.run([file as SourceFile]);
    expect(rig.nodeAt("/a b/ü/0.bin")).toMatchObject({
      createdBy: "ann",
      createdDate: Date.UTC(2024, 0, 2),
      lastModifiedBy: "ben",
      lastModifiedDate: Date.UTC(2025, 3, 4),
      metadata: { number: "0" },
      md5: file?.md5,
    });
  });

  it("copying the same files a second time sends no content", async () => {
    const files = await rig.seed([10, 20_000, 2 * MIB]);
    await rig.run(files);
    rig.target.requests.length = 0;
    const again = await rig.run(files);
    expect(again.kinds).toEqual(["same", "same", "same"]);
    expect(again.outcomes[0]?.parts).toEqual({
      blob: { success: 0, skip: 1, failed: 0 },
      node: { success: 0, skip: 1, failed: 0 },
    });
    expect(again.bytes).toBe(0);
    expect(rig.target.requests).toHaveLength(1);
  });

  it("5,000 small files are copied in few requests, and compared in fewer", async () => {
    const files = await rig.source.addAll(
      Array.from({ length: 5000 }, (_, i) => ({
        fullPath: `/d${i % 50}/f${i}.bin`,
        bytes: randomBytes(4096),
      })),
    );
    const first = await rig.run(files);
    expect(first.kinds.every((kind) => kind === "sent")).toBe(true);
    expect(rig.target.requests.length).toBeLessThanOrEqual(50);
    rig.target.requests.length = 0;
    expect((await rig.run(files)).kinds.every((kind) => kind === "same")).toBe(true);
    expect(rig.target.requests.length).toBeLessThanOrEqual(25);
    await rig.expectCopies(files);
  }, 180_000);

  it("each copied file is reported as soon as it has an outcome", async () => {
    const files = await rig.seed([10, 20 * MIB]);
    const seen: string[] = [];
    await rig.run(files, {
      hooks: quietHooks({ onUpload: () => seen.push("upload") }),
      report: (index) => seen.push(`file ${index}`),
    });
    expect(seen).toContain("file 0");
    expect(seen).toContain("upload");
    expect(seen.at(-1)).toBe("file 1");
  });

  it("the rate limit is asked before each portion of a copied file, at most 1 MiB", async () => {
    const files = await rig.seed([500_000, 500_001, 500_002, 3 * MIB]);
    const asked: number[] = [];
    const { bytes } = await rig.run(files, {
      hooks: quietHooks({ throttle: async (size) => (asked.push(size), size) }),
    });
    expect(Math.max(...asked)).toBeLessThanOrEqual(MIB);
    const total = asked.reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThanOrEqual(bytes);
    expect(total).toBeLessThan(bytes + 10_000);
  });
});

describe("content that the target already has", () => {
  it("content that the target already has is not sent again for another path", async () => {
    const content = [randomBytes(5000), randomBytes(3 * MIB)] as const;
    await rig.run([
      await rig.source.add("/one/small", content[0]),
      await rig.source.add("/one/big", content[1]),
    ]);
    const files = [
      await rig.source.add("/two/small", content[0]),
      await rig.source.add("/two/big", content[1]),
    ];
    const { outcomes, bytes } = await rig.run(files, { mayHaveSent: true });
    expect(outcomes.map((outcome) => outcome?.result.kind)).toEqual(["sent", "sent"]);
    expect(outcomes[1]?.parts.blob).toEqual({ success: 0, skip: 1, failed: 0 });
    expect(bytes).toBe(0);
    await rig.expectCopies(files);
  });

  it("content that several files of a batch share is sent once", async () => {
    const small = randomBytes(30_000);
    const big = randomBytes(2 * MIB);
    const files: SourceFile[] = [];
    for (let i = 0; i < 5; i++)
      files.push(
        await rig.source.add(`/s${i}`, small),
        await rig.source.add(`/b${i}`, big),
      );
    const { bytes } = await rig.run(files);
    expect(bytes).toBe(small.length + big.length);
    await rig.expectCopies(files);
  });
});

describe("metadata of files", () => {
  it("metadata of a file is updated if it differs, without sending the content again", async () => {
    const content = randomBytes(100);
    await rig.run([await rig.source.add("/f", content, { a: "1", b: "2" })]);
    const changed = await rig.source.add("/f", content, { b: "2", c: "3" });
    const { kinds, bytes } = await rig.run([changed]);
    expect(kinds).toEqual(["same"]);
    expect(bytes).toBe(0);
    expect(rig.nodeAt("/f")?.metadata).toEqual({ b: "2", c: "3" });
  });

  it("metadata of a file at the target stays unchanged without includeMetadata", async () => {
    const content = randomBytes(100);
    await rig.run([await rig.source.add("/f", content, { a: "1" })]);
    const rules = { conflictStrategy: "OVERWRITE", includeMetadata: false } as const;
    await rig.run(
      [
        await rig.source.add("/f", content, { a: "2" }),
        await rig.source.add("/g", randomBytes(5), { a: "2" }),
      ],
      {
        rules,
      },
    );
    expect(rig.nodeAt("/f")?.metadata).toEqual({ a: "1" });
    expect(rig.nodeAt("/g")?.metadata).toEqual({});
    await rig.run([await rig.source.add("/f", randomBytes(101), { a: "3" })], { rules });
    expect(rig.nodeAt("/f")).toMatchObject({ size: 101, metadata: { a: "1" } });
  });
});
