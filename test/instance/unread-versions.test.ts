import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { versionDigest } from "../../domain/maven/layout.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import {
  mavenPath,
  mavenVersion,
  npmVersion,
} from "../rigs/transfer/package-copy-fixture.ts";
import { LOGIN } from "../rigs/transfer/protocol-fixture.ts";
import {
  type Algorithm,
  described,
  startUnreadTarget,
  uploaded,
  type UnreadTarget,
} from "../rigs/transfer/unread-rig.ts";

let rig: UnreadTarget;

beforeAll(async () => {
  rig = await startUnreadTarget();
});
afterAll(() => rig.stop());

const [jar, sources] = [randomBytes(500), randomBytes(300_000)];

describe("a declared Maven version without sha256", () => {
  const built = mavenVersion("com.acme:lib", "1.0", {
    ".jar": jar,
    "-sources.jar": sources,
  });
  const pathOf = (file: string) => mavenPath("com.acme:lib", "1.0", file);
  const rowOf = (version: string) =>
    rig.target.db.$client
      .prepare(
        `SELECT v.digest, v.complete, v.size FROM version v
         JOIN package p ON p.id = v.package_id JOIN repository r ON r.id = p.repository_id
         WHERE r.name = ? AND v.name = ?`,
      )
      .get(rig.repository(), version);

  beforeEach(() => rig.renew("MAVEN"));

  test("a declared Maven version is needed by its files' sha256 or path, then created and recognized", async () => {
    const artifact = unique("lib-");
    const fresh = mavenVersion(`com.acme:${artifact}`, "1.0", {
      ".jar": jar,
      "-sources.jar": sources,
    });
    const stated = described(fresh, ["sha1"], ".jar");
    const pom = fresh.stated.files[0]?.sha256;
    const paths = ["", "-sources"].map((classifier) =>
      mavenPath(`com.acme:${artifact}`, "1.0", `${artifact}-1.0${classifier}.jar`),
    );
    expect(await rig.stateVersions("MAVEN", [stated])).toEqual([
      { result: "need", files: [pom], paths },
    ]);
    const whole = await uploaded(rig, stated, fresh, paths);
    const contents = [...fresh.bytes.values()].slice(0, 1);
    expect(await rig.stateVersions("MAVEN", [whole], {}, contents)).toEqual([
      { result: "made", written: 3 },
    ]);
    expect(rowOf("1.0")).toMatchObject({
      digest: versionDigest(fresh.stated.files, sha256),
      complete: 1,
    });
    expect(await rig.stateVersions("MAVEN", [stated])).toEqual([{ result: "same" }]);
    expect(
      await rig.stateVersions("MAVEN", [described(fresh, ["md5"], ".jar", ".pom")]),
    ).toEqual([{ result: "same" }]);
  });

  test("a declared Maven version without sha256 adds the file that the target lacks", async () => {
    await rig.stateVersions(
      "MAVEN",
      [mavenVersion("com.acme:lib", "1.0", { ".jar": jar }).stated],
      {},
      [...mavenVersion("com.acme:lib", "1.0", { ".jar": jar }).bytes.values()],
    );
    const stated = described(built, ["sha512"], ".jar");
    const lacking = [pathOf("lib-1.0-sources.jar")];
    expect(await rig.stateVersions("MAVEN", [stated])).toEqual([
      { result: "need", files: [], paths: lacking },
    ]);
    expect(
      await rig.stateVersions("MAVEN", [await uploaded(rig, stated, built, lacking)]),
    ).toEqual([{ result: "made", written: 1 }]);
  });

  test("a declared Maven version without sha256 conflicts if a file differs, and OVERWRITE is refused", async () => {
    await rig.stateVersions("MAVEN", [built.stated], {}, [...built.bytes.values()]);
    const ours = mavenVersion("com.acme:lib", "1.0", {
      ".jar": randomBytes(500),
      "-sources.jar": sources,
    });
    const stated = described(ours, ["sha1"], ".jar");
    const { digest } = built.stated;
    expect(await rig.stateVersions("MAVEN", [stated])).toEqual([
      { result: "conflict", existing: digest, path: pathOf("lib-1.0.jar") },
    ]);
    expect(
      await rig.stateVersions("MAVEN", [stated], { conflictStrategy: "OVERWRITE" }),
    ).toMatchObject([{ result: "refused", code: 251020, existing: digest }]);
  });

  test("a declared Maven snapshot without sha256 is needed and replaced under OVERWRITE", async () => {
    const [theirs, ours] = [
      mavenVersion("com.acme:lib", "2-SNAPSHOT"),
      mavenVersion("com.acme:lib", "2-SNAPSHOT"),
    ];
    await rig.stateVersions("MAVEN", [theirs.stated], {}, [...theirs.bytes.values()]);
    const stated = described(ours, ["sha1"], ".jar", ".pom");
    const paths = [mavenPath("com.acme:lib", "2-SNAPSHOT", "lib-2-SNAPSHOT.jar")];
    const rules = { conflictStrategy: "OVERWRITE" };
    expect(await rig.stateVersions("MAVEN", [stated], rules)).toEqual([
      { result: "need", files: [], paths },
    ]);
    expect(
      await rig.stateVersions("MAVEN", [await uploaded(rig, stated, ours, paths)], rules),
    ).toEqual([{ result: "replaced", written: 1, existing: theirs.stated.digest }]);
  });

  test("a declared Maven version has its POM's packaging, even if the source has not read the POM", async () => {
    const parent = mavenVersion("com.acme:parent", "3", {}, "pom");
    const stated = { ...described(parent, [], ".pom"), document: null };
    const whole = await uploaded(rig, stated, parent, [stated.files[0]?.path ?? ""]);
    expect(await rig.stateVersions("MAVEN", [whole])).toEqual([
      { result: "made", written: 1 },
    ]);
    expect(rowOf("3")).toMatchObject({ complete: 1 });
  });

  test("a declared Maven version without sha256 of a file is refused if it has a version digest", async () => {
    const stated = { ...described(built, ["sha1"], ".jar"), digest: built.stated.digest };
    expect(await rig.stateVersions("MAVEN", [stated])).toMatchObject([
      {
        result: "refused",
        code: 250106,
        message: expect.stringContaining("must be null"),
      },
    ]);
  });
});

