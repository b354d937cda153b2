import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { haveBlobs } from "../../db/content/blobs.ts";
import { getNode } from "../../db/content/nodes.ts";
import { findPackage, findVersion } from "../../db/packages/versions.ts";
import { findRepository } from "../../db/content/repositories.ts";
import { encodeStatement, FILES_MEDIA_TYPE, SYNC_LIMITS, SYNC_PREFIX, type StatedFile } from "../../domain/sync.ts";
import { VERSIONS_MEDIA_TYPE, type StatedVersion } from "../../domain/sync-versions.ts";
import { ADMIN, basic } from "../rigs/api/api-fixture.ts";
import { addFollower } from "../rigs/api/api-rows.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";
import { startInstance, type Instance } from "../rigs/transfer/instance-fixture.ts";
import {
  type Built,
  DATES,
  frame,
  mavenPath,
  mavenVersion,
  npmVersion,
  pom,
} from "../rigs/transfer/package-copy-fixture.ts";

let target: Instance;
let repositories = 0;
let maven = "";
let npm = "";

beforeAll(async () => {
  target = await startInstance();
  addFollower(target.db, "copies");
});

afterAll(async () => {
  await target.stop();
  target.remove();
});

beforeEach(async () => {
  repositories += 1;
  maven = `maven${repositories}`;
  npm = `npm${repositories}`;
  await call("POST", `/repositories/copies/${maven}`, `{"type":"MAVEN"}`, json);
  await call("POST", `/repositories/copies/${npm}`, `{"type":"NPM"}`, json);
});

const json = { "content-type": "application/json" };
const LOGIN = { authorization: basic(`${ADMIN.username}:${ADMIN.password}`) };

