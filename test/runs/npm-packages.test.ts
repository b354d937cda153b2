import { createHash, randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { detailOf, startPackageRig, type PackageRig } from "../rigs/runs/package-rig.ts";
import { closed, follow, sha256 } from "../rigs/runs/run-fixture.ts";
import { whileFrozen } from "../rigs/runs/run-rig.ts";
import { type Built, npmVersion } from "../rigs/transfer/package-copy-fixture.ts";

let rig: PackageRig;
beforeAll(async () => {
  rig = await startPackageRig();
});
afterAll(() => rig.end());
afterEach(() => {
  rig.proxy.fault = () => null;
});

async function expectTarballs(repoName: string, built: Built[]): Promise<void> {
  for (const { stated, bytes } of built) {
    const found = (await rig.there(repoName).packument(stated.package))?.versions[
      stated.version
    ];
    const [content = Buffer.alloc(0)] = bytes.values();
    expect(found?.dist.integrity).toBe(
      `sha512-${createHash("sha512").update(content).digest("base64")}`,
    );
    expect(found?.dist.tarball.startsWith(rig.edge.url)).toBe(true);
    expect(
      sha256(
        (await rig.there(repoName).getTarball(found?.dist.tarball ?? "")) ??
          Buffer.from("missing"),
      ),
    ).toBe(sha256(content));
  }
}

describe("a run of an NPM repository to another instance", () => {
  test("a run creates the NPM repository and copies versions, and the second run only sets changed tags", async () => {
    const repoName = await rig.hosted("NPM");
    const built = Array.from({ length: 40 }, (_, i) =>
      npmVersion(i % 2 ? "@acme/lib" : "plain", `${i + 1}.0.0`, {
        tarball: randomBytes(2000),
      }),
    );
    for (const one of built) await rig.here(repoName).publish(one);
    await rig.here(repoName).tag("plain", "stable", "3.0.0");

    const key = await rig.run(repoName, "NPM");
    const record = await closed(rig.product, key);
    expect(record).toMatchObject({
      status: "SUCCESS",
      errorReason: null,
      counts: { planned: 40, success: 40, failed: 0, skip: 0 },
    });
    await expectTarballs(repoName, built);
    expect((await rig.there(repoName).packument("plain"))?.["dist-tags"]).toEqual({
      latest: "39.0.0",
      stable: "3.0.0",
    });
    expect((await rig.there(repoName).packument("@acme/lib"))?.["dist-tags"]).toEqual({
      latest: "40.0.0",
    });
    const details = await rig.product.details(record.id);
    expect(detailOf(details, "@acme/lib", "2.0.0")).toMatchObject({
      status: "SUCCESS",
      digest: built[1]?.stated.digest,
      progress: { node: { success: 1 }, version: { success: 1 } },
    });

    await rig.here(repoName).tag("plain", "stable", "5.0.0");
    await rig.here(repoName).tag("plain", "latest", "5.0.0");
    rig.proxy.clear();
    await rig.product.execute(key);
    const again = await closed(rig.product, key);
    expect(again).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 40, success: 40, skip: 40, conflict: 0 },
    });
    expect((await rig.there(repoName).packument("plain"))?.["dist-tags"]).toEqual({
      latest: "39.0.0",
      stable: "5.0.0",
    });
    // The instance asks for capabilities also while no run is going on.
    expect(
      rig.proxy.requests.filter(({ path }) => !path.endsWith("/capabilities")).length,
    ).toBeLessThan(20);

    await closed(
      rig.product,
      await rig.run(repoName, "NPM", { setting: { conflictStrategy: "OVERWRITE" } }),
    );
    expect((await rig.there(repoName).packument("plain"))?.["dist-tags"]).toEqual({
      latest: "5.0.0",
      stable: "5.0.0",
    });
  });

  test("a package that is copied without metadata still has the dist-tag latest", async () => {
    const repoName = await rig.hosted("NPM");
    for (const version of ["1.0.0", "2.0.0"])
      await rig.here(repoName).publish(npmVersion("lib", version));
    await rig.here(repoName).tag("lib", "beta", "1.0.0");
    await closed(
      rig.product,
      await rig.run(repoName, "NPM", { setting: { includeMetadata: false } }),
    );
    expect((await rig.there(repoName).packument("lib"))?.["dist-tags"]).toEqual({
      latest: "2.0.0",
    });
  });

  test("a different tarball at the target is kept under SKIP, and fails its version under OVERWRITE", async () => {
    const repoName = await rig.hosted("NPM");
    const [theirs, ours, other] = [
      npmVersion("lib", "1.0.0"),
      npmVersion("lib", "1.0.0"),
      npmVersion("lib", "1.1.0"),
    ];
    for (const one of [ours, other]) await rig.here(repoName).publish(one);
    await rig.partner.project(rig.projectId).catch(() => undefined);
    await rig.partner.hosted(rig.projectId, repoName, "NPM");
    await rig.there(repoName).publish(theirs);
    expect(await closed(rig.product, await rig.run(repoName, "NPM"))).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 2, success: 2, skip: 1, conflict: 1 },
    });
    const record = await closed(
      rig.product,
      await rig.run(repoName, "NPM", { setting: { conflictStrategy: "OVERWRITE" } }),
    );
    expect(record).toMatchObject({
      status: "FAILED",
      counts: { planned: 2, success: 1, failed: 1, conflict: 1 },
    });
    expect(detailOf(await rig.product.details(record.id), "lib", "1.0.0")).toMatchObject({
      errorReason: expect.stringMatching(
        /published there with another tarball and must not change/,
      ),
    });
    await expectTarballs(repoName, [theirs, other]);
  });

  test("a version that was unpublished after the run was planned fails, and the others are sent", async () => {
    const repoName = await rig.hosted("NPM");
    const built = Array.from({ length: 10 }, (_, i) => npmVersion("lib", `1.${i}.0`));
    for (const one of built) await rig.here(repoName).publish(one);
    const key = await whileFrozen(rig.center, async () => {
      const begun = await rig.run(repoName, "NPM");
      await follow(rig.product, begun, ({ counts }) => counts.planned === 10);
      await rig.product.call(
        "DELETE",
        `/repository/api/version/delete/${rig.projectId}/${repoName}` +
          `?packageKey=${encodeURIComponent("npm://lib")}&version=1.9.0`,
      );
      return begun;
    });
    const record = await closed(rig.product, key);
    expect(record).toMatchObject({
      status: "FAILED",
      counts: { planned: 10, success: 9, failed: 1 },
    });
    const row = detailOf(await rig.product.details(record.id), "lib", "1.9.0");
    expect(row?.errorReason).toMatch(
      /^lib 1\.9\.0 is no longer in .*: it was deleted after the run was planned/,
    );
  });

  test("a target repository that has another type or does not exist fails the versions with the reason", async () => {
    const repoName = await rig.hosted("NPM");
    await rig.here(repoName).publish(npmVersion("lib", "1.0.0"));
    await rig.partner.project(rig.projectId).catch(() => undefined);
    await rig.partner.hosted(rig.projectId, repoName);
    const record = await closed(rig.product, await rig.run(repoName, "NPM"));
    expect(record).toMatchObject({ status: "FAILED", counts: { planned: 1, failed: 1 } });
    expect((await rig.product.details(record.id))[0]?.errorReason).toMatch(
      /it is a hosted GENERIC repository; a hosted NPM repository is needed/,
    );
    const absent = await closed(
      rig.product,
      await rig.run(repoName, "NPM", {
        object: { remoteRepoName: "nowhere" },
        setting: { automaticCreateRemoteRepo: false },
      }),
    );
    expect((await rig.product.details(absent.id))[0]?.errorReason).toMatch(
      /nowhere.* is not found/,
    );
  });
});
