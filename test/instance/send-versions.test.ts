import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SYNC_LIMITS } from "../../domain/sync.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import { quietHooks } from "../rigs/transfer/instance-fixture.ts";
import {
  type Built,
  mavenVersion,
  npmVersion,
} from "../rigs/transfer/package-copy-fixture.ts";
import {
  startVersionSender,
  type VersionSender,
} from "../rigs/transfer/version-sender-rig.ts";

const MIB = 1024 * 1024;

let rig: VersionSender;

beforeEach(async () => {
  rig = await startVersionSender();
});
afterEach(() => rig.stop());

describe("copies of versions to another instance", () => {
  it("versions are copied to another instance unchanged, with small, empty and large files", async () => {
    const files = {
      ".jar": randomBytes(3 * MIB),
      "-sources.jar": randomBytes(200_000),
      "-empty.txt": Buffer.alloc(0),
      ".jar.asc": randomBytes(300),
    };
    const built = await rig.store(
      mavenVersion("com.acme:lib", "1.0", files),
      mavenVersion("com.acme:lib", "1.1"),
      mavenVersion("org.x:parent", "7", {}, "pom"),
    );
    const { outcomes, bytes, states } = await rig.run(built);
    await rig.expectThere(built);
    const sizes = built.map(({ bytes: contents }) =>
      [...contents.values()].reduce((sum, { length }) => sum + length, 0),
    );
    expect(outcomes).toEqual(
      built.map(({ stated }, at) => ({
        result: { kind: "sent" },
        digest: stated.digest,
        size: sizes[at],
        parts: {
          blob: { success: 0, skip: 0, failed: 0 },
          node: { success: stated.files.length, skip: 0, failed: 0 },
        },
        bytesSent: sizes[at],
      })),
    );
    expect(bytes).toBe(sizes.reduce((sum, size) => sum + size));
    expect(states.at(-1)).toMatchObject({
      digest: `sha256:${sha256(files[".jar"])}`,
      offset: 3 * MIB,
    });
  });

  it("300 small versions are sent in fewer than 10 requests, and compared in fewer than 5", async () => {
    const built = await rig.store(
      ...Array.from({ length: 300 }, (_, i) =>
        npmVersion(`lib${i % 20}`, `1.${i}.0`, { tarball: randomBytes(4096) }),
      ),
    );
    expect((await rig.run(built)).kinds.every((kind) => kind === "sent")).toBe(true);
    expect(rig.proxy.requests.length).toBeLessThan(10);
    rig.proxy.clear();
    const again = await rig.run(built);
    expect(again.kinds.every((kind) => kind === "same")).toBe(true);
    expect(again.bytes).toBe(0);
    expect(rig.proxy.requests.length).toBeLessThan(5);
    await rig.expectThere(built.slice(0, 20));
  });

  it("a version with 3,000 files, too large for one request, is copied", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 3000 }, (_, i) => [`-part${i}.bin`, randomBytes(4096)]),
    );
    const [built] = await rig.store(mavenVersion("com.acme:many", "1.0", files));
    if (!built) throw new Error("nothing was built");
    const { outcomes } = await rig.run([built]);
    expect(outcomes[0]).toMatchObject({
      result: { kind: "sent" },
      parts: { node: { success: 3001 } },
      bytesSent: expect.any(Number),
    });
    expect(rig.proxy.requests.every(({ bytes }) => bytes < 4 * MIB)).toBe(true);
    await rig.expectThere([
      { ...built, bytes: new Map([...built.bytes].filter((_, i) => i % 100 === 0)) },
    ]);
  }, 60_000);

  it("a version with a document above the limit fails naming both sizes, and the others are sent", async () => {
    const large = npmVersion("large", "1.0.0", {
      more: { readme: "x".repeat(SYNC_LIMITS.versionBytes) },
    });
    const built = await rig.store(large, npmVersion("small", "1.0.0"));
    const { kinds, reasons } = await rig.run(built);
    expect(kinds).toEqual(["failed", "sent"]);
    expect(reasons[0]).toMatch(
      /large 1\.0\.0: .* has \d+ bytes; .* accepts at most 16777216/,
    );
  });

  it("a content that several versions share is uploaded once", async () => {
    const shared = randomBytes(2 * MIB);
    const built = await rig.store(
      mavenVersion("com.acme:a", "1", { ".jar": shared }),
      mavenVersion("com.acme:b", "1", { ".jar": shared }),
    );
    const { kinds, bytes } = await rig.run(built);
    expect(kinds).toEqual(["sent", "sent"]);
    expect(bytes).toBeLessThan(shared.length + 2000);
    await rig.expectThere(built);
  });

  it("the rate limit covers nearly every byte that is sent for versions", async () => {
    const built = await rig.store(
      mavenVersion("com.acme:a", "1", { ".jar": randomBytes(2 * MIB) }),
      mavenVersion("com.acme:b", "1"),
    );
    let allowed = 0;
    const { kinds } = await rig.run(built, {
      hooks: quietHooks({ throttle: async (bytes) => ((allowed += bytes), bytes) }),
    });
    const sent = rig.proxy.requests
      .filter(({ path }) => /versions|uploads\/\w/.test(path))
      .reduce((sum, request) => sum + request.bytes, 0);
    expect(kinds).toEqual(["sent", "sent"]);
    expect(allowed).toBeLessThanOrEqual(sent);
    expect(allowed).toBeGreaterThan(sent - 1000);
  });
});