async function call(method: string, path: string, body?: Uint8Array | string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${target.url}${SYNC_PREFIX}${path}`, {
    method,
    headers: { ...LOGIN, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const envelope = (await answer.json()) as { code: number; message: string | null; data: unknown };
  return { ...envelope, status: answer.status };
}

const post = (repository: string, body: Uint8Array) =>
  call("POST", `/versions/copies/${repository}`, body, { "content-type": VERSIONS_MEDIA_TYPE });
type Changes = Parameters<typeof frame>[3];

async function stateAll(
  type: "MAVEN" | "NPM",
  built: Built[],
  changes: Changes = {},
  contents = built.flatMap(({ bytes }) => [...bytes.values()]),
): Promise<unknown[]> {
  const { status, data, message } = await post(
    type === "MAVEN" ? maven : npm,
    frame(
      type,
      built.map(({ stated }) => stated),
      contents,
      changes,
    ),
  );
  if (status !== 200) throw new Error(`${status} ${message}`);
  return (data as { versions: unknown[] }).versions;
}

const repositoryOf = (name: string) => findRepository(target.db, "copies", name)?.id ?? 0;
const nodeAt = (name: string, path: string) => getNode(target.db, repositoryOf(name), path, Date.now());
function rowOf(repository: string, name: string, version: string) {
  const owner = findPackage(target.db, repositoryOf(repository), name);
  return owner && findVersion(target.db, owner.id, version);
}
const events = (repository: string) =>
  target.db.$client
    .prepare("SELECT kind, subject, version FROM event WHERE repo_name = ? ORDER BY seq")
    .all(repository) as { kind: string; subject: string; version: string | null }[];
const isThere = (content: Buffer) => haveBlobs(target.db, [sha256(content)], Date.now()).size > 0;

async function packument(name: string): Promise<{
  "dist-tags": Record<string, string>;
  versions: Record<string, Record<string, unknown> & { dist: { tarball: string } }>;
} | null> {
  const answer = await fetch(`${target.url}/npm/copies/${npm}/${name.replace("/", "%2f")}`, { headers: LOGIN });
  const body = await answer.json();
  return answer.status === 404 ? null : (body as never);
}
const metadataOf = async (folder: string) => {
  const answer = await fetch(`${target.url}/maven/copies/${maven}${folder}/maven-metadata.xml`, { headers: LOGIN });
  return { status: answer.status, text: await answer.text() };
};
async function download(path: string): Promise<Buffer | null> {
  const answer = await fetch(`${target.url}/maven/copies/${maven}${path}`, { headers: LOGIN });
  const bytes = Buffer.from(await answer.arrayBuffer());
  return answer.status === 200 ? bytes : null;
}

describe("a Maven version that another instance states", () => {
  it("is asked for, then made of the attached contents with who made it and when, and told once", async () => {
    const built = mavenVersion("com.acme:lib", "1.0", {
      ".jar": randomBytes(400),
      "-sources.jar": randomBytes(300_000),
    });
    const digests = built.stated.files.map((file) => file.sha256);
    expect(await stateAll("MAVEN", [built], {}, [])).toEqual([{ result: "need", files: digests }]);
    expect(events(maven)).toEqual([]);
    expect(await stateAll("MAVEN", [built])).toEqual([{ result: "made", written: 3 }]);
    for (const [path, bytes] of built.bytes) expect(await download(path)).toEqual(bytes);
    expect(rowOf(maven, "com.acme:lib", "1.0")).toMatchObject({
      digest: built.stated.digest,
      complete: true,
      ...DATES,
    });
    expect(nodeAt(maven, mavenPath("com.acme:lib", "1.0", "lib-1.0.jar"))).toMatchObject(DATES);
    expect(events(maven)).toEqual([{ kind: "version", subject: "gav://com.acme:lib", version: "1.0" }]);
    expect((await metadataOf("/com/acme/lib")).text).toMatch(/<release>1\.0<\/release>/);
    expect(await stateAll("MAVEN", [built], {}, [])).toEqual([{ result: "same" }]);
    expect(events(maven)).toHaveLength(1);
  });

  it("of packaging pom is complete without a main artifact", async () => {
    await stateAll("MAVEN", [mavenVersion("com.acme:parent", "3", {}, "pom"), mavenVersion("com.acme:half", "3", {})]);
    expect(rowOf(maven, "com.acme:parent", "3")?.complete).toBe(true);
    expect(rowOf(maven, "com.acme:half", "3")?.complete).toBe(false);
    expect(events(maven).map(({ subject }) => subject)).toEqual(["gav://com.acme:parent"]);
  });

  it("has of its packaging kept what can be one", async () => {
    const { stated, bytes } = mavenVersion("com.acme:odd", "1", {}, "pom");
    const [sha] = Object.keys(stated.document?.["packagings"] ?? {});
    await stateAll("MAVEN", [
      { stated: { ...stated, document: { packagings: { [sha ?? ""]: "x".repeat(1_000_000) } } }, bytes },
    ]);
    expect(rowOf(maven, "com.acme:odd", "1")).toMatchObject({ complete: false, document: { packagings: {} } });
  });

  it("grows by files that it lacks, released or not, and keeps those that are more", async () => {
    const jar = randomBytes(100);
    const sources = randomBytes(90);
    await stateAll("MAVEN", [mavenVersion("com.acme:lib", "1.0", { ".jar": jar, "-javadoc.jar": randomBytes(80) })]);
    expect(
      await stateAll("MAVEN", [mavenVersion("com.acme:lib", "1.0", { ".jar": jar, "-sources.jar": sources })]),
    ).toEqual([{ result: "made", written: 1 }]);
    expect(await download(mavenPath("com.acme:lib", "1.0", "lib-1.0-sources.jar"))).toEqual(sources);
    expect(await download(mavenPath("com.acme:lib", "1.0", "lib-1.0-javadoc.jar"))).toHaveLength(80);
    expect(events(maven)).toHaveLength(2);
  });

  describe("with a file that is there with other content", () => {
    const theirs = randomBytes(50);
    const path = mavenPath("com.acme:lib", "1.0", "lib-1.0.jar");
    let ours: Built;
    let digest = "";

    beforeEach(async () => {
      const built = mavenVersion("com.acme:lib", "1.0", { ".jar": theirs });
      digest = built.stated.digest;
      await stateAll("MAVEN", [built]);
      ours = mavenVersion("com.acme:lib", "1.0", { ".jar": randomBytes(60), "-sources.jar": randomBytes(70) });
    });

    it.each(["SKIP", "FAST_FAIL"])(
      "is a conflict of the whole under %s, and nothing of it is written",
      async (conflictStrategy) => {
        const other = mavenVersion("com.acme:other", "1.0");
        const answers = await stateAll("MAVEN", [ours, other], { conflictStrategy });
        expect(answers[0]).toEqual({ result: "conflict", existing: digest, path });
        expect(answers[1]).toEqual(
          conflictStrategy === "SKIP" ? { result: "made", written: 2 } : { result: "stopped" },
        );
        expect(await download(path)).toEqual(theirs);
        expect(nodeAt(maven, mavenPath("com.acme:lib", "1.0", "lib-1.0-sources.jar"))).toBeNull();
      },
    );

    it("is refused under OVERWRITE when it is released", async () => {
      const [answer] = await stateAll("MAVEN", [ours], { conflictStrategy: "OVERWRITE" });
      expect(answer).toMatchObject({
        result: "refused",
        code: 251020,
        existing: digest,
        message: expect.stringMatching(/lib-1\.0\.jar is released there with other content and must not change/),
      });
      expect(await download(path)).toEqual(theirs);
      expect(nodeAt(maven, mavenPath("com.acme:lib", "1.0", "lib-1.0-sources.jar"))).toBeNull();
    });

    it("is replaced under OVERWRITE where the repository lets releases change", async () => {
      target.db.$client.prepare("UPDATE repository SET allow_overwrite = 1 WHERE name = ?").run(maven);
      expect(await stateAll("MAVEN", [ours], { conflictStrategy: "OVERWRITE" })).toEqual([
        { result: "replaced", written: 2, existing: digest },
      ]);
      for (const [at, bytes] of ours.bytes) expect(await download(at)).toEqual(bytes);
      expect(rowOf(maven, "com.acme:lib", "1.0")?.digest).toBe(ours.stated.digest);
    });
  });

  it("of a snapshot is replaced under OVERWRITE, and later builds are added", async () => {
    const first = mavenVersion("com.acme:lib", "2-SNAPSHOT", { ".jar": randomBytes(50) });
    const changed = mavenVersion("com.acme:lib", "2-SNAPSHOT", { ".jar": randomBytes(51) });
    await stateAll("MAVEN", [first]);
    expect(await stateAll("MAVEN", [changed], { conflictStrategy: "SKIP" })).toMatchObject([{ result: "conflict" }]);
    expect(await stateAll("MAVEN", [changed], { conflictStrategy: "OVERWRITE" })).toMatchObject([
      { result: "replaced", written: 1 },
    ]);
  });

  it("whose other file stands in the way of a folder is refused whole", async () => {
    const blocker = { path: "/com/acme/lib/1.0", content: randomBytes(9) };
    await stateFiles([fileAt(blocker.path, blocker.content)], [blocker.content]);
    const built = mavenVersion("com.acme:lib", "1.0");
    const other = mavenVersion("com.acme:lib", "1.1");
    expect(await stateAll("MAVEN", [built, other])).toMatchObject([
      { result: "refused", code: 251012 },
      { result: "made" },
    ]);
    expect(rowOf(maven, "com.acme:lib", "1.0")).toBeUndefined();
  });

  it("has metadata of its files set where they differ, with includeMetadata alone", async () => {
    const built = mavenVersion("com.acme:lib", "1.0");
    await stateAll("MAVEN", [built]);
    const marked = {
      ...built,
      stated: { ...built.stated, files: built.stated.files.map((file) => ({ ...file, metadata: { colour: "blue" } })) },
    };
    await stateAll("MAVEN", [marked], { includeMetadata: false }, []);
    expect(nodeAt(maven, mavenPath("com.acme:lib", "1.0", "lib-1.0.jar"))?.metadata).toEqual({});
    expect(await stateAll("MAVEN", [marked], {}, [])).toEqual([{ result: "same" }]);
    expect(nodeAt(maven, mavenPath("com.acme:lib", "1.0", "lib-1.0.jar"))?.metadata).toEqual({ colour: "blue" });
    expect(events(maven)).toHaveLength(2);
  });

  it.each<[string, (version: StatedVersion) => StatedVersion, number]>([
    ["files of another version", (version) => ({ ...version, version: "9.9" }), 251011],
    ["files of another package", (version) => ({ ...version, package: "com.evil:lib" }), 251011],
    ["a path out of the repository", (version) => changePath(version, "/../outside"), 251011],
    ["an encoded path out of it", (version) => changePath(version, "/com/acme/lib/1.0/%2e%2e"), 251011],
    ["a checksum as a file", (version) => changePath(version, "/com/acme/lib/1.0/lib-1.0.jar.sha1"), 251011],
    ["metadata as a file", (version) => changePath(version, "/com/acme/lib/1.0/maven-metadata.xml"), 251011],
    [
      "metadata that is named as its file would be",
      (version) =>
        changePath(
          { ...version, package: "com.acme:maven", version: "metadata" },
          "/com/acme/maven/metadata/maven-metadata.xml",
        ),
      251011,
    ],
    ["a digest that is not theirs", (version) => ({ ...version, digest: `sha256:${"0".repeat(64)}` }), 251003],
  ])("with %s is refused, the others are not", async (_, change, code) => {
    const built = mavenVersion("com.acme:lib", "1.0");
    const good = mavenVersion("com.acme:good", "1.0");
    const answers = await stateAll("MAVEN", [{ ...built, stated: change(built.stated) }, good], {}, [
      ...built.bytes.values(),
      ...good.bytes.values(),
    ]);
    expect(answers).toMatchObject([{ result: "refused", code, message: expect.any(String) }, { result: "made" }]);
  });
});

function changePath(version: StatedVersion, path: string): StatedVersion {
  return { ...version, files: version.files.map((file, i) => (i === 0 ? { ...file, path } : file)) };
}

function fileAt(path: string, content: Buffer, changes: Partial<StatedFile> = {}): StatedFile {
  return { path, size: content.length, sha256: sha256(content), metadata: {}, attached: true, ...DATES, ...changes };
}

async function stateFiles(
  files: StatedFile[],
  contents: Buffer[],
  changes: object = {},
  repository = maven,
  type = "MAVEN",
) {
  const head = encodeStatement({ type, conflictStrategy: "SKIP", includeMetadata: true, files, ...changes });
  const { data, status, code, message } = await call(
    "POST",
    `/files/copies/${repository}`,
    Buffer.concat([head, ...contents]),
    { "content-type": FILES_MEDIA_TYPE },
  );
  return { status, code, message, files: (data as { files: unknown[] } | null)?.files ?? [] };
}

describe("files that are stated one by one in a MAVEN repository", () => {
  it("keep Maven's rules: versions follow from them, a release does not change, metadata is not taken", async () => {
    const [group, artifact] = ["com.acme", "bom"];
    const own = pom(group, artifact, "1.0", "pom");
    const at = mavenPath("com.acme:bom", "1.0", "bom-1.0.pom");
    const loose = randomBytes(20);
    const taken = await stateFiles(
      [
        fileAt(at, own),
        fileAt("/notes/readme.txt", loose),
        fileAt("/com/acme/bom/maven-metadata.xml", loose, { attached: false }),
      ],
      [own, loose],
    );
    expect(taken.files).toMatchObject([{ result: "made" }, { result: "made" }, { result: "refused", code: 250112 }]);
    expect(rowOf(maven, "com.acme:bom", "1.0")).toMatchObject({ complete: true, ...DATES });
    expect(events(maven)).toEqual([
      { kind: "node", subject: "/notes/readme.txt", version: null },
      { kind: "version", subject: "gav://com.acme:bom", version: "1.0" },
    ]);
    const other = pom(group, artifact, "1.0", "jar");
    expect((await stateFiles([fileAt(at, other)], [other], { conflictStrategy: "OVERWRITE" })).files).toMatchObject([
      { result: "refused", code: 251020, message: expect.stringContaining("must not change") },
    ]);
    expect((await stateFiles([fileAt(at, other)], [other])).files).toMatchObject([
      { result: "conflict", existing: sha256(own) },
    ]);
    expect(
      (await stateFiles([fileAt("/notes/readme.txt", other)], [other], { conflictStrategy: "OVERWRITE" })).files,
    ).toMatchObject([{ result: "replaced" }]);
    expect(await download(at)).toEqual(own);
  });

  it("are not taken in an NPM repository", async () => {
    const content = randomBytes(5);
    expect(await stateFiles([fileAt("/a", content)], [content], {}, npm, "NPM")).toMatchObject({
      status: 400,
      code: 250112,
    });
  });
});

describe("an npm version that another instance states", () => {
  it("is made, with its document and dist-tags, and is there for npm at once", async () => {
    const built = [
      npmVersion("@acme/lib", "1.0.0", { distTags: [] }),
      npmVersion("@acme/lib", "1.1.0", { distTags: ["latest", "beta"] }),
    ];
    expect(await stateAll("NPM", built, {}, [])).toMatchObject([{ result: "need" }, { result: "need" }]);
    expect(await stateAll("NPM", built)).toEqual([
      { result: "made", written: 1 },
      { result: "made", written: 1 },
    ]);
    const found = await packument("@acme/lib");
    expect(found?.["dist-tags"]).toEqual({ latest: "1.1.0", beta: "1.1.0" });
    expect(Object.keys(found?.versions ?? {})).toEqual(["1.0.0", "1.1.0"]);
    const answer = await fetch(found?.versions["1.1.0"]?.dist.tarball ?? "", { headers: LOGIN });
    expect(Buffer.from(await answer.arrayBuffer())).toEqual([...(built[1]?.bytes.values() ?? [])][0]);
    expect(rowOf(npm, "@acme/lib", "1.0.0")).toMatchObject(DATES);
    expect(events(npm).map(({ version }) => version)).toEqual(["1.0.0", "1.1.0"]);
    expect(await stateAll("NPM", built, {}, [])).toEqual([{ result: "same" }, { result: "same" }]);
    expect(events(npm)).toHaveLength(2);
  });

  it("with another tarball is a conflict, and refused under OVERWRITE", async () => {
    const theirs = npmVersion("lib", "1.0.0");
    const ours = npmVersion("lib", "1.0.0");
    await stateAll("NPM", [theirs]);
    const { digest } = theirs.stated;
    expect(await stateAll("NPM", [ours])).toEqual([
      { result: "conflict", existing: digest, path: "/lib/-/lib-1.0.0.tgz" },
    ]);
    expect(await stateAll("NPM", [ours, npmVersion("lib", "1.0.1")], { conflictStrategy: "FAST_FAIL" })).toMatchObject([
      { result: "conflict" },
      { result: "stopped" },
    ]);
    expect(await stateAll("NPM", [ours], { conflictStrategy: "OVERWRITE" })).toMatchObject([
      {
        result: "refused",
        code: 251020,
        existing: digest,
        message: expect.stringMatching(/lib@1\.0\.0 is published there with another tarball and must not change/),
      },
    ]);
    expect(rowOf(npm, "lib", "1.0.0")?.digest).toBe(digest);
  });

  it("changes its metadata where they differ: deprecation and dist-tags, of which latest never goes back", async () => {
    const tarballs = [randomBytes(10), randomBytes(11), randomBytes(12)] as const;
    const version = (name: string, i: 0 | 1 | 2, distTags: string[], more = {}) =>
      npmVersion("lib", name, { tarball: tarballs[i], distTags, more });
    await stateAll("NPM", [version("1.0.0", 0, ["old"]), version("2.0.0", 1, ["latest"])]);
    const again = [version("1.0.0", 0, ["latest", "stable"], { deprecated: "use 2" }), version("2.0.0", 1, ["next"])];
    expect(await stateAll("NPM", again, { includeMetadata: false }, [])).toEqual([
      { result: "same" },
      { result: "same" },
    ]);
    expect((await packument("lib"))?.["dist-tags"]).toEqual({ old: "1.0.0", latest: "2.0.0" });
    expect(await stateAll("NPM", again, {}, [])).toEqual([{ result: "same" }, { result: "same" }]);
    const found = await packument("lib");
    expect(found?.["dist-tags"]).toEqual({ old: "1.0.0", latest: "2.0.0", stable: "1.0.0", next: "2.0.0" });
    expect(found?.versions["1.0.0"]?.["deprecated"]).toBe("use 2");
    await stateAll("NPM", [version("3.0.0", 2, ["latest"])]);
    expect((await packument("lib"))?.["dist-tags"]["latest"]).toBe("3.0.0");
    await stateAll("NPM", [version("1.0.0", 0, [])], {}, []);
    expect((await packument("lib"))?.versions["1.0.0"]).not.toHaveProperty("deprecated");
  });

  it("stays as it was published but for its deprecation, whatever another document says of the same tarball", async () => {
    const tarball = randomBytes(10);
    await stateAll("NPM", [npmVersion("lib", "1.0.0", { tarball, more: { license: "MIT" } })]);
    const before = (await packument("lib"))?.versions["1.0.0"];
    const other = npmVersion("lib", "1.0.0", {
      tarball,
      more: { deprecated: "old", dependencies: { evil: "*" } },
    }).stated;
    const stated = { ...other, document: { ...other.document, dist: { integrity: "sha512-AAAA" } } };
    expect(await stateAll("NPM", [{ stated, bytes: new Map() }])).toEqual([{ result: "same" }]);
    expect((await packument("lib"))?.versions["1.0.0"]).toEqual({ ...before, deprecated: "old" });
    expect(events(npm)).toHaveLength(2);
    expect(await stateAll("NPM", [{ stated, bytes: new Map() }])).toEqual([{ result: "same" }]);
    expect(events(npm)).toHaveLength(2);
  });

  it("is refused beside one that differs in build metadata only, whatever the strategy, and nothing of it is asked for", async () => {
    const [plain, built, other] = ["1.0.0", "1.0.0+build.5", "1.0.1+build.5"].map((version) =>
      npmVersion("lib", version),
    ) as [Built, Built, Built];
    const message =
      "lib@1.0.0+build.5 and lib@1.0.0 differ in their build metadata only, which npm ignores: publish it under a higher version";
    expect(await stateAll("NPM", [plain, built, other])).toEqual([
      { result: "made", written: 1 },
      { result: "refused", code: 251020, message },
      { result: "made", written: 1 },
    ]);
    for (const conflictStrategy of ["OVERWRITE", "FAST_FAIL"]) {
      expect(await stateAll("NPM", [built, plain], { conflictStrategy }, [])).toEqual([
        { result: "refused", code: 251020, message },
        { result: "same" },
      ]);
    }
    expect(Object.keys((await packument("lib"))?.versions ?? {})).toEqual(["1.0.0", "1.0.1+build.5"]);
  });

  it("that was stored beside its twin by an earlier release is the same when it comes again", async () => {
    const [plain, built] = [npmVersion("lib", "1.0.0"), npmVersion("lib", "1.0.1")];
    await stateAll("NPM", [plain, built]);
    target.db.$client
      .prepare("UPDATE version SET name = '1.0.0+b' WHERE name = '1.0.1' AND digest = ?")
      .run(built.stated.digest);
    const again = npmVersion("lib", "1.0.0+b", { tarball: Buffer.concat([...built.bytes.values()]) });
    expect(await stateAll("NPM", [plain, again], {}, [])).toEqual([{ result: "same" }, { result: "same" }]);
  });

  it("without includeMetadata gets a missing latest and nothing more", async () => {
    const built = npmVersion("lib", "1.0.0", { distTags: ["latest", "beta"], more: { deprecated: "no" } });
    await stateAll("NPM", [built], { includeMetadata: false });
    const found = await packument("lib");
    expect(found?.["dist-tags"]).toEqual({ latest: "1.0.0" });
    expect(found?.versions["1.0.0"]).not.toHaveProperty("deprecated");
  });

  it.each<[string, (version: StatedVersion) => StatedVersion, number]>([
    ["a hostile name", (version) => ({ ...version, package: "../x" }), 250105],
    ["a version that is none", (version) => ({ ...version, version: "latest" }), 250105],
    ["a tag that is a version", (version) => ({ ...version, distTags: ["1.0.0"] }), 250105],
    ["another place for its tarball", (version) => changePath(version, "/other/-/lib-1.0.0.tgz"), 251011],
    [
      "two files",
      (version) => ({
        ...version,
        files: [...version.files, ...version.files.map((file) => ({ ...file, path: "/lib/-/x.tgz" }))],
      }),
      251011,
    ],
    ["no document", (version) => ({ ...version, document: null }), 250106],
    ["a digest that is not its tarball's", (version) => ({ ...version, digest: `sha256:${"0".repeat(64)}` }), 251003],
  ])("with %s is refused", async (_, change, code) => {
    const built = npmVersion("lib", "1.0.0");
    expect(await stateAll("NPM", [{ ...built, stated: change(built.stated) }])).toMatchObject([
      { result: "refused", code, message: expect.any(String) },
    ]);
    expect(events(npm)).toEqual([]);
  });

  it("with a hostile document pollutes nothing", async () => {
    const built = npmVersion("lib", "1.0.0");
    const hostile = JSON.parse(
      `{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}`,
    ) as Record<string, unknown>;
    expect(
      await stateAll("NPM", [
        { ...built, stated: { ...built.stated, document: { ...built.stated.document, ...hostile } } },
      ]),
    ).toMatchObject([{ result: "made" }]);
    expect("polluted" in {}).toBe(false);
    expect((await packument("lib"))?.versions["1.0.0"]).toMatchObject({ name: "lib", version: "1.0.0" });
  });
});

describe("a document that is nested too deeply", () => {
  it("is refused, and the versions beside it are not", async () => {
    const deep = npmVersion("deep", "1.0.0", { more: { nested: "HERE" } });
    const good = npmVersion("good", "1.0.0");
    const contents = [deep, good].flatMap(({ bytes }) => [...bytes.values()]);
    const [head, body] = [4, frame("NPM", [deep.stated, good.stated], contents)];
    const length = body.readUInt32BE(0);
    const text = Buffer.from(
      body.toString("utf8", head, head + length).replace('"HERE"', "[".repeat(100_000) + "]".repeat(100_000)),
    );
    const size = Buffer.alloc(head);
    size.writeUInt32BE(text.length);
    const { data } = await post(npm, Buffer.concat([size, text, body.subarray(head + length)]));
    expect(data).toMatchObject({
      versions: [
        { result: "refused", code: 250106, message: expect.stringContaining("nested too deeply") },
        { result: "made" },
      ],
    });
    expect(await packument("deep")).toBeNull();
  });
});

describe("many versions in one statement", () => {
  it("are all stopped behind a conflict under FAST_FAIL", async () => {
    const built = Array.from({ length: 50 }, (_, i) => npmVersion("lib", `1.0.${i}`));
    await stateAll("NPM", [npmVersion("lib", "1.0.10")]);
    const answers = await stateAll("NPM", built, { conflictStrategy: "FAST_FAIL" });
    expect(answers.map((answer) => (answer as { result: string }).result)).toEqual([
      ...Array(10).fill("made"),
      "conflict",
      ...Array(39).fill("stopped"),
    ]);
  });
});

describe("contents behind a statement", () => {
  it("that arrive damaged damage their version alone and are not kept", async () => {
    const [good, bad] = [npmVersion("good", "1.0.0"), npmVersion("bad", "1.0.0")];
    const [content] = [...good.bytes.values()];
    const [lost] = [...bad.bytes.values()];
    const changed = randomBytes(lost?.length ?? 0);
    const attached = [good, bad].map(({ stated }) => ({
      sha256: stated.files[0]?.sha256,
      size: stated.files[0]?.size,
    }));
    const body = frame("NPM", [good.stated, bad.stated], [], { contents: attached });
    const { data } = await post(npm, Buffer.concat([body, content ?? changed, changed]));
    expect(data).toEqual({
      versions: [{ result: "made", written: 1 }, { result: "damaged" }],
      damaged: [bad.stated.files[0]?.sha256],
    });
    expect(isThere(changed)).toBe(false);
    expect(await packument("bad")).toBeNull();
  });

  it("may come ahead of their version", async () => {
    const built = mavenVersion("com.acme:lib", "1.0");
    expect(await stateAll("MAVEN", [], {}, [...built.bytes.values()])).toEqual([]);
    expect(await stateAll("MAVEN", [built], {}, [])).toEqual([{ result: "made", written: 2 }]);
  });
});

describe("a statement of versions", () => {
  const built = npmVersion("lib", "1.0.0");
  const { stated } = built;
  const large = randomBytes(SYNC_LIMITS.fileBytes + 1);

  it.each<[string, () => Buffer]>([
    ["is no JSON", () => Buffer.concat([Buffer.from([0, 0, 0, 4]), Buffer.from("nope")])],
    ["ends early", () => frame("NPM", [stated], [...built.bytes.values()]).subarray(0, -1)],
    ["has bytes left over", () => Buffer.concat([frame("NPM", [stated]), randomBytes(3)])],
    ["names a version twice", () => frame("NPM", [stated, stated])],
    ["names a content twice", () => frame("NPM", [], [large.subarray(0, 9), large.subarray(0, 9)])],
    ["has too large a content", () => frame("NPM", [], [large])],
    [
      "has too many versions",
      () =>
        frame(
          "NPM",
          Array.from({ length: SYNC_LIMITS.versions + 1 }, (_, i) => ({ ...stated, version: `1.0.${i}` })),
        ),
    ],
    ["has a version without files", () => frame("NPM", [{ ...stated, files: [] }])],
    ["has a list for a document", () => frame("NPM", [{ ...stated, document: [] }])],
    ["has no strategy", () => frame("NPM", [stated], [], { conflictStrategy: "WHATEVER" })],
    ["is of another type", () => frame("MAVEN", [])],
    ["is of a type that is stated otherwise", () => frame("GENERIC", [])],
  ])("that %s is refused and changes nothing", async (_, body) => {
    expect(await post(npm, body())).toMatchObject({ status: 400, code: 250106 });
    expect(events(npm)).toEqual([]);
  });

  it("that is larger than the limits is refused before it is read", async () => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(SYNC_LIMITS.versionBytes + 1);
    expect(await post(npm, Buffer.concat([head, Buffer.alloc(SYNC_LIMITS.versionBytes + 1)]))).toMatchObject({
      status: 413,
    });
  });

  it("may have a document of 5 MiB and 10,000 files", async () => {
    const readme = "x".repeat(5 * 1024 ** 2);
    expect(await stateAll("NPM", [npmVersion("long", "1.0.0", { more: { readme } })])).toEqual([
      { result: "made", written: 1 },
    ]);
    expect((await packument("long"))?.versions["1.0.0"]?.["name"]).toBe("long");
    const files = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, i) => [`-part${i}.bin`, Buffer.from(String(i % 50))]),
    );
    const many = mavenVersion("com.acme:many", "1.0", files);
    const contents = [...new Map([...many.bytes.values()].map((content) => [sha256(content), content])).values()];
    expect(await stateAll("MAVEN", [many], {}, contents)).toEqual([{ result: "made", written: 10_001 }]);
    expect(await stateAll("MAVEN", [many], {}, [])).toEqual([{ result: "same" }]);
  }, 60_000);

  it("needs its media type, a login and a hosted repository of a type with versions", async () => {
    const body = frame("NPM", []);
    expect(await call("POST", `/versions/copies/${npm}`, body, json)).toMatchObject({ status: 415, code: 250119 });
    expect(
      await call("POST", `/versions/copies/${npm}`, body, {
        "content-type": VERSIONS_MEDIA_TYPE,
        authorization: basic("admin:wrong"),
      }),
    ).toMatchObject({ status: 401 });
    expect(await post("nowhere", body)).toMatchObject({ status: 404, code: 251006 });
    await call("POST", "/repositories/copies/plain", `{"type":"GENERIC"}`, json);
    expect(await post("plain", body)).toMatchObject({
      status: 400,
      code: 250112,
      message: expect.stringContaining("is of type GENERIC"),
    });
  });
});
