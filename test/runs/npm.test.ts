import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Instance } from "../rigs/runs/instance.ts";
import { closed, type RecordDetail, type TaskDraft, type TaskObject, unique } from "../rigs/runs/run-fixture.ts";
import { type FileRig, startFileRig } from "../rigs/runs/run-rig.ts";
import { USER } from "../rigs/servers/credentials.ts";
import { type NpmClient, npmClient } from "../rigs/servers/npm-client.ts";
import { type FaultProxy, startProxy } from "../rigs/servers/proxy.ts";
import { startVerdaccio, type Verdaccio } from "../rigs/servers/verdaccio.ts";
import { npmTarball } from "../rigs/api/tarball.ts";

/** Runs of npm packages from and to registries, checked with the npm program. */

type End = { npm: NpmClient; url: string };
type Upstream = End & { proxy: FaultProxy; server: Verdaccio };

let rig: FileRig;
let from: Upstream;
let to: Upstream;
let source: string;
let target: string;

async function upstream(options: Parameters<typeof startVerdaccio>[0] = {}): Promise<Upstream> {
  const server = await startVerdaccio(options);
  const proxy = await startProxy(server.url);
  return { server, proxy, url: proxy.url, npm: npmClient(server.url, USER) };
}

beforeAll(async () => {
  rig = await startFileRig();
  [from, to] = [await upstream(), await upstream({ maxBodySize: "3mb" })];
  source = unique("linked");
  await rig.product.linked(rig.projectId, source, from.url, USER, "NPM");
  target = await rig.product.registry(unique("npm"), to.url, USER);
}, 240_000);
afterAll(async () => {
  for (const { npm, proxy, server } of [from, to]) {
    npm.remove();
    await proxy.stop();
    await server.stop();
  }
  await rig.end();
});
afterEach(() => {
  from.proxy.fault = () => null;
  to.proxy.fault = () => null;
});

const tarballOf = (name: string, version: string, more: object = {}, size = 500): Buffer =>
  npmTarball({
    "package.json": JSON.stringify({ name, version, description: `about ${name}`, ...more }),
    "content.bin": randomBytes(size),
  });

async function publish(end: End, name: string, versions: readonly string[]): Promise<Map<string, Buffer>> {
  const tarballs = new Map(versions.map((version) => [version, tarballOf(name, version)]));
  for (const [version, tarball] of tarballs)
    await end.npm.put(name, version, tarball, { document: { description: `about ${name}` } });
  return tarballs;
}

/** Publishes a version with the npm program. */
async function npmPublish({ npm }: End, name: string, version: string, ...args: string[]): Promise<[string, Buffer]> {
  const tarball = tarballOf(name, version);
  await npm.publishTarball(tarball, ...args);
  return [version, tarball];
}

/** Opens a hosted repository of an instance for npm. */
async function hosted(end: Instance, name: string): Promise<End> {
  const url = `${end.url}/npm/${rig.projectId}/${name}`;
  return { url, npm: npmClient(url, end) };
}

const packages = (...names: string[]) => names.map((name) => ({ packageKey: `npm://${name}` }));

async function run(
  object: Partial<TaskObject> & { localRepoName: string },
  { clusters = [target], ...draft }: Partial<TaskDraft> = {},
) {
  const key = await rig.product.run({
    projectId: rig.projectId,
    objects: [{ repoType: "NPM", ...object }],
    clusters,
    ...draft,
  });
  const record = await closed(rig.product, key);
  return { record, details: await rig.product.details(record.id) };
}

const told = (details: RecordDetail[]) =>
  details.map(({ artifactName, version, status, errorReason }) => ({
    name: artifactName,
    version,
    status,
    errorReason,
  }));

async function expectThere({ npm }: End, name: string, tarballs: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [version, tarball] of tarballs)
    expect((await npm.fetchTarball(`${name}@${version}`))?.equals(tarball), `${name}@${version}`).toBe(true);
}

const view = async ({ npm }: End, name: string, field: string): Promise<unknown> => {
  const said = await npm.run(".", "view", name, field, "--json");
  return said.trim() === "" ? undefined : JSON.parse(said);
};

const flipped = (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([(bytes.at(-1) ?? 0) ^ 1])]);

