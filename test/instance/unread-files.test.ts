import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { blobFile, layout } from "../../activities/store/layout.ts";
import { compareClaim } from "../../domain/content-digests.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import {
  type Algorithm,
  type Facts,
  startUnreadTarget,
  unread,
  type UnreadTarget,
} from "../rigs/transfer/unread-rig.ts";

let rig: UnreadTarget;

beforeAll(async () => {
  rig = await startUnreadTarget();
});
afterAll(() => rig.stop());

test.each([
  [{ sha256: "a", size: null }, { sha256: "a", size: 1 }, "same"],
  [{ sha256: "a", size: 1 }, { sha256: "b", size: 1, sha512: "x" }, "different"],
  [
    { sha256: null, size: 2, sha512: "x" },
    { sha256: "a", size: 1, sha512: "x" },
    "different",
  ],
  [
    { sha256: null, size: 1, sha512: "x", md5: "other" },
    { sha256: "a", size: 1, sha512: "x", md5: "m" },
    "same",
  ],
  [
    { sha256: null, size: null, sha1: "y" },
    { sha256: "a", size: 1, sha1: "z" },
    "different",
  ],
  [
    { sha256: null, size: null, sha1: "y" },
    { sha256: "a", size: 1, md5: "m" },
    "unknown",
  ],
  [{ sha256: null, size: 1 }, { sha256: "a", size: 1 }, "unknown"],
  [{ sha256: null, size: 1 }, null, "absent"],
] as const)(
  "a declared file %j compared with the present file %j is %s",
  (claim, there, comparison) => {
    expect(compareClaim(claim, there)).toBe(comparison);
  },
);

describe("a file whose sha256 the source does not know", () => {
  const content = randomBytes(40_000);
  const other = randomBytes(40_000);

  beforeEach(() => rig.renew("GENERIC"));

  test.each<[Algorithm[]]>([
    [["sha512"]],
    [["sha1"]],
    [["md5"]],
    [["sha512", "sha1", "md5"]],
  ])(
    "a declared file without sha256 is needed, then created, and found again by its %j",
    async (algorithms) => {
      const stated = unread(content, algorithms, { metadata: { k: "v" } });
      expect((await rig.stateFiles([stated])).files).toEqual([{ result: "need" }]);
      const known = await rig.upload(
        content,
        Object.fromEntries(algorithms.map((algorithm) => [algorithm, stated[algorithm]])),
      );
      expect((await rig.stateFiles([{ ...stated, ...known }])).files).toEqual([
        { result: "made" },
      ]);
      expect(await rig.read("/a/f")).toEqual(content);
      expect((await rig.stateFiles([stated])).files).toEqual([{ result: "same" }]);
      expect((await rig.stateFiles([{ ...stated, metadata: { k: "w" } }])).files).toEqual(
        [{ result: "same" }],
      );
      expect(
        rig.target.db.$client
          .prepare("SELECT metadata FROM node WHERE sha256 = ? AND metadata LIKE '%w%'")
          .all(sha256(content)).length,
      ).toBeGreaterThan(0);
    },
  );

  test("a declared file without sha256 conflicts with other content, and replaces it under OVERWRITE", async () => {
    await rig.stateFiles([{ ...(await rig.upload(other)) }]);
    const stated = unread(content, ["sha1"]);
    expect((await rig.stateFiles([stated])).files).toEqual([
      { result: "conflict", existing: sha256(other) },
    ]);
    const behind = unread(content, [], { path: "/b" });
    expect(
      (await rig.stateFiles([stated, behind], { conflictStrategy: "FAST_FAIL" })).files,
    ).toEqual([{ result: "conflict", existing: sha256(other) }, { result: "stopped" }]);
    expect(
      (await rig.stateFiles([stated], { conflictStrategy: "OVERWRITE" })).files,
    ).toEqual([{ result: "need" }]);
    const known = await rig.upload(content);
    expect(
      (await rig.stateFiles([{ ...stated, ...known }], { conflictStrategy: "OVERWRITE" }))
        .files,
    ).toEqual([{ result: "replaced", existing: sha256(other) }]);
    expect(await rig.read("/a/f")).toEqual(content);
  });

  test("a declared file without digests conflicts with a file of another size, and is needed otherwise", async () => {
    await rig.stateFiles([{ ...(await rig.upload(other)) }]);
    expect((await rig.stateFiles([unread(content, [], { size: 39_999 })])).files).toEqual(
      [{ result: "conflict", existing: sha256(other) }],
    );
    expect((await rig.stateFiles([unread(content, [], { size: 40_000 })])).files).toEqual(
      [{ result: "need", existing: sha256(other) }],
    );
    expect((await rig.stateFiles([unread(content, [])])).files).toEqual([
      { result: "need", existing: sha256(other) },
    ]);
  });

  test("a declared file with a sha256 needs no size", async () => {
    const known = await rig.upload(content);
    expect((await rig.stateFiles([{ sha256: known.sha256 }])).files).toEqual([
      { result: "made" },
    ]);
    expect((await rig.stateFiles([{ sha256: known.sha256, size: null }])).files).toEqual([
      { result: "same" },
    ]);
  });

  test("the target reads a content once to compute its other digests, and stores them", async () => {
    const large = randomBytes(300_000);
    await rig.stateFiles([{ ...(await rig.upload(large)) }]);
    expect((await rig.stateFiles([unread(large, ["sha512"])])).files).toEqual([
      { result: "same" },
    ]);
    // What is not read is not noticed: other bytes of the same size.
    writeFileSync(
      blobFile(layout(rig.target.dataDir), sha256(large)),
      randomBytes(300_000),
    );
    expect((await rig.stateFiles([unread(large, ["sha1"])])).files).toEqual([
      { result: "same" },
    ]);
  });

  test.each<[string, Facts]>([
    ["attached", { attached: true }],
    ["with a sha512 of a sha1's length", { sha512: "0".repeat(40) }],
    ["with a sha1 in capitals", { sha1: "A".repeat(40) }],
    ["with a number for its md5", { md5: 5 }],
    ["with a string for its size", { size: "5" }],
  ])(
    "a declared file without sha256 is refused if it is declared %s",
    async (_, changes) => {
      expect(await rig.stateFiles([unread(content, [], changes)])).toMatchObject({
        status: 400,
        code: 250106,
      });
    },
  );
});
