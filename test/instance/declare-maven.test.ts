import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { StatedVersion } from "../../domain/sync-versions.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import {
  type Built,
  DATES,
  mavenPath,
  mavenVersion,
} from "../rigs/transfer/package-copy-fixture.ts";
import {
  changePath,
  fileAt,
  type PackageTarget,
  startPackageTarget,
} from "../rigs/transfer/package-target-rig.ts";

let rig: PackageTarget;

beforeAll(async () => {
  rig = await startPackageTarget();
});
afterAll(() => rig.stop());
beforeEach(() => rig.renew());

describe("a Maven version that another instance declares", () => {
  it("a declared Maven version is needed, then created with its files and audit fields, with one event", async () => {
    const artifact = unique("lib-");
    const built = mavenVersion(`com.acme:${artifact}`, "1.0", {
      ".jar": randomBytes(400),
      "-sources.jar": randomBytes(300_000),
    });
    const digests = built.stated.files.map((file) => file.sha256);
    expect(await rig.stateAll("MAVEN", [built], {}, [])).toEqual([
      { result: "need", files: digests },
    ]);
    expect(rig.events(rig.repos.maven)).toEqual([]);
    expect(await rig.stateAll("MAVEN", [built])).toEqual([
      { result: "made", written: 3 },
    ]);
    for (const [path, bytes] of built.bytes)
      expect(await rig.download(path)).toEqual(bytes);
    expect(rig.rowOf(rig.repos.maven, `com.acme:${artifact}`, "1.0")).toMatchObject({
      digest: built.stated.digest,
      complete: true,
      ...DATES,
    });
    expect(
      rig.nodeAt(
        rig.repos.maven,
        mavenPath(`com.acme:${artifact}`, "1.0", `${artifact}-1.0.jar`),
      ),
    ).toMatchObject(DATES);
    expect(rig.events(rig.repos.maven)).toEqual([
      { kind: "version", subject: `gav://com.acme:${artifact}`, version: "1.0" },
    ]);
    expect((await rig.metadataOf(`/com/acme/${artifact}`)).text).toMatch(
      /<release>1\.0<\/release>/,
    );
    expect(await rig.stateAll("MAVEN", [built], {}, [])).toEqual([{ result: "same" }]);
    expect(rig.events(rig.repos.maven)).toHaveLength(1);
  });

  it("a declared Maven version of packaging pom is complete without a main artifact", async () => {
    await rig.stateAll("MAVEN", [
      mavenVersion("com.acme:parent", "3", {}, "pom"),
      mavenVersion("com.acme:half", "3", {}),
    ]);
    expect(rig.rowOf(rig.repos.maven, "com.acme:parent", "3")?.complete).toBe(true);
    expect(rig.rowOf(rig.repos.maven, "com.acme:half", "3")?.complete).toBe(false);
    expect(rig.events(rig.repos.maven).map(({ subject }) => subject)).toEqual([
      "gav://com.acme:parent",
    ]);
  });

  it("an invalid packaging in a declared Maven version is not stored", async () => {
    const { stated, bytes } = mavenVersion("com.acme:odd", "1", {}, "pom");
    const [sha] = Object.keys(stated.document?.["packagings"] ?? {});
    await rig.stateAll("MAVEN", [
      {
        stated: {
          ...stated,
          document: { packagings: { [sha ?? ""]: "x".repeat(1_000_000) } },
        },
        bytes,
      },
    ]);
    expect(rig.rowOf(rig.repos.maven, "com.acme:odd", "1")).toMatchObject({
      complete: false,
      document: { packagings: {} },
    });
  });

  it("a declared Maven version adds missing files and keeps additional ones, even in a release", async () => {
    const jar = randomBytes(100);
    const sources = randomBytes(90);
    await rig.stateAll("MAVEN", [
      mavenVersion("com.acme:lib", "1.0", {
        ".jar": jar,
        "-javadoc.jar": randomBytes(80),
      }),
    ]);
    expect(
      await rig.stateAll("MAVEN", [
        mavenVersion("com.acme:lib", "1.0", { ".jar": jar, "-sources.jar": sources }),
      ]),
    ).toEqual([{ result: "made", written: 1 }]);
    expect(
      await rig.download(mavenPath("com.acme:lib", "1.0", "lib-1.0-sources.jar")),
    ).toEqual(sources);
    expect(
      await rig.download(mavenPath("com.acme:lib", "1.0", "lib-1.0-javadoc.jar")),
    ).toHaveLength(80);
    expect(rig.events(rig.repos.maven)).toHaveLength(2);
  });

  describe("a file that differs at the target", () => {
    const theirs = randomBytes(50);
    const path = mavenPath("com.acme:lib", "1.0", "lib-1.0.jar");
    let ours: Built;
    let digest = "";

    beforeEach(async () => {
      const built = mavenVersion("com.acme:lib", "1.0", { ".jar": theirs });
      digest = built.stated.digest;
      await rig.stateAll("MAVEN", [built]);
      ours = mavenVersion("com.acme:lib", "1.0", {
        ".jar": randomBytes(60),
        "-sources.jar": randomBytes(70),
      });
    });

    it.each(["SKIP", "FAST_FAIL"])(
      "a Maven version with a differing file is a conflict under %s, and none of its files is written",
      async (conflictStrategy) => {
        const other = mavenVersion("com.acme:other", "1.0");
        const answers = await rig.stateAll("MAVEN", [ours, other], { conflictStrategy });
        expect(answers[0]).toEqual({ result: "conflict", existing: digest, path });
        expect(answers[1]).toEqual(
          conflictStrategy === "SKIP"
            ? { result: "made", written: 2 }
            : { result: "stopped" },
        );
        expect(await rig.download(path)).toEqual(theirs);
        expect(
          rig.nodeAt(
            rig.repos.maven,
            mavenPath("com.acme:lib", "1.0", "lib-1.0-sources.jar"),
          ),
        ).toBeNull();
      },
    );

    it("a Maven release with a differing file is refused under OVERWRITE", async () => {
      const [answer] = await rig.stateAll("MAVEN", [ours], {
        conflictStrategy: "OVERWRITE",
      });
      expect(answer).toMatchObject({
        result: "refused",
        code: 251020,
        existing: digest,
        message: expect.stringMatching(
          /lib-1\.0\.jar is released there with other content and must not change/,
        ),
      });
      expect(await rig.download(path)).toEqual(theirs);
      expect(
        rig.nodeAt(
          rig.repos.maven,
          mavenPath("com.acme:lib", "1.0", "lib-1.0-sources.jar"),
        ),
      ).toBeNull();
    });

    it("a Maven release is replaced under OVERWRITE if the target repository has allowOverwrite", async () => {
      rig.target.db.$client
        .prepare("UPDATE repository SET allow_overwrite = 1 WHERE name = ?")
        .run(rig.repos.maven);
      expect(
        await rig.stateAll("MAVEN", [ours], { conflictStrategy: "OVERWRITE" }),
      ).toEqual([{ result: "replaced", written: 2, existing: digest }]);
      for (const [at, bytes] of ours.bytes) expect(await rig.download(at)).toEqual(bytes);
      expect(rig.rowOf(rig.repos.maven, "com.acme:lib", "1.0")?.digest).toBe(
        ours.stated.digest,
      );
    });
  });

  it("a Maven snapshot with other content is replaced under OVERWRITE", async () => {
    const first = mavenVersion("com.acme:lib", "2-SNAPSHOT", { ".jar": randomBytes(50) });
    const changed = mavenVersion("com.acme:lib", "2-SNAPSHOT", {
      ".jar": randomBytes(51),
    });
    await rig.stateAll("MAVEN", [first]);
    expect(
      await rig.stateAll("MAVEN", [changed], { conflictStrategy: "SKIP" }),
    ).toMatchObject([{ result: "conflict" }]);
    expect(
      await rig.stateAll("MAVEN", [changed], { conflictStrategy: "OVERWRITE" }),
    ).toMatchObject([{ result: "replaced", written: 1 }]);
  });

  it("a declared Maven version is refused as a whole if its folder is a file at the target", async () => {
    const blocker = { path: "/com/acme/lib/1.0", content: randomBytes(9) };
    await rig.stateFiles([fileAt(blocker.path, blocker.content)], [blocker.content]);
    const built = mavenVersion("com.acme:lib", "1.0");
    const other = mavenVersion("com.acme:lib", "1.1");
    expect(await rig.stateAll("MAVEN", [built, other])).toMatchObject([
      { result: "refused", code: 251012 },
      { result: "made" },
    ]);
    expect(rig.rowOf(rig.repos.maven, "com.acme:lib", "1.0")).toBeUndefined();
  });

  it("metadata of declared files is updated if it differs, but only with includeMetadata", async () => {
    const built = mavenVersion("com.acme:lib", "1.0");
    await rig.stateAll("MAVEN", [built]);
    const marked = {
      ...built,
      stated: {
        ...built.stated,
        files: built.stated.files.map((file) => ({
          ...file,
          metadata: { colour: "blue" },
        })),
      },
    };
    await rig.stateAll("MAVEN", [marked], { includeMetadata: false }, []);
    expect(
      rig.nodeAt(rig.repos.maven, mavenPath("com.acme:lib", "1.0", "lib-1.0.jar"))
        ?.metadata,
    ).toEqual({});
    expect(await rig.stateAll("MAVEN", [marked], {}, [])).toEqual([{ result: "same" }]);
    expect(
      rig.nodeAt(rig.repos.maven, mavenPath("com.acme:lib", "1.0", "lib-1.0.jar"))
        ?.metadata,
    ).toEqual({
      colour: "blue",
    });
    expect(rig.events(rig.repos.maven)).toHaveLength(2);
  });

  it.each<[string, (version: StatedVersion) => StatedVersion, number]>([
    ["files of another version", (version) => ({ ...version, version: "9.9" }), 251011],
    [
      "files of another package",
      (version) => ({ ...version, package: "com.evil:lib" }),
      251011,
    ],
    [
      "a path that leaves the repository",
      (version) => changePath(version, "/../outside"),
      251011,
    ],
    [
      "an encoded path that leaves the repository",
      (version) => changePath(version, "/com/acme/lib/1.0/%2e%2e"),
      251011,
    ],
    [
      "a checksum as a file",
      (version) => changePath(version, "/com/acme/lib/1.0/lib-1.0.jar.sha1"),
      251011,
    ],
    [
      "metadata as a file",
      (version) => changePath(version, "/com/acme/lib/1.0/maven-metadata.xml"),
      251011,
    ],
    [
      "a metadata file that has the name of an artifact file",
      (version) =>
        changePath(
          { ...version, package: "com.acme:maven", version: "metadata" },
          "/com/acme/maven/metadata/maven-metadata.xml",
        ),
      251011,
    ],
    [
      "a digest that does not match its files",
      (version) => ({ ...version, digest: `sha256:${"0".repeat(64)}` }),
      251003,
    ],
  ])(
    "a declared Maven version with %s is refused, and the versions beside it are not",
    async (_, change, code) => {
      const built = mavenVersion("com.acme:lib", "1.0");
      const good = mavenVersion("com.acme:good", "1.0");
      const answers = await rig.stateAll(
        "MAVEN",
        [{ ...built, stated: change(built.stated) }, good],
        {},
        [...built.bytes.values(), ...good.bytes.values()],
      );
      expect(answers).toMatchObject([
        { result: "refused", code, message: expect.any(String) },
        { result: "made" },
      ]);
    },
  );
});
