import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { StatedVersion } from "../../domain/sync-versions.ts";
import { type Built, DATES, npmVersion } from "../rigs/transfer/package-copy-fixture.ts";
import {
  changePath,
  type PackageTarget,
  startPackageTarget,
} from "../rigs/transfer/package-target-rig.ts";
import { LOGIN } from "../rigs/transfer/protocol-fixture.ts";

let rig: PackageTarget;

beforeAll(async () => {
  rig = await startPackageTarget();
});
afterAll(() => rig.stop());
beforeEach(() => rig.renew());

describe("an npm version that another instance declares", () => {
  it("a declared npm version is created with its document and dist-tags, and npm sees it at once", async () => {
    const built = [
      npmVersion("@acme/lib", "1.0.0", { distTags: [] }),
      npmVersion("@acme/lib", "1.1.0", { distTags: ["latest", "beta"] }),
    ];
    expect(await rig.stateAll("NPM", built, {}, [])).toMatchObject([
      { result: "need" },
      { result: "need" },
    ]);
    expect(await rig.stateAll("NPM", built)).toEqual([
      { result: "made", written: 1 },
      { result: "made", written: 1 },
    ]);
    const found = await rig.packument("@acme/lib");
    expect(found?.["dist-tags"]).toEqual({ latest: "1.1.0", beta: "1.1.0" });
    expect(Object.keys(found?.versions ?? {})).toEqual(["1.0.0", "1.1.0"]);
    const answer = await fetch(found?.versions["1.1.0"]?.dist.tarball ?? "", {
      headers: LOGIN,
    });
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(
      [...(built[1]?.bytes.values() ?? [])][0],
    );
    expect(rig.rowOf(rig.repos.npm, "@acme/lib", "1.0.0")).toMatchObject(DATES);
    expect(rig.events(rig.repos.npm).map(({ version }) => version)).toEqual([
      "1.0.0",
      "1.1.0",
    ]);
    expect(await rig.stateAll("NPM", built, {}, [])).toEqual([
      { result: "same" },
      { result: "same" },
    ]);
    expect(rig.events(rig.repos.npm)).toHaveLength(2);
  });

  it("a declared npm version with another tarball is a conflict, and is refused under OVERWRITE", async () => {
    const theirs = npmVersion("lib", "1.0.0");
    const ours = npmVersion("lib", "1.0.0");
    await rig.stateAll("NPM", [theirs]);
    const { digest } = theirs.stated;
    expect(await rig.stateAll("NPM", [ours])).toEqual([
      { result: "conflict", existing: digest, path: "/lib/-/lib-1.0.0.tgz" },
    ]);
    expect(
      await rig.stateAll("NPM", [ours, npmVersion("lib", "1.0.1")], {
        conflictStrategy: "FAST_FAIL",
      }),
    ).toMatchObject([{ result: "conflict" }, { result: "stopped" }]);
    expect(
      await rig.stateAll("NPM", [ours], { conflictStrategy: "OVERWRITE" }),
    ).toMatchObject([
      {
        result: "refused",
        code: 251020,
        existing: digest,
        message: expect.stringMatching(
          /lib@1\.0\.0 is published there with another tarball and must not change/,
        ),
      },
    ]);
    expect(rig.rowOf(rig.repos.npm, "lib", "1.0.0")?.digest).toBe(digest);
  });

  it("declaring an npm version updates deprecation and dist-tags, but does not move latest back", async () => {
    const tarballs = [randomBytes(10), randomBytes(11), randomBytes(12)] as const;
    const version = (name: string, i: 0 | 1 | 2, distTags: string[], more = {}) =>
      npmVersion("lib", name, { tarball: tarballs[i], distTags, more });
    await rig.stateAll("NPM", [
      version("1.0.0", 0, ["old"]),
      version("2.0.0", 1, ["latest"]),
    ]);
    const again = [
      version("1.0.0", 0, ["latest", "stable"], { deprecated: "use 2" }),
      version("2.0.0", 1, ["next"]),
    ];
    expect(await rig.stateAll("NPM", again, { includeMetadata: false }, [])).toEqual([
      { result: "same" },
      { result: "same" },
    ]);
    expect((await rig.packument("lib"))?.["dist-tags"]).toEqual({
      old: "1.0.0",
      latest: "2.0.0",
    });
    expect(await rig.stateAll("NPM", again, {}, [])).toEqual([
      { result: "same" },
      { result: "same" },
    ]);
    const found = await rig.packument("lib");
    expect(found?.["dist-tags"]).toEqual({
      old: "1.0.0",
      latest: "2.0.0",
      stable: "1.0.0",
      next: "2.0.0",
    });
    expect(found?.versions["1.0.0"]?.["deprecated"]).toBe("use 2");
    await rig.stateAll("NPM", [version("3.0.0", 2, ["latest"])]);
    expect((await rig.packument("lib"))?.["dist-tags"]["latest"]).toBe("3.0.0");
    await rig.stateAll("NPM", [version("1.0.0", 0, [])], {}, []);
    expect((await rig.packument("lib"))?.versions["1.0.0"]).not.toHaveProperty(
      "deprecated",
    );
  });

  it("a declared npm version with the same tarball and another document changes only the deprecation", async () => {
    const tarball = randomBytes(10);
    await rig.stateAll("NPM", [
      npmVersion("lib", "1.0.0", { tarball, more: { license: "MIT" } }),
    ]);
    const before = (await rig.packument("lib"))?.versions["1.0.0"];
    const other = npmVersion("lib", "1.0.0", {
      tarball,
      more: { deprecated: "old", dependencies: { evil: "*" } },
    }).stated;
    const stated = {
      ...other,
      document: { ...other.document, dist: { integrity: "sha512-AAAA" } },
    };
    expect(await rig.stateAll("NPM", [{ stated, bytes: new Map() }])).toEqual([
      { result: "same" },
    ]);
    expect((await rig.packument("lib"))?.versions["1.0.0"]).toEqual({
      ...before,
      deprecated: "old",
    });
    expect(rig.events(rig.repos.npm)).toHaveLength(2);
    expect(await rig.stateAll("NPM", [{ stated, bytes: new Map() }])).toEqual([
      { result: "same" },
    ]);
    expect(rig.events(rig.repos.npm)).toHaveLength(2);
  });

  it("a declared npm version that differs from another only in build metadata is refused", async () => {
    const [plain, built, other] = ["1.0.0", "1.0.0+build.5", "1.0.1+build.5"].map(
      (version) => npmVersion("lib", version),
    ) as [Built, Built, Built];
    const message =
      "lib@1.0.0+build.5 and lib@1.0.0 differ in their build metadata only, which npm ignores: " +
      "publish it under a higher version";
    expect(await rig.stateAll("NPM", [plain, built, other])).toEqual([
      { result: "made", written: 1 },
      { result: "refused", code: 251020, message },
      { result: "made", written: 1 },
    ]);
    for (const conflictStrategy of ["OVERWRITE", "FAST_FAIL"]) {
      expect(await rig.stateAll("NPM", [built, plain], { conflictStrategy }, [])).toEqual(
        [{ result: "refused", code: 251020, message }, { result: "same" }],
      );
    }
    expect(Object.keys((await rig.packument("lib"))?.versions ?? {})).toEqual([
      "1.0.0",
      "1.0.1+build.5",
    ]);
  });

  it("a declared npm version that is already stored is accepted, even if only build metadata differs", async () => {
    const [plain, built] = [npmVersion("lib", "1.0.0"), npmVersion("lib", "1.0.1")];
    await rig.stateAll("NPM", [plain, built]);
    rig.target.db.$client
      .prepare("UPDATE version SET name = '1.0.0+b' WHERE name = '1.0.1' AND digest = ?")
      .run(built.stated.digest);
    const again = npmVersion("lib", "1.0.0+b", {
      tarball: Buffer.concat([...built.bytes.values()]),
    });
    expect(await rig.stateAll("NPM", [plain, again], {}, [])).toEqual([
      { result: "same" },
      { result: "same" },
    ]);
  });

  it("a declared npm version sets only a missing latest without includeMetadata", async () => {
    const built = npmVersion("lib", "1.0.0", {
      distTags: ["latest", "beta"],
      more: { deprecated: "no" },
    });
    await rig.stateAll("NPM", [built], { includeMetadata: false });
    const found = await rig.packument("lib");
    expect(found?.["dist-tags"]).toEqual({ latest: "1.0.0" });
    expect(found?.versions["1.0.0"]).not.toHaveProperty("deprecated");
  });

  it.each<[string, (version: StatedVersion) => StatedVersion, number]>([
    ["a hostile name", (version) => ({ ...version, package: "../x" }), 250105],
    ["an invalid version", (version) => ({ ...version, version: "latest" }), 250105],
    [
      "a tag that is a version",
      (version) => ({ ...version, distTags: ["1.0.0"] }),
      250105,
    ],
    [
      "an unusual path of its tarball",
      (version) => changePath(version, "/other/-/lib-1.0.0.tgz"),
      251011,
    ],
    [
      "two files",
      (version) => ({
        ...version,
        files: [
          ...version.files,
          ...version.files.map((file) => ({ ...file, path: "/lib/-/x.tgz" })),
        ],
      }),
      251011,
    ],
    ["no document", (version) => ({ ...version, document: null }), 250106],
    [
      "a digest that does not match its tarball",
      (version) => ({ ...version, digest: `sha256:${"0".repeat(64)}` }),
      251003,
    ],
  ])("a declared npm version with %s is refused", async (_, change, code) => {
    const built = npmVersion("lib", "1.0.0");
    expect(
      await rig.stateAll("NPM", [{ ...built, stated: change(built.stated) }]),
    ).toMatchObject([{ result: "refused", code, message: expect.any(String) }]);
    expect(rig.events(rig.repos.npm)).toEqual([]);
  });

  it('a document with "__proto__" in a declared npm version changes no JavaScript prototype', async () => {
    const built = npmVersion("lib", "1.0.0");
    const hostile = JSON.parse(
      `{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}`,
    ) as Record<string, unknown>;
    expect(
      await rig.stateAll("NPM", [
        {
          ...built,
          stated: { ...built.stated, document: { ...built.stated.document, ...hostile } },
        },
      ]),
    ).toMatchObject([{ result: "made" }]);
    expect("polluted" in {}).toBe(false);
    expect((await rig.packument("lib"))?.versions["1.0.0"]).toMatchObject({
      name: "lib",
      version: "1.0.0",
    });
  });
});
