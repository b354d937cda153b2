import { createHash, randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Built, mavenVersion, npmVersion, pom } from "../rigs/transfer/package-copy-fixture.ts";
import {
  closed,
  type RecordDetail,
  sha256,
  type TaskDraft,
  type TaskObject,
  unique,
} from "../rigs/runs/run-fixture.ts";
import { startFileRig, type FileRig } from "../rigs/runs/run-rig.ts";

const MIB = 2 ** 20;

let rig: FileRig;
beforeAll(async () => {
  rig = await startFileRig();
}, 180_000);
afterAll(() => rig.end());
afterEach(() => {
  rig.proxy.fault = () => null;
});

type End = FileRig["center"];
const loginOf = ({ username, password }: End) => ({
  authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`,
});

/** Opens one repository of an instance as Maven's and npm's clients use it. */
function openRepository(end: End, repoName: string) {
  const headers = loginOf(end);
  const url = (kind: string, path: string) => `${end.url}/${kind}/${rig.projectId}/${repoName}${path}`;
  const put = async (address: string, body: Uint8Array | string) => {
    const answer = await fetch(address, {
      method: "PUT",
      headers: { ...headers, ...(typeof body === "string" && { "content-type": "application/json" }) },
      body: typeof body === "string" ? body : new Uint8Array(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`PUT ${address}: ${answer.status} ${text}`);
  };
  const get = async (address: string) => {
    const answer = await fetch(address, { headers });
    const bytes = Buffer.from(await answer.arrayBuffer());
    return answer.ok ? bytes : null;
  };
  return {
    deploy: async ({ bytes }: Built) => {
      for (const [path, content] of bytes) await put(url("maven", path), content);
    },
    putFile: (path: string, content: Uint8Array) => put(url("maven", path), content),
    getFile: (path: string) => get(url("maven", path)),
    publish: async ({ stated: { package: name, version, document }, bytes }: Built, tag = "latest") => {
      const [content] = bytes.values();
      const attachment = {
        content_type: "application/octet-stream",
        data: content?.toString("base64"),
        length: content?.length,
      };
      const body = {
        _id: name,
        name,
        "dist-tags": { [tag]: version },
        versions: { [version]: document },
        _attachments: { [`${name}-${version}.tgz`]: attachment },
      };
      await put(url("npm", `/${name.replace("/", "%2f")}`), JSON.stringify(body));
    },
    tag: (name: string, tag: string, version: string) =>
      put(url("npm", `/-/package/${name.replace("/", "%2f")}/dist-tags/${tag}`), JSON.stringify(version)),
    async packument(name: string) {
      const bytes = await get(url("npm", `/${name.replace("/", "%2f")}`));
      return (
        bytes &&
        (JSON.parse(bytes.toString("utf8")) as {
          "dist-tags": Record<string, string>;
          versions: Record<
            string,
            Record<string, unknown> & { dist: Record<"tarball" | "integrity" | "shasum", string> }
          >;
        })
      );
    },
    getTarball: (address: string) => get(address),
  };
}

const here = (repoName: string) => openRepository(rig.center, repoName);
const there = (repoName: string) => openRepository(rig.edge, repoName);

async function hosted(type: "MAVEN" | "NPM"): Promise<string> {
  const name = unique(type.toLowerCase());
  await rig.product.hosted(rig.projectId, name, type);
  return name;
}

const run = (
  repoName: string,
  repoType: "MAVEN" | "NPM",
  { object = {}, ...rest }: Partial<TaskDraft> & { object?: Partial<TaskObject> } = {},
) =>
  rig.product.run({
    projectId: rig.projectId,
    objects: [{ localRepoName: repoName, repoType, ...object }],
    clusters: [rig.cluster],
    ...rest,
  });

const detailOf = (details: RecordDetail[], name: string, version: string | null) =>
  details.find((row) => row.artifactName === name && row.version === version);
const bodies = () => rig.proxy.requests.reduce((sum, { bytes }) => sum + bytes, 0);

async function expectFiles(repoName: string, built: Built[]): Promise<void> {
  for (const { bytes } of built) {
    for (const [path, content] of bytes)
      expect([path, sha256((await there(repoName).getFile(path)) ?? Buffer.from("missing"))]).toEqual([
        path,
        sha256(content),
      ]);
  }
}

async function expectTarballs(repoName: string, built: Built[]): Promise<void> {
  for (const { stated, bytes } of built) {
    const found = (await there(repoName).packument(stated.package))?.versions[stated.version];
    const [content = Buffer.alloc(0)] = bytes.values();
    expect(found?.dist.integrity).toBe(`sha512-${createHash("sha512").update(content).digest("base64")}`);
    expect(found?.dist.tarball.startsWith(rig.edge.url)).toBe(true);
    expect(sha256((await there(repoName).getTarball(found?.dist.tarball ?? "")) ?? Buffer.from("missing"))).toBe(
      sha256(content),
    );
  }
}

describe("a run of a MAVEN repository to another instance", () => {
  test("a run creates the MAVEN repository and copies all of it, and the second run has nothing to do", async () => {
    const repoName = await hosted("MAVEN");
    const built = [
      ...Array.from({ length: 40 }, (_, i) =>
        mavenVersion(`com.acme:lib${i % 4}`, `1.${i}`, { ".jar": randomBytes(2000), "-sources.jar": randomBytes(500) }),
      ),
      mavenVersion("com.acme:parent", "1", {}, "pom"),
      mavenVersion("com.acme:big", "2.0", { ".jar": randomBytes(6 * MIB) }),
      mavenVersion("com.acme:snap", "3-SNAPSHOT", { "-20260101.010203-1.jar": randomBytes(10) }),
    ];
    for (const one of built) await here(repoName).deploy(one);
    const loose = randomBytes(100);
    await here(repoName).putFile("/archetype-catalog.txt", loose);

    const key = await run(repoName, "MAVEN");
    const record = await closed(rig.product, key);
    expect(record).toMatchObject({
      status: "SUCCESS",
      errorReason: null,
      counts: { planned: built.length + 1, success: built.length + 1, failed: 0, notDone: 0, skip: 0, conflict: 0 },
    });
    await expectFiles(repoName, built);
    expect(await there(repoName).getFile("/archetype-catalog.txt")).toEqual(loose);
    const details = await rig.product.details(record.id);
    expect(detailOf(details, "com.acme:lib1", "1.1")).toMatchObject({
      status: "SUCCESS",
      digest: built[1]?.stated.digest,
      progress: { node: { success: 3 }, version: { success: 1 } },
    });
    expect(detailOf(details, "/archetype-catalog.txt", null)).toMatchObject({ status: "SUCCESS", size: 100 });
    const [jar, metadata] = [built[0], await there(repoName).getFile("/com/acme/lib0/maven-metadata.xml")];
    expect(metadata?.toString()).toMatch(/<release>1\.36<\/release>/);
    const sha1 = await there(repoName).getFile("/com/acme/lib0/1.0/lib0-1.0.jar.sha1");
    expect(sha1?.toString()).toBe(
      createHash("sha1")
        .update(jar?.bytes.get("/com/acme/lib0/1.0/lib0-1.0.jar") ?? "")
        .digest("hex"),
    );
    const packages = await rig.partner.call<{ totalRecords: number }>(
      "GET",
      `/repository/api/package/page/${rig.projectId}/${repoName}?pageNumber=1&pageSize=10`,
    );
    expect(packages.totalRecords).toBe(7);

    rig.proxy.clear();
    await rig.product.execute(key);
    const again = await closed(rig.product, key);
    expect(again).toMatchObject({
      status: "SUCCESS",
      counts: { planned: built.length + 1, success: built.length + 1, skip: built.length + 1, conflict: 0 },
    });
    expect(rig.proxy.requests.filter(({ path }) => path.includes("/uploads"))).toEqual([]);
    expect(bodies()).toBeLessThan(built.length * 2000);
  });

  test("SKIP leaves another Maven version whole, OVERWRITE replaces only a snapshot, FAST_FAIL stops", async () => {
    const repoName = await hosted("MAVEN");
    const jar = randomBytes(300);
    const ours = [
      mavenVersion("com.acme:lib", "1.0", { ".jar": randomBytes(200), "-sources.jar": randomBytes(50) }),
      mavenVersion("com.acme:lib", "1.1", { ".jar": jar, "-javadoc.jar": randomBytes(60) }),
      mavenVersion("com.acme:lib", "2-SNAPSHOT", { ".jar": randomBytes(70) }),
    ] as const;
    const theirs = mavenVersion("com.acme:lib", "1.0", { ".jar": randomBytes(201) });
    const theirSnapshot = mavenVersion("com.acme:lib", "2-SNAPSHOT", { ".jar": randomBytes(71) });
    for (const one of ours) await here(repoName).deploy(one);
    await rig.partner.project(rig.projectId).catch(() => undefined);
    await rig.partner.hosted(rig.projectId, repoName, "MAVEN");
    for (const one of [theirs, theirSnapshot, mavenVersion("com.acme:lib", "1.1", { ".jar": jar })])
      await there(repoName).deploy(one);

    const skipped = await closed(rig.product, await run(repoName, "MAVEN"));
    expect(skipped).toMatchObject({ status: "SUCCESS", counts: { planned: 3, success: 3, skip: 2, conflict: 2 } });
    await expectFiles(repoName, [theirs, theirSnapshot, ours[1]]);
    expect(await there(repoName).getFile("/com/acme/lib/1.0/lib-1.0-sources.jar")).toBeNull();

    const stopped = await closed(
      rig.product,
      await run(repoName, "MAVEN", { setting: { conflictStrategy: "FAST_FAIL" } }),
    );
    expect(stopped).toMatchObject({
      status: "FAILED",
      errorReason: expect.stringMatching(/FAST_FAIL\): com\.acme:lib:.*has other content there/),
      counts: { conflict: 1, failed: 1 },
    });

    const replaced = await closed(
      rig.product,
      await run(repoName, "MAVEN", { setting: { conflictStrategy: "OVERWRITE" } }),
    );
    expect(replaced).toMatchObject({
      status: "FAILED",
      counts: { planned: 3, success: 2, failed: 1, conflict: 2, skip: 1 },
    });
    const failed = detailOf(await rig.product.details(replaced.id), "com.acme:lib", "1.0");
    expect(failed).toMatchObject({
      status: "FAILED",
      errorReason: expect.stringMatching(/lib-1\.0\.jar is released there with other content and must not change/),
    });
    await expectFiles(repoName, [theirs, ours[2]]);
  });

  test("a PACKAGE run copies chosen Maven versions, and a PATH run copies files by Maven's rules", async () => {
    const repoName = await hosted("MAVEN");
    const built = ["1.0", "1.1", "2.0"].map((version) => mavenVersion("com.acme:lib", version));
    for (const one of built) await here(repoName).deploy(one);
    const packageConstraints = [{ packageKey: "gav://com.acme:lib", versions: ["1.1", "9.9"] }];
    const chosen = await closed(
      rig.product,
      await run(repoName, "MAVEN", { type: "PACKAGE", object: { packageConstraints, remoteRepoName: "chosen" } }),
    );
    expect(chosen).toMatchObject({ status: "FAILED", counts: { planned: 2, success: 1, failed: 1 } });
    await expectFiles("chosen", built.slice(1, 2));
    expect((await there("chosen").getFile("/com/acme/lib/maven-metadata.xml"))?.toString()).toMatch(
      /<versions>\s*<version>1\.1<\/version>\s*<\/versions>/,
    );

    const pathConstraints = [{ path: "/com/acme/lib/2.0" }, { path: "/com/acme/lib/1.0/lib-1.0.pom" }];
    const files = await closed(
      rig.product,
      await run(repoName, "MAVEN", { type: "PATH", object: { pathConstraints, remoteRepoName: "files" } }),
    );
    expect(files).toMatchObject({ status: "SUCCESS", counts: { planned: 3, success: 3 } });
    await expectFiles("files", built.slice(2));
    expect((await there("files").getFile("/com/acme/lib/maven-metadata.xml"))?.toString()).toContain(
      "<release>2.0</release>",
    );
    const other = pom("com.acme", "lib", "2.0", "war");
    await rig.partner.call("DELETE", `/repository/api/node/delete/${rig.projectId}/files/com/acme/lib/2.0/lib-2.0.pom`);
    await there("files").putFile("/com/acme/lib/2.0/lib-2.0.pom", other);
    const refused = await closed(
      rig.product,
      await run(repoName, "MAVEN", {
        type: "PATH",
        object: { pathConstraints, remoteRepoName: "files" },
        setting: { conflictStrategy: "OVERWRITE" },
      }),
    );
    expect(refused).toMatchObject({ status: "FAILED", counts: { planned: 3, success: 2, failed: 1, conflict: 1 } });
    const row = detailOf(await rig.product.details(refused.id), "/com/acme/lib/2.0/lib-2.0.pom", null);
    expect(row).toMatchObject({ status: "FAILED", errorReason: expect.stringContaining("must not change") });
  });

  test("a run resumes the big file of a Maven version after its connections were cut, and verifies it", async () => {
    const repoName = await hosted("MAVEN");
    const built = mavenVersion("com.acme:huge", "1.0", {
      ".jar": randomBytes(80 * MIB),
      "-sources.jar": randomBytes(4 * MIB),
    });
    await here(repoName).deploy(built);
    let cuts = 2;
    rig.proxy.fault = ({ method }) =>
      method === "PATCH" && cuts-- > 0 ? { kind: "cutRequest", afterBytes: 30 * MIB } : null;
    rig.proxy.clear();
    const record = await closed(rig.product, await run(repoName, "MAVEN"));
    expect(record).toMatchObject({ status: "SUCCESS", counts: { planned: 1, success: 1, skip: 0 } });
    await expectFiles(repoName, [built]);
    const sent = rig.proxy.requests
      .filter(({ method }) => method === "PATCH")
      .reduce((sum, { bytes }) => sum + bytes, 0);
    expect(sent).toBeLessThan(100 * MIB);
  });
});

describe("a run of an NPM repository to another instance", () => {
  test("a run creates the NPM repository and copies versions, and the second run only sets changed tags", async () => {
    const repoName = await hosted("NPM");
    const built = Array.from({ length: 40 }, (_, i) =>
      npmVersion(i % 2 ? "@acme/lib" : "plain", `${i + 1}.0.0`, { tarball: randomBytes(2000) }),
    );
    for (const one of built) await here(repoName).publish(one);
    await here(repoName).tag("plain", "stable", "3.0.0");

    const key = await run(repoName, "NPM");
    const record = await closed(rig.product, key);
    expect(record).toMatchObject({
      status: "SUCCESS",
      errorReason: null,
      counts: { planned: 40, success: 40, failed: 0, skip: 0 },
    });
    await expectTarballs(repoName, built);
    expect((await there(repoName).packument("plain"))?.["dist-tags"]).toEqual({ latest: "39.0.0", stable: "3.0.0" });
    expect((await there(repoName).packument("@acme/lib"))?.["dist-tags"]).toEqual({ latest: "40.0.0" });
    const details = await rig.product.details(record.id);
    expect(detailOf(details, "@acme/lib", "2.0.0")).toMatchObject({
      status: "SUCCESS",
      digest: built[1]?.stated.digest,
      progress: { node: { success: 1 }, version: { success: 1 } },
    });

    await here(repoName).tag("plain", "stable", "5.0.0");
    await here(repoName).tag("plain", "latest", "5.0.0");
    rig.proxy.clear();
    await rig.product.execute(key);
    const again = await closed(rig.product, key);
    expect(again).toMatchObject({ status: "SUCCESS", counts: { planned: 40, success: 40, skip: 40, conflict: 0 } });
    expect((await there(repoName).packument("plain"))?.["dist-tags"]).toEqual({ latest: "39.0.0", stable: "5.0.0" });
    expect(rig.proxy.requests.length).toBeLessThan(20);

    await closed(rig.product, await run(repoName, "NPM", { setting: { conflictStrategy: "OVERWRITE" } }));
    expect((await there(repoName).packument("plain"))?.["dist-tags"]).toEqual({ latest: "5.0.0", stable: "5.0.0" });
  });

  test("a package that is copied without metadata still has the dist-tag latest", async () => {
    const repoName = await hosted("NPM");
    for (const version of ["1.0.0", "2.0.0"]) await here(repoName).publish(npmVersion("lib", version));
    await here(repoName).tag("lib", "beta", "1.0.0");
    await closed(rig.product, await run(repoName, "NPM", { setting: { includeMetadata: false } }));
    expect((await there(repoName).packument("lib"))?.["dist-tags"]).toEqual({ latest: "2.0.0" });
  });

  test("another tarball at the target stays under SKIP, and fails under OVERWRITE with the reason", async () => {
    const repoName = await hosted("NPM");
    const [theirs, ours, other] = [npmVersion("lib", "1.0.0"), npmVersion("lib", "1.0.0"), npmVersion("lib", "1.1.0")];
    for (const one of [ours, other]) await here(repoName).publish(one);
    await rig.partner.project(rig.projectId).catch(() => undefined);
    await rig.partner.hosted(rig.projectId, repoName, "NPM");
    await there(repoName).publish(theirs);
    expect(await closed(rig.product, await run(repoName, "NPM"))).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 2, success: 2, skip: 1, conflict: 1 },
    });
    const record = await closed(
      rig.product,
      await run(repoName, "NPM", { setting: { conflictStrategy: "OVERWRITE" } }),
    );
    expect(record).toMatchObject({ status: "FAILED", counts: { planned: 2, success: 1, failed: 1, conflict: 1 } });
    expect(detailOf(await rig.product.details(record.id), "lib", "1.0.0")).toMatchObject({
      errorReason: expect.stringMatching(/published there with another tarball and must not change/),
    });
    await expectTarballs(repoName, [theirs, other]);
  });

  test("a version that was unpublished after the run was planned fails, and the others are sent", async () => {
    const repoName = await hosted("NPM");
    const built = Array.from({ length: 10 }, (_, i) => npmVersion("lib", `1.${i}.0`));
    for (const one of built) await here(repoName).publish(one);
    rig.proxy.clear();
    rig.proxy.fault = ({ path }) => (path.includes("/sync/v1/") ? { kind: "answer", status: 503 } : null);
    const key = await run(repoName, "NPM");
    const asked = () => rig.proxy.requests.filter(({ closed: over }) => over !== null).length;
    await expect.poll(asked).toBeGreaterThan(0);
    await rig.product.call(
      "DELETE",
      `/repository/api/version/delete/${rig.projectId}/${repoName}?packageKey=${encodeURIComponent("npm://lib")}&version=1.9.0`,
    );
    // The request after the current one comes from an attempt that began without the version.
    const before = asked();
    await expect.poll(asked, { timeout: 30_000 }).toBeGreaterThan(before);
    rig.proxy.fault = () => null;
    const record = await closed(rig.product, key);
    expect(record).toMatchObject({ status: "FAILED", counts: { planned: 10, success: 9, failed: 1 } });
    const row = detailOf(await rig.product.details(record.id), "lib", "1.9.0");
    expect(row?.errorReason).toMatch(/^lib 1\.9\.0 is no longer in .*: it was deleted after the run was planned/);
  });

  test("a target repository that has another type or does not exist fails the versions with the reason", async () => {
    const repoName = await hosted("NPM");
    await here(repoName).publish(npmVersion("lib", "1.0.0"));
    await rig.partner.project(rig.projectId).catch(() => undefined);
    await rig.partner.hosted(rig.projectId, repoName);
    const record = await closed(rig.product, await run(repoName, "NPM"));
    expect(record).toMatchObject({ status: "FAILED", counts: { planned: 1, failed: 1 } });
    expect((await rig.product.details(record.id))[0]?.errorReason).toMatch(
      /it is a hosted GENERIC repository; a hosted NPM repository is needed/,
    );
    const absent = await closed(
      rig.product,
      await run(repoName, "NPM", {
        object: { remoteRepoName: "nowhere" },
        setting: { automaticCreateRemoteRepo: false },
      }),
    );
    expect((await rig.product.details(absent.id))[0]?.errorReason).toMatch(/nowhere.* is not found/);
  });
});
