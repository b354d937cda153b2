import { createHash, randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { detailOf, startPackageRig, type PackageRig } from "../rigs/runs/package-rig.ts";
import { closed, sha256, unique } from "../rigs/runs/run-fixture.ts";
import { type Built, mavenVersion, pom } from "../rigs/transfer/package-copy-fixture.ts";

const MIB = 2 ** 20;

let rig: PackageRig;
beforeAll(async () => {
  rig = await startPackageRig();
});
afterAll(() => rig.end());
afterEach(() => {
  rig.proxy.fault = () => null;
});

async function expectFiles(repoName: string, built: Built[]): Promise<void> {
  for (const { bytes } of built) {
    for (const [path, content] of bytes)
      expect([
        path,
        sha256((await rig.there(repoName).getFile(path)) ?? Buffer.from("missing")),
      ]).toEqual([path, sha256(content)]);
  }
}

describe("a run of a MAVEN repository to another instance", () => {
  test("a run creates the MAVEN repository and copies all of it, and the second run has nothing to do", async () => {
    const repoName = await rig.hosted("MAVEN");
    const built = [
      ...Array.from({ length: 40 }, (_, i) =>
        mavenVersion(`com.acme:lib${i % 4}`, `1.${i}`, {
          ".jar": randomBytes(2000),
          "-sources.jar": randomBytes(500),
        }),
      ),
      mavenVersion("com.acme:parent", "1", {}, "pom"),
      mavenVersion("com.acme:big", "2.0", { ".jar": randomBytes(6 * MIB) }),
      mavenVersion("com.acme:snap", "3-SNAPSHOT", {
        "-20260101.010203-1.jar": randomBytes(10),
      }),
    ];
    for (const one of built) await rig.here(repoName).deploy(one);
    const loose = randomBytes(100);
    await rig.here(repoName).putFile("/archetype-catalog.txt", loose);

    const key = await rig.run(repoName, "MAVEN");
    const record = await closed(rig.product, key);
    expect(record).toMatchObject({
      status: "SUCCESS",
      errorReason: null,
      counts: {
        planned: built.length + 1,
        success: built.length + 1,
        failed: 0,
        notDone: 0,
        skip: 0,
        conflict: 0,
      },
    });
    await expectFiles(repoName, built);
    expect(await rig.there(repoName).getFile("/archetype-catalog.txt")).toEqual(loose);
    const details = await rig.product.details(record.id);
    expect(detailOf(details, "com.acme:lib1", "1.1")).toMatchObject({
      status: "SUCCESS",
      digest: built[1]?.stated.digest,
      progress: { node: { success: 3 }, version: { success: 1 } },
    });
    expect(detailOf(details, "/archetype-catalog.txt", null)).toMatchObject({
      status: "SUCCESS",
      size: 100,
    });
    const [jar, metadata] = [
      built[0],
      await rig.there(repoName).getFile("/com/acme/lib0/maven-metadata.xml"),
    ];
    expect(metadata?.toString()).toMatch(/<release>1\.36<\/release>/);
    const sha1 = await rig
      .there(repoName)
      .getFile("/com/acme/lib0/1.0/lib0-1.0.jar.sha1");
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
      counts: {
        planned: built.length + 1,
        success: built.length + 1,
        skip: built.length + 1,
        conflict: 0,
      },
    });
    expect(rig.proxy.requests.filter(({ path }) => path.includes("/uploads"))).toEqual(
      [],
    );
    expect(rig.proxy.requests.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(
      built.length * 2000,
    );
  });

  test("SKIP keeps a different Maven version, OVERWRITE replaces only snapshots, FAST_FAIL stops the run", async () => {
    const repoName = await rig.hosted("MAVEN");
    const jar = randomBytes(300);
    const ours = [
      mavenVersion("com.acme:lib", "1.0", {
        ".jar": randomBytes(200),
        "-sources.jar": randomBytes(50),
      }),
      mavenVersion("com.acme:lib", "1.1", {
        ".jar": jar,
        "-javadoc.jar": randomBytes(60),
      }),
      mavenVersion("com.acme:lib", "2-SNAPSHOT", { ".jar": randomBytes(70) }),
    ] as const;
    const theirs = mavenVersion("com.acme:lib", "1.0", { ".jar": randomBytes(201) });
    const theirSnapshot = mavenVersion("com.acme:lib", "2-SNAPSHOT", {
      ".jar": randomBytes(71),
    });
    for (const one of ours) await rig.here(repoName).deploy(one);
    await rig.partner.project(rig.projectId).catch(() => undefined);
    await rig.partner.hosted(rig.projectId, repoName, "MAVEN");
    for (const one of [
      theirs,
      theirSnapshot,
      mavenVersion("com.acme:lib", "1.1", { ".jar": jar }),
    ])
      await rig.there(repoName).deploy(one);

    const skipped = await closed(rig.product, await rig.run(repoName, "MAVEN"));
    expect(skipped).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 3, success: 3, skip: 2, conflict: 2 },
    });
    await expectFiles(repoName, [theirs, theirSnapshot, ours[1]]);
    expect(
      await rig.there(repoName).getFile("/com/acme/lib/1.0/lib-1.0-sources.jar"),
    ).toBeNull();

    const stopped = await closed(
      rig.product,
      await rig.run(repoName, "MAVEN", { setting: { conflictStrategy: "FAST_FAIL" } }),
    );
    expect(stopped).toMatchObject({
      status: "FAILED",
      errorReason: expect.stringMatching(
        /FAST_FAIL\): com\.acme:lib:.*has other content there/,
      ),
      counts: { conflict: 1, failed: 1 },
    });

    const replaced = await closed(
      rig.product,
      await rig.run(repoName, "MAVEN", { setting: { conflictStrategy: "OVERWRITE" } }),
    );
    expect(replaced).toMatchObject({
      status: "FAILED",
      counts: { planned: 3, success: 2, failed: 1, conflict: 2, skip: 1 },
    });
    const failed = detailOf(
      await rig.product.details(replaced.id),
      "com.acme:lib",
      "1.0",
    );
    expect(failed).toMatchObject({
      status: "FAILED",
      errorReason: expect.stringMatching(
        /lib-1\.0\.jar is released there with other content and must not change/,
      ),
    });
    await expectFiles(repoName, [theirs, ours[2]]);
  });

  test("a PACKAGE run copies chosen Maven versions, and a PATH run copies files by Maven's rules", async () => {
    const repoName = await rig.hosted("MAVEN");
    const [byVersion, byPath] = [unique("chosen"), unique("files")];
    const built = ["1.0", "1.1", "2.0"].map((version) =>
      mavenVersion("com.acme:lib", version),
    );
    for (const one of built) await rig.here(repoName).deploy(one);
    const packageConstraints = [
      { packageKey: "gav://com.acme:lib", versions: ["1.1", "9.9"] },
    ];
    const chosen = await closed(
      rig.product,
      await rig.run(repoName, "MAVEN", {
        type: "PACKAGE",
        object: { packageConstraints, remoteRepoName: byVersion },
      }),
    );
    expect(chosen).toMatchObject({
      status: "FAILED",
      counts: { planned: 2, success: 1, failed: 1 },
    });
    await expectFiles(byVersion, built.slice(1, 2));
    expect(
      (
        await rig.there(byVersion).getFile("/com/acme/lib/maven-metadata.xml")
      )?.toString(),
    ).toMatch(/<versions>\s*<version>1\.1<\/version>\s*<\/versions>/);

    const pathConstraints = [
      { path: "/com/acme/lib/2.0" },
      { path: "/com/acme/lib/1.0/lib-1.0.pom" },
    ];
    const files = await closed(
      rig.product,
      await rig.run(repoName, "MAVEN", {
        type: "PATH",
        object: { pathConstraints, remoteRepoName: byPath },
      }),
    );
    expect(files).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 3, success: 3 },
    });
    await expectFiles(byPath, built.slice(2));
    expect(
      (await rig.there(byPath).getFile("/com/acme/lib/maven-metadata.xml"))?.toString(),
    ).toContain("<release>2.0</release>");
    const other = pom("com.acme", "lib", "2.0", "war");
    await rig.partner.call(
      "DELETE",
      `/repository/api/node/delete/${rig.projectId}/${byPath}/com/acme/lib/2.0/lib-2.0.pom`,
    );
    await rig.there(byPath).putFile("/com/acme/lib/2.0/lib-2.0.pom", other);
    const refused = await closed(
      rig.product,
      await rig.run(repoName, "MAVEN", {
        type: "PATH",
        object: { pathConstraints, remoteRepoName: byPath },
        setting: { conflictStrategy: "OVERWRITE" },
      }),
    );
    expect(refused).toMatchObject({
      status: "FAILED",
      counts: { planned: 3, success: 2, failed: 1, conflict: 1 },
    });
    const row = detailOf(
      await rig.product.details(refused.id),
      "/com/acme/lib/2.0/lib-2.0.pom",
      null,
    );
    expect(row).toMatchObject({
      status: "FAILED",
      errorReason: expect.stringContaining("must not change"),
    });
  });

  test("a run resumes the big file of a Maven version after its connections were cut, and verifies it", async () => {
    const repoName = await rig.hosted("MAVEN");
    const built = mavenVersion("com.acme:huge", "1.0", {
      ".jar": randomBytes(80 * MIB),
      "-sources.jar": randomBytes(4 * MIB),
    });
    await rig.here(repoName).deploy(built);
    let cuts = 2;
    rig.proxy.fault = ({ method }) =>
      method === "PATCH" && cuts-- > 0
        ? { kind: "cutRequest", afterBytes: 30 * MIB }
        : null;
    rig.proxy.clear();
    const record = await closed(rig.product, await rig.run(repoName, "MAVEN"));
    expect(record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 1, success: 1, skip: 0 },
    });
    await expectFiles(repoName, [built]);
    const sent = rig.proxy.requests
      .filter(({ method }) => method === "PATCH")
      .reduce((sum, { bytes }) => sum + bytes, 0);
    expect(sent).toBeLessThan(100 * MIB);
  });
});