describe("a run from a linked npm registry to another", () => {
  test("a run copies npm packages with tags and deprecations, and the second run has nothing to do", async () => {
    const [plain, scoped] = [unique("plain-"), `@${unique("scope")}/thing`];
    const tarballs = new Map([
      [
        plain,
        new Map([
          ...(await publish(from, plain, ["1.0.0"])),
          await npmPublish(from, plain, "1.1.0"),
          await npmPublish(from, plain, "2.0.0-beta.1", "--tag", "next"),
        ]),
      ],
      [scoped, await publish(from, scoped, ["0.1.0", "0.2.0"])],
    ]);
    await from.npm.run(".", "deprecate", `${plain}@1.0.0`, "use 1.1.0");
    const object = { localRepoName: source, packageConstraints: packages(plain, scoped) };
    const first = await run(object);
    expect(first.record).toMatchObject({
      status: "SUCCESS",
      errorReason: null,
      counts: { planned: 5, success: 5, failed: 0, skip: 0 },
    });
    for (const [name, versions] of tarballs) await expectThere(to, name, versions);
    expect(await view(to, plain, "dist-tags")).toEqual({ latest: "1.1.0", next: "2.0.0-beta.1" });
    expect(await view(to, `${plain}@1.0.0`, "deprecated")).toBe("use 1.1.0");
    expect(await view(to, scoped, "description")).toBe(`about ${scoped}`);
    expect(first.details).toEqual(
      first.details.map(() => expect.objectContaining({ status: "SUCCESS", verified: "DIGEST" })),
    );

    const puts = to.proxy.requests.filter(({ method }) => method === "PUT").length;
    const second = await run(object);
    expect(second.record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 5, success: 5, skip: 5, conflict: 0 },
    });
    expect(to.proxy.requests.filter(({ method }) => method === "PUT").length).toBe(puts);
    expect(second.details.every(({ compared }) => compared === "DIGEST")).toBe(true);
  }, 240_000);

  test("a run fails npm packages and versions that do not exist, and copies the others", async () => {
    const name = unique("some-");
    const tarballs = await publish(from, name, ["1.0.0"]);
    const constraints = [
      { packageKey: `npm://${name}`, versions: ["1.0.0", "9.9.9"] },
      { packageKey: "npm://nobody-has-this" },
    ];
    const { record, details } = await run({ localRepoName: source, packageConstraints: constraints });
    expect(record).toMatchObject({ status: "FAILED", counts: { planned: 3, success: 1, failed: 2 } });
    await expectThere(to, name, tarballs);
    const reasons = told(details).flatMap(({ errorReason }) => errorReason ?? []);
    expect(reasons).toEqual(
      expect.arrayContaining([
        expect.stringContaining(`${name}@9.9.9 is not in the registry`),
        expect.stringContaining("package nobody-has-this is not in the registry"),
      ]),
    );
  }, 120_000);

  test("a run of a whole npm repository copies all listed packages, and fails where none are listed", async () => {
    const names = [unique("whole-"), unique("whole-")];
    const tarballs = await Promise.all(names.map((name) => publish(from, name, ["1.0.0"])));
    const whole = await run({ localRepoName: source });
    expect(whole.record).toMatchObject({ status: "SUCCESS", errorReason: null });
    for (const [at, name] of names.entries()) await expectThere(to, name, tarballs[at] ?? new Map());
    from.proxy.fault = ({ path }) => (/^\/-\/(?:all|v1\/search)/.test(path) ? { kind: "answer", status: 404 } : null);
    const { record } = await run({ localRepoName: source });
    expect(record.status).toBe("FAILED");
    expect(record.errorReason).toContain("name them with packageConstraints");
  }, 120_000);

  test("a published npm version is never replaced: SKIP leaves it, OVERWRITE fails it, FAST_FAIL stops", async () => {
    const name = unique("differs-");
    await publish(from, name, ["1.0.0"]);
    const there = await publish(to, name, ["1.0.0"]);
    const object = { localRepoName: source, packageConstraints: packages(name) };
    const skipped = await run(object, { setting: { conflictStrategy: "SKIP" } });
    expect(skipped.record).toMatchObject({ status: "SUCCESS", counts: { success: 1, skip: 1, conflict: 1 } });
    const overwritten = await run(object, { setting: { conflictStrategy: "OVERWRITE" } });
    expect(overwritten.record).toMatchObject({ status: "FAILED", counts: { failed: 1, conflict: 1 } });
    expect(overwritten.details[0]?.errorReason).toContain("what is published there never changes");
    const stopped = await run(object, { setting: { conflictStrategy: "FAST_FAIL" } });
    expect(stopped.record).toMatchObject({ status: "FAILED", counts: { failed: 1, conflict: 1 } });
    await expectThere(to, name, there);
  }, 120_000);

  test("a tarball that differs from its document and one too large for the target fail with the reason", async () => {
    const [lying, large] = [unique("lying-"), unique("large-")];
    await publish(from, lying, ["1.0.0"]);
    await from.npm.put(large, "1.0.0", tarballOf(large, "1.0.0", {}, 4 * 2 ** 20));
    from.proxy.fault = ({ path }) => (path.includes(`${lying}/-/`) ? { kind: "alter", body: flipped } : null);
    const { record, details } = await run({ localRepoName: source, packageConstraints: packages(lying, large) });
    expect(record).toMatchObject({ status: "FAILED", counts: { failed: 2 } });
    const reasons = Object.fromEntries(told(details).map(({ name, errorReason }) => [name, errorReason]));
    expect(reasons[lying]).toContain("other content");
    expect(reasons[large]).toContain("413");
    expect(await to.npm.fetchTarball(`${lying}@1.0.0`)).toBeNull();
  }, 240_000);
});

