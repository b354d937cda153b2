import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  expectThere,
  flipped,
  npmPublish,
  packagesOf,
  publish,
  reasonsOf,
  startNpmRig,
  tarballOf,
  view,
  type NpmRig,
} from "../rigs/runs/npm-rig.ts";
import { unique } from "../rigs/runs/run-fixture.ts";

let rig: NpmRig;
beforeAll(async () => {
  rig = await startNpmRig();
});
afterAll(() => rig.end());
afterEach(() => rig.passAll());

describe("a run from a linked npm registry to another", () => {
  test("a run copies npm packages with tags and deprecations, and the second run has nothing to do", async () => {
    const [plain, scoped] = [unique("plain-"), `@${unique("scope")}/thing`];
    const tarballs = new Map([
      [
        plain,
        new Map([
          ...(await publish(rig.from, plain, ["1.0.0"])),
          await npmPublish(rig.from, plain, "1.1.0"),
          await npmPublish(rig.from, plain, "2.0.0-beta.1", "--tag", "next"),
        ]),
      ],
      [scoped, await publish(rig.from, scoped, ["0.1.0", "0.2.0"])],
    ]);
    await rig.from.npm.run(".", "deprecate", `${plain}@1.0.0`, "use 1.1.0");
    const object = {
      localRepoName: rig.source,
      packageConstraints: packagesOf(plain, scoped),
    };
    const first = await rig.run(object);
    expect(first.record).toMatchObject({
      status: "SUCCESS",
      errorReason: null,
      counts: { planned: 5, success: 5, failed: 0, skip: 0 },
    });
    for (const [name, versions] of tarballs) await expectThere(rig.to, name, versions);
    expect(await view(rig.to, plain, "dist-tags")).toEqual({
      latest: "1.1.0",
      next: "2.0.0-beta.1",
    });
    expect(await view(rig.to, `${plain}@1.0.0`, "deprecated")).toBe("use 1.1.0");
    expect(await view(rig.to, scoped, "description")).toBe(`about ${scoped}`);
    expect(first.details).toEqual(
      first.details.map(() =>
        expect.objectContaining({ status: "SUCCESS", verified: "DIGEST" }),
      ),
    );

    const puts = rig.to.proxy.requests.filter(({ method }) => method === "PUT").length;
    const second = await rig.run(object);
    expect(second.record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 5, success: 5, skip: 5, conflict: 0 },
    });
    expect(rig.to.proxy.requests.filter(({ method }) => method === "PUT").length).toBe(
      puts,
    );
    expect(second.details.every(({ compared }) => compared === "DIGEST")).toBe(true);
  });

  test("a run fails npm packages and versions that do not exist, and copies the others", async () => {
    const name = unique("some-");
    const tarballs = await publish(rig.from, name, ["1.0.0"]);
    const constraints = [
      { packageKey: `npm://${name}`, versions: ["1.0.0", "9.9.9"] },
      { packageKey: "npm://nobody-has-this" },
    ];
    const { record, details } = await rig.run({
      localRepoName: rig.source,
      packageConstraints: constraints,
    });
    expect(record).toMatchObject({
      status: "FAILED",
      counts: { planned: 3, success: 1, failed: 2 },
    });
    await expectThere(rig.to, name, tarballs);
    const reasons = details.flatMap(({ errorReason }) => errorReason ?? []);
    expect(reasons).toEqual(
      expect.arrayContaining([
        expect.stringContaining(`${name}@9.9.9 is not in the registry`),
        expect.stringContaining("package nobody-has-this is not in the registry"),
      ]),
    );
  });

  test("a run of a whole npm repository copies all listed packages, and fails if the registry lists none", async () => {
    const names = [unique("whole-"), unique("whole-")];
    const tarballs = await Promise.all(
      names.map((name) => publish(rig.from, name, ["1.0.0"])),
    );
    const whole = await rig.run({ localRepoName: rig.source });
    expect(whole.record).toMatchObject({ status: "SUCCESS", errorReason: null });
    for (const [at, name] of names.entries())
      await expectThere(rig.to, name, tarballs[at] ?? new Map());
    rig.from.proxy.fault = ({ path }) =>
      /^\/-\/(?:all|v1\/search)/.test(path) ? { kind: "answer", status: 404 } : null;
    const { record } = await rig.run({ localRepoName: rig.source });
    expect(record.status).toBe("FAILED");
    expect(record.errorReason).toContain("name them with packageConstraints");
  });

  test("a published npm version is never replaced: SKIP keeps it, OVERWRITE fails it, FAST_FAIL stops", async () => {
    const name = unique("differs-");
    await publish(rig.from, name, ["1.0.0"]);
    const there = await publish(rig.to, name, ["1.0.0"]);
    const object = { localRepoName: rig.source, packageConstraints: packagesOf(name) };
    const skipped = await rig.run(object, { setting: { conflictStrategy: "SKIP" } });
    expect(skipped.record).toMatchObject({
      status: "SUCCESS",
      counts: { success: 1, skip: 1, conflict: 1 },
    });
    const overwritten = await rig.run(object, {
      setting: { conflictStrategy: "OVERWRITE" },
    });
    expect(overwritten.record).toMatchObject({
      status: "FAILED",
      counts: { failed: 1, conflict: 1 },
    });
    expect(overwritten.details[0]?.errorReason).toContain(
      "what is published there never changes",
    );
    const stopped = await rig.run(object, { setting: { conflictStrategy: "FAST_FAIL" } });
    expect(stopped.record).toMatchObject({
      status: "FAILED",
      counts: { failed: 1, conflict: 1 },
    });
    await expectThere(rig.to, name, there);
  });

  test("a tarball that differs from its document and one too large for the target fail with the reason", async () => {
    const [lying, large] = [unique("lying-"), unique("large-")];
    await publish(rig.from, lying, ["1.0.0"]);
    await rig.from.npm.put(large, "1.0.0", tarballOf(large, "1.0.0", 4 * 2 ** 20));
    rig.from.proxy.fault = ({ path }) =>
      path.includes(`${lying}/-/`) ? { kind: "alter", body: flipped } : null;
    const { record, details } = await rig.run({
      localRepoName: rig.source,
      packageConstraints: packagesOf(lying, large),
    });
    expect(record).toMatchObject({ status: "FAILED", counts: { failed: 2 } });
    const reasons = reasonsOf(details);
    expect(reasons[lying]).toContain("other content");
    expect(reasons[large]).toContain("413");
    expect(await rig.to.npm.fetchTarball(`${lying}@1.0.0`)).toBeNull();
  });
});

describe("a run from a linked npm registry to another instance", () => {
  test("a run sends versions without a known sha256 to an instance, and the second run has nothing to do", async () => {
    const name = `@${unique("scope")}/linked`;
    const tarballs = await publish(rig.from, name, ["1.0.0", "1.0.1"]);
    const large = tarballOf(name, "2.0.0", 3 * 2 ** 20);
    await rig.from.npm.put(name, "2.0.0", large);
    tarballs.set("2.0.0", large);
    const mirror = unique("mirror");
    const object = {
      localRepoName: rig.source,
      remoteRepoName: mirror,
      packageConstraints: packagesOf(name),
    };
    const first = await rig.run(object, { clusters: [rig.cluster] });
    expect(first.record).toMatchObject({
      status: "SUCCESS",
      errorReason: null,
      counts: { planned: 3, success: 3, failed: 0, skip: 0 },
    });
    const there = rig.open(rig.edge, mirror);
    await expectThere(there, name, tarballs);
    expect(await view(there, name, "dist-tags")).toEqual({ latest: "2.0.0" });
    const second = await rig.run(object, { clusters: [rig.cluster] });
    expect(second.record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 3, success: 3, skip: 3 },
    });
  });
});
