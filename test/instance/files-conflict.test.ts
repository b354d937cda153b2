import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FileSender, startFileSender } from "../rigs/transfer/file-sender-rig.ts";
import type { SourceFile } from "../rigs/transfer/instance-fixture.ts";

const MIB = 1024 * 1024;

let rig: FileSender;

beforeEach(async () => {
  rig = await startFileSender();
});
afterEach(() => rig.stop());

describe("a file with other content at the target", () => {
  let theirs: Buffer;
  let files: SourceFile[];

  beforeEach(async () => {
    theirs = randomBytes(700);
    await rig.run([await rig.source.add("/a b/ü/1.bin", theirs, { owner: "them" })]);
    files = await rig.seed([10, 2000, 30, 3 * MIB]);
  });

  it("a file that has other content at the target stays unchanged under SKIP", async () => {
    const { kinds, outcomes } = await rig.run(files, {
      rules: { conflictStrategy: "SKIP", includeMetadata: true },
    });
    expect(kinds).toEqual(["sent", "skipped", "sent", "sent"]);
    expect(outcomes[1]?.bytesSent ?? -1).toBeLessThanOrEqual(2000);
    expect(await rig.target.fetchFile("/a b/ü/1.bin")).toEqual(theirs);
    expect(rig.nodeAt("/a b/ü/1.bin")?.metadata).toEqual({ owner: "them" });
  });

  it("a file that has other content at the target is replaced under OVERWRITE", async () => {
    const { kinds } = await rig.run(files, {
      rules: { conflictStrategy: "OVERWRITE", includeMetadata: true },
    });
    expect(kinds).toEqual(["sent", "replaced", "sent", "sent"]);
    await rig.expectCopies(files);
  });

  it("a file that has other content at the target stops the cluster's run under FAST_FAIL", async () => {
    const { outcomes, kinds } = await rig.run(files, {
      rules: { conflictStrategy: "FAST_FAIL", includeMetadata: true },
    });
    expect(outcomes[1]?.result).toMatchObject({
      kind: "failed",
      conflict: true,
      stopsCluster: true,
    });
    expect(JSON.stringify(outcomes[1]?.result)).toContain("/a b/ü/1.bin");
    expect(kinds.slice(2)).toEqual([undefined, undefined]);
    expect(await rig.target.fetchFile("/a b/ü/1.bin")).toEqual(theirs);
    expect(await rig.target.fetchFile("/a b/ü/3.bin")).toBeNull();
  });

  it("a file that has other content at the target stays under SKIP, even if it may have been sent before", async () => {
    const { kinds } = await rig.run(files.slice(1, 2), { mayHaveSent: true });
    expect(kinds).toEqual(["skipped"]);
    expect(await rig.target.fetchFile("/a b/ü/1.bin")).toEqual(theirs);
  });
});

describe("a file that this execution may have sent before", () => {
  it("a file that is found equal at the target after an earlier attempt counts as sent", async () => {
    const files = await rig.seed([10, 2 * MIB]);
    await rig.run(files);
    const { outcomes, bytes } = await rig.run(files, {
      mayHaveSent: true,
      rules: { conflictStrategy: "FAST_FAIL", includeMetadata: true },
    });
    expect(outcomes.map((outcome) => outcome?.result)).toEqual([
      { kind: "sent" },
      { kind: "sent" },
    ]);
    expect(outcomes[1]?.parts).toEqual({
      blob: { success: 1, skip: 0, failed: 0 },
      node: { success: 1, skip: 0, failed: 0 },
    });
    expect(bytes).toBe(0);
  });
});