describe("bytes that are read at a target npm registry", () => {
  /** The target's documents contain no digest. */
  const undigested: FaultProxy["fault"] = ({ path }) =>
    path.includes(".tgz")
      ? null
      : {
          kind: "alter",
          body: (whole) => Buffer.from(whole.toString("utf8").replace(/"(integrity|shasum)":/g, '"_$1":')),
        };
  const downloads = (name: string) =>
    to.proxy.requests.filter(({ method, path }) => method === "GET" && path.includes(`${name}/-/`)).length;

  test("READ_BACK reads each tarball after it was written, and fails it if the bytes differ", async () => {
    const [good, damaged] = [unique("good-"), unique("damaged-")];
    const tarballs = await publish(from, good, ["1.0.0"]);
    const object = { localRepoName: source };
    const setting = { verification: "READ_BACK" };
    const proved = await run({ ...object, packageConstraints: packages(good) }, { setting });
    expect(proved.record).toMatchObject({ status: "SUCCESS", bytesRead: tarballs.get("1.0.0")?.length });
    expect(proved.details).toMatchObject([{ verified: "READ_BACK" }]);

    const lost = unique("lost-");
    await publish(from, lost, ["1.0.0"]);
    let losses = 1;
    to.proxy.fault = ({ method, path }) =>
      method === "PUT" && path.includes(lost) && losses-- > 0 ? { kind: "loseAnswer" } : null;
    const earlier = await run({ ...object, packageConstraints: packages(lost) }, { setting });
    expect(earlier.record).toMatchObject({ status: "SUCCESS", counts: { success: 1, conflict: 0 } });
    expect(earlier.details).toMatchObject([{ verified: "READ_BACK", compared: "DIGEST" }]);
    expect(downloads(lost)).toBe(1);

    await publish(from, damaged, ["1.0.0"]);
    to.proxy.fault = ({ method, path }) =>
      method === "GET" && path.includes(`${damaged}/-/`) ? { kind: "alter", body: flipped } : null;
    const refused = await run({ ...object, packageConstraints: packages(damaged) }, { setting });
    expect(refused.record).toMatchObject({ status: "FAILED", counts: { success: 0, failed: 1 } });
    expect(refused.details[0]?.errorReason).toContain("something else is there afterwards");
  }, 240_000);

  test("bytes decide whether versions are equal where no digest can, up to compareReadLimit", async () => {
    const name = unique("undigested-");
    const tarballs = await publish(from, name, ["1.0.0"]);
    for (const [version, tarball] of tarballs) await to.npm.put(name, version, tarball);
    const object = { localRepoName: source, packageConstraints: packages(name) };
    to.proxy.fault = undigested;
    const read = await run(object);
    expect(read.record).toMatchObject({
      status: "SUCCESS",
      counts: { success: 1, skip: 1, conflict: 0 },
      bytesRead: tarballs.get("1.0.0")?.length,
    });
    expect(read.details).toMatchObject([{ compared: "READ" }]);

    const before = downloads(name);
    const limited = await run(object, { setting: { compareReadLimit: 100 } });
    expect(limited.record).toMatchObject({ counts: { success: 1, skip: 1, conflict: 1 }, bytesRead: 0 });
    const unread = await run(object, { setting: { compare: "SIZE" } });
    expect(unread.record).toMatchObject({ counts: { success: 1, skip: 1, conflict: 1 }, bytesRead: 0 });
    expect(downloads(name)).toBe(before);
  }, 240_000);
});