describe("a declared npm version without sha256", () => {
  const tarball = randomBytes(700);
  const built = npmVersion("@acme/lib", "1.0.0", { tarball, distTags: ["latest"] });
  const path = "/@acme/lib/-/lib-1.0.0.tgz";

  beforeEach(() => rig.renew("NPM"));

  async function packument(
    name: string,
  ): Promise<{ versions: Record<string, Record<string, unknown>> } | null> {
    const answer = await fetch(
      `${rig.target.url}/npm/copies/${rig.repository()}/${name.replace("/", "%2f")}`,
      {
        headers: LOGIN,
      },
    );
    const body = await answer.json();
    return answer.status === 200 ? (body as never) : null;
  }

  test.each<[Algorithm]>([["sha512"], ["sha1"]])(
    "a declared npm version without sha256 is needed by path, then created, and recognized by its %s",
    async (algorithm) => {
      const stated = described(built, [algorithm], ".tgz");
      expect(await rig.stateVersions("NPM", [stated])).toEqual([
        { result: "need", files: [], paths: [path] },
      ]);
      expect(
        await rig.stateVersions("NPM", [await uploaded(rig, stated, built, [path])]),
      ).toEqual([{ result: "made", written: 1 }]);
      expect(Object.keys((await packument("@acme/lib"))?.versions ?? {})).toEqual([
        "1.0.0",
      ]);
      expect(await rig.stateVersions("NPM", [stated])).toEqual([{ result: "same" }]);
      const deprecated = {
        ...stated,
        document: { ...built.stated.document, deprecated: "old" },
      };
      expect(await rig.stateVersions("NPM", [deprecated])).toEqual([{ result: "same" }]);
      expect((await packument("@acme/lib"))?.versions["1.0.0"]).toMatchObject({
        deprecated: "old",
      });
    },
  );

  test("a declared npm version without sha256 conflicts with another tarball, also under OVERWRITE", async () => {
    await rig.stateVersions("NPM", [built.stated], {}, [tarball]);
    const stated = described(
      npmVersion("@acme/lib", "1.0.0", { tarball: randomBytes(700) }),
      ["sha512"],
      ".tgz",
    );
    const { digest } = built.stated;
    expect(await rig.stateVersions("NPM", [stated])).toEqual([
      { result: "conflict", existing: digest, path },
    ]);
    expect(
      await rig.stateVersions("NPM", [stated], { conflictStrategy: "OVERWRITE" }),
    ).toMatchObject([{ result: "refused", code: 251020, existing: digest }]);
  });

  test("a declared npm version without any digest is needed", async () => {
    const stated = described(built, [], ".tgz");
    await rig.stateVersions("NPM", [built.stated], {}, [tarball]);
    expect(await rig.stateVersions("NPM", [stated])).toEqual([
      { result: "need", files: [], paths: [path] },
    ]);
    expect(
      await rig.stateVersions("NPM", [await uploaded(rig, stated, built, [path])]),
    ).toEqual([{ result: "same" }]);
  });

  const lies: [string, object][] = [
    [
      "integrity",
      { integrity: `sha512-${createHash("sha512").update("another").digest("base64")}` },
    ],
    ["shasum", { shasum: "0".repeat(40) }],
    ["kind of integrity", { integrity: "md7-AAAA" }],
  ];

  test.each(lies)(
    "a declared npm version whose %s does not match its tarball is refused",
    async (_, dist) => {
      const document = { ...built.stated.document, dist };
      const stated = { ...described(built, [], ".tgz"), document };
      const refused = [
        {
          result: "refused",
          code: 251003,
          message: expect.stringContaining("@acme/lib@1.0.0 belongs to another tarball"),
        },
      ];
      expect(
        await rig.stateVersions("NPM", [await uploaded(rig, stated, built, [path])]),
      ).toMatchObject(refused);
      expect(
        await rig.stateVersions("NPM", [{ ...built.stated, document }], {}, [tarball]),
      ).toMatchObject(refused);
      expect(await packument("@acme/lib")).toBeNull();
    },
  );
});
