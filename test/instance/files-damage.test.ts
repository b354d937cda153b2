import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blobFile, layout } from "../../activities/store/layout.ts";
import { type FileSender, startFileSender } from "../rigs/transfer/file-sender-rig.ts";
import { quietHooks, type SourceFile } from "../rigs/transfer/instance-fixture.ts";

const MIB = 1024 * 1024;

let rig: FileSender;

beforeEach(async () => {
  rig = await startFileSender();
});
afterEach(() => rig.stop());

describe("a source that lost or damaged content", () => {
  it("files whose content is lost or damaged at the source fail with this reason, and others are sent", async () => {
    const files = await rig.seed([100_000, 100_001, 100_002, 3 * MIB, 3 * MIB + 1]);
    const [lost, damaged, , lostBig, damagedBig] = files.map((file) =>
      blobFile(layout(rig.source.dataDir), file.sha256),
    );
    rmSync(lost ?? "");
    rmSync(lostBig ?? "");
    writeFileSync(damaged ?? "", randomBytes(100_001));
    writeFileSync(damagedBig ?? "", randomBytes(3 * MIB + 1));
    const { kinds, outcomes } = await rig.run(files);
    expect(kinds).toEqual(["failed", "failed", "sent", "failed", "failed"]);
    for (const at of [0, 3])
      expect(outcomes[at]?.result).toMatchObject({
        reason: expect.stringMatching(
          new RegExp(`^${files[at]?.fullPath}: .*not in the store`),
        ),
      });
    for (const at of [1, 4])
      expect(outcomes[at]?.result).toMatchObject({
        reason: expect.stringMatching(new RegExp(`^${files[at]?.fullPath}: .*damaged`)),
      });
    for (const at of [0, 1, 3, 4])
      expect(await rig.target.fetchFile(files[at]?.fullPath ?? "")).toBeNull();
    expect(rig.uploadsLeft()).toEqual([]);
  });

  it("a file whose content became shorter at the source fails as damaged", async () => {
    const [file] = await rig.seed([2 * MIB]);
    writeFileSync(
      blobFile(layout(rig.source.dataDir), file?.sha256 ?? ""),
      randomBytes(MIB),
    );
    const { outcomes } = await rig.run([file as SourceFile]);
    expect(outcomes[0]?.result).toMatchObject({
      kind: "failed",
      reason: expect.stringContaining("damaged"),
    });
    expect(rig.uploadsLeft()).toEqual([]);
  });
});

describe("an abort", () => {
  it("aborting a copy of files ends its requests soon, and reports no outcome", async () => {
    const files = await rig.seed([20 * MIB]);
    const stop = new AbortController();
    let aborted = 0;
    const onBytes = () => {
      if (aborted > 0) return;
      aborted = performance.now();
      stop.abort(new Error("stopped by a user"));
    };
    const hooks = quietHooks({ signal: stop.signal, onBytes });
    const seen: number[] = [];
    await expect(
      rig.run(files, { hooks, report: (index) => seen.push(index) }),
    ).rejects.toThrow("stopped by a user");
    expect(performance.now() - aborted).toBeLessThan(20_000);
    expect(seen).toEqual([]);
  });
});