describe("a version with other content at the target", () => {
  let ours: Built;
  let theirs: Built;
  let others: Built[];

  beforeEach(async () => {
    theirs = npmVersion("lib", "1.0.0");
    ours = npmVersion("lib", "1.0.0");
    others = [
      npmVersion("lib", "1.1.0"),
      npmVersion("lib", "1.2.0", { tarball: randomBytes(2 * MIB) }),
    ];
    await rig.store(theirs, ours, ...others);
    await rig.run([theirs]);
  });

  it("a version that has other content at the target stays under SKIP, and none of its content is sent", async () => {
    const { outcomes, kinds } = await rig.run([ours, ...others]);
    expect(kinds).toEqual(["skipped", "sent", "sent"]);
    expect(outcomes[0]).toMatchObject({ bytesSent: 0, parts: { node: { skip: 1 } } });
    await rig.expectThere([theirs, ...others]);
  });

  it("a version that has other content at the target stops the cluster's run under FAST_FAIL", async () => {
    const { outcomes, kinds } = await rig.run([ours, ...others], {
      rules: { conflictStrategy: "FAST_FAIL", includeMetadata: true },
    });
    expect(kinds).toEqual(["failed", undefined, undefined]);
    expect(outcomes[0]?.result).toMatchObject({
      conflict: true,
      stopsCluster: true,
      reason: expect.stringMatching(
        /^lib 1\.0\.0: .* has other content there \(\/lib\/-\/lib-1\.0\.0\.tgz; sha256:/,
      ),
    });
    await rig.expectThere([theirs]);
    expect(await rig.download("/lib/-/lib-1.1.0.tgz", "npm")).toBeNull();
  });

  it("a published npm version that differs at the target fails under OVERWRITE, and others are sent", async () => {
    const { outcomes, kinds } = await rig.run([ours, ...others], {
      rules: { conflictStrategy: "OVERWRITE", includeMetadata: true },
    });
    expect(kinds).toEqual(["failed", "sent", "sent"]);
    expect(outcomes[0]?.result).toMatchObject({
      conflict: true,
      stopsCluster: false,
      reason: expect.stringMatching(
        /refuses it: lib@1\.0\.0 is published there with another tarball and must not change/,
      ),
    });
    await rig.expectThere([theirs]);
  });

  it("a Maven version with a differing file does not get its missing files under SKIP", async () => {
    const pair = await rig.store(
      mavenVersion("a.b:c", "1", { ".jar": randomBytes(9) }),
      mavenVersion("a.b:c", "1", {
        ".jar": randomBytes(8),
        "-sources.jar": randomBytes(7),
      }),
    );
    await rig.run(pair.slice(0, 1));
    expect((await rig.run(pair.slice(1))).kinds).toEqual(["skipped"]);
    expect(await rig.download("/a/b/c/1/c-1-sources.jar", "maven")).toBeNull();
  });

  it("a Maven version that only lacks files gets them, and its outcome counts them", async () => {
    const jar = randomBytes(9);
    const pair = await rig.store(
      mavenVersion("a.b:c", "1", { ".jar": jar }),
      mavenVersion("a.b:c", "1", { ".jar": jar, "-sources.jar": randomBytes(7) }),
    );
    await rig.run(pair.slice(0, 1));
    const { outcomes } = await rig.run(pair.slice(1));
    expect(outcomes[0]).toMatchObject({
      result: { kind: "sent" },
      parts: { node: { success: 1, skip: 2 } },
      bytesSent: 7,
    });
    await rig.expectThere(pair);
  });
});

describe("a version that this execution may have sent before", () => {
  it("a version that is found equal at the target after an earlier attempt counts as sent", async () => {
    const built = await rig.store(mavenVersion("a.b:c", "1"));
    await rig.run(built);
    const { outcomes, bytes } = await rig.run(built, {
      mayHaveSent: true,
      rules: { conflictStrategy: "FAST_FAIL", includeMetadata: true },
    });
    expect(outcomes[0]).toMatchObject({
      result: { kind: "sent" },
      parts: { node: { success: 2, skip: 0 } },
    });
    expect(bytes).toBe(0);
  });
});
