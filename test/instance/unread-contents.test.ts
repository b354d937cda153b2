import { createHash, randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { blobFile, layout } from "../../activities/store/layout.ts";
import { compareClaim } from "../../domain/content-digests.ts";
import { versionDigest } from "../../domain/maven/layout.ts";
import { encodeStatement, FILES_MEDIA_TYPE, SYNC_PREFIX } from "../../domain/sync.ts";
import { VERSIONS_MEDIA_TYPE, type DescribedVersion } from "../../domain/sync-versions.ts";
import { ADMIN, basic } from "../rigs/api/api-fixture.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import { startInstance, type Instance } from "../rigs/transfer/instance-fixture.ts";
import {
  type Built,
  DATES,
  frame,
  mavenPath,
  mavenVersion,
  npmVersion,
} from "../rigs/transfer/package-copy-fixture.ts";

type Type = "GENERIC" | "MAVEN" | "NPM";
type Algorithm = "sha512" | "sha1" | "md5";

let target: Instance;
let repositories = 0;
let repository = "";

beforeAll(async () => {
  target = await startInstance();
});

afterAll(async () => {
  await target.stop();
  target.remove();
});

beforeEach(() => {
  repositories += 1;
  repository = `r${repositories}`;
});

async function call(
  method: string,
  path: string,
  body: Uint8Array | string,
  headers: Record<string, string> = { "content-type": "application/json" },
) {
  const login = { authorization: basic(`${ADMIN.username}:${ADMIN.password}`) };
  const answer = await fetch(`${target.url}${SYNC_PREFIX}${path}`, { method, headers: { ...login, ...headers }, body });
  return {
    ...((await answer.json()) as { code: number; message: string | null; data: unknown }),
    status: answer.status,
  };
}

const make = (type: Type) => call("POST", `/repositories/copies/${repository}`, JSON.stringify({ type }));
const hex = (algorithm: Algorithm, content: Buffer) => createHash(algorithm).update(content).digest("hex");

/** Sends a content of which the target is told nothing but its digests; answers its sha256 and size. */
async function upload(content: Buffer, known: object = {}): Promise<{ sha256: string; size: number }> {
  const { data } = await call("POST", "/uploads", "{}");
  const { id } = data as { id: string };
  await call("PATCH", `/uploads/${id}`, content, { "upload-offset": "0" });
  const ended = await call("PUT", `/uploads/${id}`, JSON.stringify(known));
  const { sha256, size } = ended.data as { sha256: string; size: number };
  return { sha256, size };
}

type Facts = Record<string, unknown>;

const unread = (content: Buffer, algorithms: Algorithm[], changes: Facts = {}): Facts => ({
  sha256: null,
  size: null,
  ...Object.fromEntries(algorithms.map((algorithm) => [algorithm, hex(algorithm, content)])),
  ...changes,
});

async function stateFiles(files: Facts[], changes: Facts = {}, type: Type = "GENERIC") {
  const whole = files.map((file) => ({ path: "/a/f", metadata: {}, attached: false, ...DATES, ...file }));
  const body = encodeStatement({ type, conflictStrategy: "SKIP", includeMetadata: true, files: whole, ...changes });
  const { status, code, message, data } = await call("POST", `/files/copies/${repository}`, body, {
    "content-type": FILES_MEDIA_TYPE,
  });
  return { status, code, message, files: (data as { files: unknown[] } | null)?.files };
}

async function stateVersions(
  type: "MAVEN" | "NPM",
  versions: DescribedVersion[],
  changes: Facts = {},
  contents: Buffer[] = [],
): Promise<unknown[]> {
  const body = frame(type, versions, contents, changes);
  const { data, message } = await call("POST", `/versions/copies/${repository}`, body, {
    "content-type": VERSIONS_MEDIA_TYPE,
  });
  if (data === null) throw new Error(message ?? "no answer");
  return (data as { versions: unknown[] }).versions;
}

const read = (path: string) => target.fetchFile(path, { projectId: "copies", repoName: repository });

test.each([
  [{ sha256: "a", size: null }, { sha256: "a", size: 1 }, "same"],
  [{ sha256: "a", size: 1 }, { sha256: "b", size: 1, sha512: "x" }, "different"],
  [{ sha256: null, size: 2, sha512: "x" }, { sha256: "a", size: 1, sha512: "x" }, "different"],
  [{ sha256: null, size: 1, sha512: "x", md5: "other" }, { sha256: "a", size: 1, sha512: "x", md5: "m" }, "same"],
  [{ sha256: null, size: null, sha1: "y" }, { sha256: "a", size: 1, sha1: "z" }, "different"],
  [{ sha256: null, size: null, sha1: "y" }, { sha256: "a", size: 1, md5: "m" }, "unknown"],
  [{ sha256: null, size: 1 }, { sha256: "a", size: 1 }, "unknown"],
  [{ sha256: null, size: 1 }, null, "absent"],
] as const)("%j beside %j is %s", (claim, there, comparison) => {
  expect(compareClaim(claim, there)).toBe(comparison);
});

describe("a file whose sha256 the source does not tell", () => {
  const content = randomBytes(40_000);
  const other = randomBytes(40_000);

  beforeEach(() => make("GENERIC"));

  test.each<[Algorithm[]]>([[["sha512"]], [["sha1"]], [["md5"]], [["sha512", "sha1", "md5"]]])(
    "is asked for and made, and found again by its %j",
    async (algorithms) => {
      const stated = unread(content, algorithms, { metadata: { k: "v" } });
      expect((await stateFiles([stated])).files).toEqual([{ result: "need" }]);
      const known = await upload(
        content,
        Object.fromEntries(algorithms.map((algorithm) => [algorithm, stated[algorithm]])),
      );
      expect((await stateFiles([{ ...stated, ...known }])).files).toEqual([{ result: "made" }]);
      expect(await read("/a/f")).toEqual(content);
      expect((await stateFiles([stated])).files).toEqual([{ result: "same" }]);
      expect((await stateFiles([{ ...stated, metadata: { k: "w" } }])).files).toEqual([{ result: "same" }]);
      expect(
        target.db.$client
          .prepare("SELECT metadata FROM node WHERE sha256 = ? AND metadata LIKE '%w%'")
          .all(sha256(content)).length,
      ).toBeGreaterThan(0);
    },
  );

  test("is a conflict under SKIP and FAST_FAIL where another content is there, and is asked for and replaced under OVERWRITE", async () => {
    await stateFiles([{ ...(await upload(other)) }]);
    const stated = unread(content, ["sha1"]);
    expect((await stateFiles([stated])).files).toEqual([{ result: "conflict", existing: sha256(other) }]);
    const behind = unread(content, [], { path: "/b" });
    expect((await stateFiles([stated, behind], { conflictStrategy: "FAST_FAIL" })).files).toEqual([
      { result: "conflict", existing: sha256(other) },
      { result: "stopped" },
    ]);
    expect((await stateFiles([stated], { conflictStrategy: "OVERWRITE" })).files).toEqual([{ result: "need" }]);
    const known = await upload(content);
    expect((await stateFiles([{ ...stated, ...known }], { conflictStrategy: "OVERWRITE" })).files).toEqual([
      { result: "replaced", existing: sha256(other) },
    ]);
    expect(await read("/a/f")).toEqual(content);
  });

  test("differs from one of another size without any digest, and of the same size cannot be told from it", async () => {
    await stateFiles([{ ...(await upload(other)) }]);
    expect((await stateFiles([unread(content, [], { size: 39_999 })])).files).toEqual([
      { result: "conflict", existing: sha256(other) },
    ]);
    expect((await stateFiles([unread(content, [], { size: 40_000 })])).files).toEqual([
      { result: "need", existing: sha256(other) },
    ]);
    expect((await stateFiles([unread(content, [])])).files).toEqual([{ result: "need", existing: sha256(other) }]);
  });

  test("with a known sha256 alone needs no size", async () => {
    const known = await upload(content);
    expect((await stateFiles([{ sha256: known.sha256 }])).files).toEqual([{ result: "made" }]);
    expect((await stateFiles([{ sha256: known.sha256, size: null }])).files).toEqual([{ result: "same" }]);
  });

  test("is compared with what is remembered of the content that is there, which is read once", async () => {
    const large = randomBytes(300_000);
    await stateFiles([{ ...(await upload(large)) }]);
    expect((await stateFiles([unread(large, ["sha512"])])).files).toEqual([{ result: "same" }]);
    rmSync(blobFile(layout(target.dataDir), sha256(large)));
    expect((await stateFiles([unread(large, ["sha1"])])).files).toEqual([{ result: "same" }]);
  });

  test.each<[string, Facts]>([
    ["attached", { attached: true }],
    ["with a sha512 of a sha1's length", { sha512: "0".repeat(40) }],
    ["with a sha1 in capitals", { sha1: "A".repeat(40) }],
    ["with a number for its md5", { md5: 5 }],
    ["with a size that is none", { size: "5" }],
  ])("and that is stated %s is refused", async (_, changes) => {
    expect(await stateFiles([unread(content, [], changes)])).toMatchObject({ status: 400, code: 250106 });
  });
});

const [jar, sources] = [randomBytes(500), randomBytes(300_000)];

/** The version as a source describes it that knows only these digests of those of its files that end so. */
function described({ stated, bytes }: Built, algorithms: Algorithm[], ...ends: string[]): DescribedVersion {
  const files = stated.files.map((file) => {
    const content = bytes.get(file.path);
    return content && ends.some((end) => file.path.endsWith(end)) ? { ...file, ...unread(content, algorithms) } : file;
  });
  return { ...stated, digest: null, files };
}

/** The same with what the uploads of the files at these paths answered. */
async function uploaded(version: DescribedVersion, { bytes }: Built, paths: string[]): Promise<DescribedVersion> {
  const files = [];
  for (const file of version.files)
    files.push(
      paths.includes(file.path) ? { ...file, ...(await upload(bytes.get(file.path) ?? Buffer.alloc(0))) } : file,
    );
  return { ...version, files };
}

describe("a Maven version of whose files the source does not know every sha256", () => {
  const built = mavenVersion("com.acme:lib", "1.0", { ".jar": jar, "-sources.jar": sources });
  const pathOf = (file: string) => mavenPath("com.acme:lib", "1.0", file);
  const rowOf = (version: string) =>
    target.db.$client
      .prepare(
        "SELECT v.digest, v.complete, v.size FROM version v JOIN package p ON p.id = v.package_id JOIN repository r ON r.id = p.repository_id WHERE r.name = ? AND v.name = ?",
      )
      .get(repository, version);

  beforeEach(() => make("MAVEN"));

  test("is asked for by sha256 and by path, made, and found again by what the source knows", async () => {
    const stated = described(built, ["sha1"], ".jar");
    const pom = built.stated.files[0]?.sha256;
    const paths = [pathOf("lib-1.0.jar"), pathOf("lib-1.0-sources.jar")];
    expect(await stateVersions("MAVEN", [stated])).toEqual([{ result: "need", files: [pom], paths }]);
    const whole = await uploaded(stated, built, paths);
    const contents = [...built.bytes.values()].slice(0, 1);
    expect(await stateVersions("MAVEN", [whole], {}, contents)).toEqual([{ result: "made", written: 3 }]);
    expect(rowOf("1.0")).toMatchObject({ digest: versionDigest(built.stated.files, sha256), complete: 1 });
    expect(await stateVersions("MAVEN", [stated])).toEqual([{ result: "same" }]);
    expect(await stateVersions("MAVEN", [described(built, ["md5"], ".jar", ".pom")])).toEqual([{ result: "same" }]);
  });

  test("grows by the file that lacks", async () => {
    await stateVersions("MAVEN", [mavenVersion("com.acme:lib", "1.0", { ".jar": jar }).stated], {}, [
      ...mavenVersion("com.acme:lib", "1.0", { ".jar": jar }).bytes.values(),
    ]);
    const stated = described(built, ["sha512"], ".jar");
    const lacking = [pathOf("lib-1.0-sources.jar")];
    expect(await stateVersions("MAVEN", [stated])).toEqual([{ result: "need", files: [], paths: lacking }]);
    expect(await stateVersions("MAVEN", [await uploaded(stated, built, lacking)])).toEqual([
      { result: "made", written: 1 },
    ]);
  });

  test("is a conflict of the whole where a file differs, and refused under OVERWRITE when it is released", async () => {
    await stateVersions("MAVEN", [built.stated], {}, [...built.bytes.values()]);
    const ours = mavenVersion("com.acme:lib", "1.0", { ".jar": randomBytes(500), "-sources.jar": sources });
    const stated = described(ours, ["sha1"], ".jar");
    const { digest } = built.stated;
    expect(await stateVersions("MAVEN", [stated])).toEqual([
      { result: "conflict", existing: digest, path: pathOf("lib-1.0.jar") },
    ]);
    expect(await stateVersions("MAVEN", [stated], { conflictStrategy: "OVERWRITE" })).toMatchObject([
      { result: "refused", code: 251020, existing: digest },
    ]);
  });

  test("of a snapshot is asked for and replaced under OVERWRITE", async () => {
    const [theirs, ours] = [mavenVersion("com.acme:lib", "2-SNAPSHOT"), mavenVersion("com.acme:lib", "2-SNAPSHOT")];
    await stateVersions("MAVEN", [theirs.stated], {}, [...theirs.bytes.values()]);
    const stated = described(ours, ["sha1"], ".jar", ".pom");
    const paths = [mavenPath("com.acme:lib", "2-SNAPSHOT", "lib-2-SNAPSHOT.jar")];
    const rules = { conflictStrategy: "OVERWRITE" };
    expect(await stateVersions("MAVEN", [stated], rules)).toEqual([{ result: "need", files: [], paths }]);
    expect(await stateVersions("MAVEN", [await uploaded(stated, ours, paths)], rules)).toEqual([
      { result: "replaced", written: 1, existing: theirs.stated.digest },
    ]);
  });

  test("has the packaging that its POM names, though the source did not read it", async () => {
    const parent = mavenVersion("com.acme:parent", "3", {}, "pom");
    const stated = { ...described(parent, [], ".pom"), document: null };
    const whole = await uploaded(stated, parent, [stated.files[0]?.path ?? ""]);
    expect(await stateVersions("MAVEN", [whole])).toEqual([{ result: "made", written: 1 }]);
    expect(rowOf("3")).toMatchObject({ complete: 1 });
  });

  test("cannot have a digest of the whole", async () => {
    const stated = { ...described(built, ["sha1"], ".jar"), digest: built.stated.digest };
    expect(await stateVersions("MAVEN", [stated])).toMatchObject([
      { result: "refused", code: 250106, message: expect.stringContaining("must be null") },
    ]);
  });
});

describe("an npm version whose tarball's sha256 the source does not know", () => {
  const tarball = randomBytes(700);
  const built = npmVersion("@acme/lib", "1.0.0", { tarball, distTags: ["latest"] });
  const path = "/@acme/lib/-/lib-1.0.0.tgz";

  beforeEach(() => make("NPM"));

  async function packument(name: string): Promise<{ versions: Record<string, Record<string, unknown>> } | null> {
    const login = { authorization: basic(`${ADMIN.username}:${ADMIN.password}`) };
    const answer = await fetch(`${target.url}/npm/copies/${repository}/${name.replace("/", "%2f")}`, {
      headers: login,
    });
    const body = await answer.json();
    return answer.status === 200 ? (body as never) : null;
  }

  test.each<[Algorithm]>([["sha512"], ["sha1"]])(
    "is asked for by its path, made, and found again by its %s",
    async (algorithm) => {
      const stated = described(built, [algorithm], ".tgz");
      expect(await stateVersions("NPM", [stated])).toEqual([{ result: "need", files: [], paths: [path] }]);
      expect(await stateVersions("NPM", [await uploaded(stated, built, [path])])).toEqual([
        { result: "made", written: 1 },
      ]);
      expect(Object.keys((await packument("@acme/lib"))?.versions ?? {})).toEqual(["1.0.0"]);
      expect(await stateVersions("NPM", [stated])).toEqual([{ result: "same" }]);
      const deprecated = { ...stated, document: { ...built.stated.document, deprecated: "old" } };
      expect(await stateVersions("NPM", [deprecated])).toEqual([{ result: "same" }]);
      expect((await packument("@acme/lib"))?.versions["1.0.0"]).toMatchObject({ deprecated: "old" });
    },
  );

  test("is a conflict where another tarball is published, and refused under OVERWRITE", async () => {
    await stateVersions("NPM", [built.stated], {}, [tarball]);
    const stated = described(npmVersion("@acme/lib", "1.0.0", { tarball: randomBytes(700) }), ["sha512"], ".tgz");
    const { digest } = built.stated;
    expect(await stateVersions("NPM", [stated])).toEqual([{ result: "conflict", existing: digest, path }]);
    expect(await stateVersions("NPM", [stated], { conflictStrategy: "OVERWRITE" })).toMatchObject([
      { result: "refused", code: 251020, existing: digest },
    ]);
  });

  test("is asked for where no digest is known at all", async () => {
    const stated = described(built, [], ".tgz");
    await stateVersions("NPM", [built.stated], {}, [tarball]);
    expect(await stateVersions("NPM", [stated])).toEqual([{ result: "need", files: [], paths: [path] }]);
    expect(await stateVersions("NPM", [await uploaded(stated, built, [path])])).toEqual([{ result: "same" }]);
  });

  const lies: [string, object][] = [
    ["integrity", { integrity: `sha512-${createHash("sha512").update("another").digest("base64")}` }],
    ["shasum", { shasum: "0".repeat(40) }],
    ["kind of integrity", { integrity: "md7-AAAA" }],
  ];

  test.each(lies)(
    "is refused with another %s than its tarball has, uploaded or attached, and is not there",
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
      expect(await stateVersions("NPM", [await uploaded(stated, built, [path])])).toMatchObject(refused);
      expect(await stateVersions("NPM", [{ ...built.stated, document }], {}, [tarball])).toMatchObject(refused);
      expect(await packument("@acme/lib")).toBeNull();
    },
  );
});