describe("dist-tags at a target npm registry", () => {
  test("latest follows the source back under OVERWRITE, and only moves forward under SKIP", async () => {
    const name = unique("tagged-");
    await publish(from, name, ["1.0.0", "1.1.0", "3.0.0"]);
    await publish(to, name, ["2.0.0"]);
    const object = { localRepoName: source, packageConstraints: packages(name) };
    await run(object);
    expect(await view(to, name, "dist-tags.latest")).toBe("2.0.0");
    await from.npm.run(".", "dist-tag", "add", `${name}@1.1.0`, "latest");
    await run(object, { setting: { conflictStrategy: "OVERWRITE" } });
    expect(await view(to, name, "dist-tags.latest")).toBe("1.1.0");
    await from.npm.run(".", "dist-tag", "add", `${name}@1.0.0`, "latest");
    await run(object);
    expect(await view(to, name, "dist-tags.latest")).toBe("1.1.0");
    await from.npm.run(".", "dist-tag", "add", `${name}@3.0.0`, "latest");
    await run(object);
    expect(await view(to, name, "dist-tags.latest")).toBe("3.0.0");
  }, 240_000);
});

describe("a run of a hosted NPM repository to a registry", () => {
  test("a run publishes hosted versions that npm can read, also below the object's names", async () => {
    const [repoName, name] = [unique("npm"), unique("own-")];
    await rig.product.hosted(rig.projectId, repoName, "NPM");
    const here = await hosted(rig.center, repoName);
    const tarballs = await publish(here, name, ["1.0.0", "2.0.0"]);
    await here.npm.run(".", "deprecate", `${name}@1.0.0`, "old");
    const { record } = await run({ localRepoName: repoName });
    expect(record).toMatchObject({ status: "SUCCESS", counts: { planned: 2, success: 2 } });
    await expectThere(to, name, tarballs);
    expect(await view(to, name, "dist-tags")).toEqual({ latest: "2.0.0" });
    expect(await view(to, `${name}@1.0.0`, "deprecated")).toBe("old");

    const mirror = unique("mirror");
    await rig.partner.project(rig.projectId).catch(() => undefined);
    await rig.partner.hosted(rig.projectId, mirror, "NPM");
    const npmEndpoint = await rig.product.registry(unique("endpoint"), `${rig.edge.url}/npm`, {
      username: rig.edge.username,
      password: rig.edge.password,
    });
    const named = await run(
      { localRepoName: repoName, remoteProjectId: rig.projectId, remoteRepoName: mirror },
      { clusters: [npmEndpoint] },
    );
    expect(named.record).toMatchObject({ status: "SUCCESS", counts: { planned: 2, success: 2 } });
    await expectThere(await hosted(rig.edge, mirror), name, tarballs);
  }, 240_000);

  test("a run whose publications are cut off goes on, and each version exists once at the target", async () => {
    const [repoName, name] = [unique("npm"), unique("cut-")];
    await rig.product.hosted(rig.projectId, repoName, "NPM");
    const tarballs = await publish(await hosted(rig.center, repoName), name, ["1.0.0", "1.1.0", "1.2.0"]);
    let cuts = 2;
    to.proxy.fault = ({ method, path }) =>
      method === "PUT" && path.includes(name) && cuts-- > 0 ? { kind: "cutRequest", afterBytes: 400 } : null;
    const { record } = await run({ localRepoName: repoName });
    expect(record).toMatchObject({ status: "SUCCESS", counts: { planned: 3, success: 3, failed: 0 } });
    await expectThere(to, name, tarballs);
  }, 120_000);
});

describe("a run from a linked npm registry to another instance", () => {
  test("a run sends versions without a known sha256 to an instance, and the second run has nothing to do", async () => {
    const name = `@${unique("scope")}/linked`;
    const tarballs = await publish(from, name, ["1.0.0", "1.0.1"]);
    const large = tarballOf(name, "2.0.0", {}, 3 * 2 ** 20);
    await from.npm.put(name, "2.0.0", large);
    tarballs.set("2.0.0", large);
    const mirror = unique("mirror");
    const object = { localRepoName: source, remoteRepoName: mirror, packageConstraints: packages(name) };
    const first = await run(object, { clusters: [rig.cluster] });
    expect(first.record).toMatchObject({
      status: "SUCCESS",
      errorReason: null,
      counts: { planned: 3, success: 3, failed: 0, skip: 0 },
    });
    const there = await hosted(rig.edge, mirror);
    await expectThere(there, name, tarballs);
    expect(await view(there, name, "dist-tags")).toEqual({ latest: "2.0.0" });
    const second = await run(object, { clusters: [rig.cluster] });
    expect(second.record).toMatchObject({ status: "SUCCESS", counts: { planned: 3, success: 3, skip: 3 } });
  }, 240_000);
});
