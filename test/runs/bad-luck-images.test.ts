import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  closed,
  createGate,
  follow,
  type Counts,
  type RecordDetail,
  type RecordInfo,
  type TaskDraft,
} from "../rigs/runs/run-fixture.ts";
import { listImages, sorted } from "../rigs/runs/run-judge.ts";
import { startImageRig, type ImageRig } from "../rigs/runs/run-rig.ts";
import { each, fillRegistry, type Listing } from "../rigs/runs/run-sources.ts";
import { selfSigned, USER } from "../rigs/servers/credentials.ts";
import { makeBlob, makeImage, pushImage, pushManifest } from "../rigs/servers/images.ts";
import { startProxy, type Fault } from "../rigs/servers/proxy.ts";
import { startRegistry } from "../rigs/servers/registries.ts";

/** Long compared with the temporary refusals (2 + 4 s), also on a busy machine. */
const RETRY_WINDOW_MS = 20_000;
/** Longest run: the retry window, and time for the last try on a busy machine. */
const BOUND_MS = RETRY_WINDOW_MS + 40_000;
const TAGS = ["v1", "v2", "v3"];

type Faults = (request: { method: string; path: string }) => Fault | null;
let rig: ImageRig;
/** Faults by the first part of the name at the target, so that each test has its own. */
const luck = new Map<string, Faults>();

beforeAll(async () => {
  const kinds = ["distribution", "docker-registry"] as const;
  rig = await startImageRig({
    env: { RETRY_WINDOW: `${RETRY_WINDOW_MS / 1000}s` },
    registries: { source: [...kinds], target: [...kinds] },
  });
  rig.target.proxy.fault = (request) => luck.get(request.path.split("/")[2] ?? "")?.(request) ?? null;
  rig.source.proxy.fault = (request) => luck.get(`source of ${request.path.split("/")[2]}`)?.(request) ?? null;
}, 180_000);
afterAll(() => rig.end());

/** Pushes three images under the test's own name, and starts a run that sends them to its own place. */
async function begin(
  name: string,
  draft: Partial<TaskDraft> & { names?: string[]; tags?: number } = {},
): Promise<{ key: string; images: Listing }> {
  const { names = [`${name}/app`], tags = TAGS.length, ...rest } = draft;
  const images = await fillRegistry(rig.source.url, names, tags);
  const key = await start(name, names, rest);
  return { key, images };
}

const start = (name: string, names: string[], draft: Partial<TaskDraft> = {}) => {
  const packageConstraints = names.map((image) => ({ packageKey: `docker://${image}` }));
  const object = { localRepoName: "images", repoType: "OCI" as const, remoteProjectId: name, packageConstraints };
  return rig.product.run({
    projectId: rig.projectId,
    type: "PACKAGE",
    objects: [object],
    clusters: [rig.cluster],
    ...draft,
  });
};

type Ended = RecordInfo & { counts: Counts; details: RecordDetail[]; reasons: string[] };
async function ended(key: string): Promise<Ended> {
  const record = await closed(rig.product, key, BOUND_MS);
  const details = await rig.product.details(record.id);
  expect(details.filter(({ status }) => status === "RUNNING")).toEqual([]);
  return {
    ...record,
    details,
    reasons: details.filter(({ status }) => status === "FAILED").map(({ errorReason }) => errorReason ?? ""),
  };
}
const there = (name: string) => listImages(rig.target.host, name);
const without = (images: Listing, ...gone: string[]) =>
  sorted(new Map([...images].filter(([image]) => !gone.includes(image))));
const isPut = ({ method, path }: { method: string; path: string }, part: string) =>
  method === "PUT" && path.includes(part);

describe.concurrent("bad luck at a registry", { timeout: BOUND_MS + 30_000 }, () => {
  test("a wrong password at the target registry fails every image and says what to check", async () => {
    const guarded = await startRegistry("docker-registry", { auth: "htpasswd" });
    const cluster = await rig.product.registry("guarded", guarded.url, {
      username: USER.username,
      password: "wrong-of-alice",
    });
    const { key } = await begin("password", { clusters: [cluster] });
    const { status, counts, reasons, errorReason } = await ended(key);
    await guarded.stop();
    expect(status).toBe("FAILED");
    expect(counts).toMatchObject({ planned: 3, failed: 3, success: 0, notDone: 0 });
    for (const reason of reasons)
      expect(reason).toMatch(
        /password\/app:v\d.* answered 401.*check username, password and what this user may do there/,
      );
    expect(errorReason).toContain("3 of 3 artifacts failed, first password/app:v");
    expect(errorReason).not.toContain("wrong-of-alice");
  });

  test("a wrong password at the source registry fails the run and says which repository cannot be listed", async () => {
    const guarded = await startRegistry("docker-registry", { auth: "htpasswd" });
    await rig.product.linked(rig.projectId, "guarded", guarded.url, {
      username: USER.username,
      password: "wrong-of-alice",
    });
    const key = await rig.product.run({
      projectId: rig.projectId,
      objects: [{ localRepoName: "guarded", repoType: "OCI" }],
      clusters: [rig.cluster],
    });
    const { status, errorReason, details } = await ended(key);
    await guarded.stop();
    expect({ status, details }).toEqual({ status: "FAILED", details: [] });
    expect(errorReason).toMatch(
      new RegExp(
        "/guarded cannot be listed: .* does not list its repositories to this user" +
          ".*check the login, or name the packages",
      ),
    );
  });

  test("a source that cannot be reached fails the run once the retry window has passed", async () => {
    await rig.product.linked(rig.projectId, "nowhere", "http://127.0.0.1:9");
    const key = await rig.product.run({
      projectId: rig.projectId,
      objects: [{ localRepoName: "nowhere", repoType: "OCI" }],
      clusters: [rig.cluster],
    });
    const { status, errorReason } = await ended(key);
    expect(status).toBe("FAILED");
    expect(errorReason).toMatch(
      new RegExp(
        String.raw`/nowhere cannot be listed: .*127\.0\.0\.1:9: connection refused \(ECONNREFUSED\)` +
          String.raw`: is it running, and is the port right\?`,
      ),
    );
  });

  test("a target that cannot be reached fails the images after the retry window, with the last reason", async () => {
    const cluster = await rig.product.registry("nowhere", "http://127.0.0.1:9");
    const { key } = await begin("refused", { clusters: [cluster] });
    const { status, counts, reasons } = await ended(key);
    expect({ status, failed: counts.failed }).toEqual({ status: "FAILED", failed: 3 });
    for (const reason of reasons) expect(reason).toMatch(/connection refused.*is it running.*\(tried for \d+ s\)$/);
  });

  test("a tag that was deleted after the run was planned fails alone", async () => {
    const { until, letGo } = createGate();
    luck.set("deleted", ({ path }) => (path.includes("/deleted/app/manifests/") ? { kind: "hold", until } : null));
    const { key, images } = await begin("deleted");
    await follow(rig.product, key, ({ counts }) => counts.planned === 3);
    const url = `${rig.source.url}/v2/deleted/app/manifests/`;
    const answer = await fetch(`${url}v2`, { method: "DELETE" });
    if (!answer.ok) await fetch(`${url}${images.get("deleted/app:v2")}`, { method: "DELETE" });
    letGo();
    const { status, counts, reasons } = await ended(key);
    expect(status).toBe("FAILED");
    expect(counts).toMatchObject({ planned: 3, success: 2, failed: 1 });
    expect(reasons).toEqual([
      expect.stringMatching(/image deleted\/app:v2 is not in the registry .*: it was deleted, or its name is wrong/),
    ]);
    expect(sorted(await there("deleted"))).toEqual(without(images, "deleted/app:v2"));
  });

  test("an image whose blob is corrupt at the source fails after three tries and is never visible at the target", async () => {
    const layer = makeBlob(5_000);
    await pushImage(rig.source.url, "corrupt/app", "bad", makeImage({ layers: [layer] }));
    corrupt(rig.source.data, layer.digest);
    const { key, images } = await begin("corrupt");
    const { status, counts, reasons } = await ended(key);
    expect(status).toBe("FAILED");
    expect(counts).toMatchObject({ planned: 4, success: 3, failed: 1 });
    expect(reasons).toEqual([expect.stringMatching(/its copy is corrupt; push it there again \(tried 3 times\)$/)]);
    expect(reasons[0]).toContain(layer.digest);
    expect(sorted(await there("corrupt"))).toEqual(sorted(images));
    expect((await fetch(`${rig.target.url}/v2/corrupt/corrupt/app/blobs/${layer.digest}`)).status).toBe(404);
  });

  test.each([
    [
      "limit",
      { kind: "answer", status: 413 },
      /answered 413.*raise the limit of the server or of the proxy before it$/,
    ],
    ["full", { kind: "answer", status: 507 }, /answered 507.*free space there$/],
    [
      "disk",
      {
        kind: "answer",
        status: 500,
        body: `{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"Enclosed":{"Op":"write","Err":28}}}]}`,
      },
      /no space left on its device.*\(tried for \d+ s\)$/,
    ],
  ] satisfies [string, Fault, RegExp][])(
    "a target that accepts no more data (%s) fails the image, shows no half-written one and receives the others",
    async (name, fault, reason) => {
      luck.set(name, (request) => (isPut(request, `/${name}/tight/app/blobs/`) ? fault : null));
      const { key, images } = await begin(name, {
        names: [`${name}/roomy/app`, "tight/app"].map((image, at) => (at === 0 ? image : `${name}/${image}`)),
      });
      const { status, counts, reasons } = await ended(key);
      expect(status).toBe("FAILED");
      expect(counts).toMatchObject({ planned: 6, success: 3, failed: 3, notDone: 0 });
      for (const said of reasons) expect(said).toMatch(reason);
      expect(sorted(await there(name))).toEqual(without(images, ...TAGS.map((tag) => `${name}/tight/app:${tag}`)));
    },
  );

  test("errorStrategy FAST_FAIL stops a run of images at the first failure", async () => {
    luck.set("strict", (request) =>
      isPut(request, "/strict/app/manifests/v2") ? { kind: "answer", status: 413 } : null,
    );
    const { key } = await begin("strict", { setting: { errorStrategy: "FAST_FAIL" } });
    const { status, errorReason, counts, details } = await ended(key);
    expect(status).toBe("FAILED");
    expect(errorReason).toMatch(
      /^stopped at the first failure \(FAST_FAIL\): strict\/app:v2: .* answered 413.*raise the limit/,
    );
    expect(details).toHaveLength(counts.success + counts.failed);
    expect(counts.failed).toBeGreaterThan(0);
  });

  test.each([
    ["busy", 429, { "retry-after": "2" }],
    ["broken", 503, { "retry-after": "1" }],
    ["faulty", 500, {}],
  ] satisfies [string, number, Record<string, string>][])(
    "a run to a target that is %s for a while (%i) takes longer and succeeds",
    async (name, status, headers) => {
      const refused = new Set<string>();
      const refusals: number[] = [];
      luck.set(name, (request) => {
        if (!isPut(request, "/manifests/v") || refused.has(request.path)) return null;
        refused.add(request.path);
        refusals.push(Date.now());
        return { kind: "answer", status, headers, body: `{"errors":[{"code":"TOOMANYREQUESTS","message":"later"}]}` };
      });
      const { key, images } = await begin(name);
      const waiting = await follow(
        rig.product,
        key,
        ({ counts, status: now }) => now !== "RUNNING" || (refusals.length === 3 && counts.notDone === 3),
      );
      const shown = await rig.product.details(waiting.id);
      expect(
        shown
          .filter(({ errorReason }) => errorReason?.includes(`answered ${status}`))
          .every(({ status: now }) => now === "RUNNING"),
      ).toBe(true);
      const { status: state, counts, details } = await ended(key);
      expect({ state, ...counts }).toMatchObject({ state: "SUCCESS", planned: 3, success: 3, failed: 0, conflict: 0 });
      expect(details.every(({ errorReason }) => errorReason === null)).toBe(true);
      expect(sorted(await there(name))).toEqual(sorted(images));
      const wait = Number(headers["retry-after" as keyof typeof headers] ?? 2) * 1000;
      const puts = rig.target.proxy.requests.filter(
        (seen) => isPut(seen, `/${name}/${name}/app/manifests/v`) && seen.status === 201,
      );
      expect(Math.min(...puts.map(({ time }) => time)) - Math.min(...refusals)).toBeGreaterThanOrEqual(wait);
    },
  );

  test.each([
    ["faults", { kind: "answer", status: 500 }],
    ["breaks", { kind: "cutRequest", afterBytes: 1 }],
  ] satisfies [string, Fault][])(
    "images that fail repeatedly (%s) do not prevent the others from being sent",
    async (name, fault) => {
      luck.set(name, (request) => (isPut(request, "/a-bad/") ? fault : null));
      const [bad, good] = [`${name}/a-bad`, `${name}/z-good`];
      const image = makeImage();
      for (const [repository, tag] of [
        [bad, "v0"],
        [good, "v20"],
      ] as const)
        await pushImage(rig.source.url, repository, tag, image);
      await each([...Array.from({ length: 400 }).keys()], 16, (at) =>
        pushManifest(rig.source.url, at < 20 ? bad : good, `v${at}`, image),
      );
      const { status, counts, reasons } = await ended(await start(name, [bad, good]));
      expect(status).toBe("FAILED");
      expect(counts).toMatchObject({ planned: 400, success: 380, failed: 20, notDone: 0 });
      expect(reasons.every((reason) => / \((?:tried|waited) for \d+ s\)$/.test(reason))).toBe(true);
      expect((await there(name)).size).toBe(380);
    },
  );

  test("an untrusted certificate of a registry fails the images at once; with its PEM as certificate all are sent", async () => {
    const folder = mkdtempSync(join(tmpdir(), "certificate-"));
    const { key: keyFile, certificate: file } = selfSigned(folder);
    const certificate = readFileSync(file, "utf8");
    const secure = await startProxy(rig.target.url, { tls: { key: readFileSync(keyFile, "utf8"), cert: certificate } });
    const untrusted = await rig.product.registry("untrusted", secure.url);
    const { key, images } = await begin("tls", { clusters: [untrusted] });
    const refused = await ended(key);
    expect(refused.counts).toMatchObject({ planned: 3, failed: 3 });
    for (const reason of refused.reasons)
      expect(reason).toMatch(
        /nobody trusted vouches for the certificate of .*: give the PEM of its CA as certificate$/,
      );
    const trusted = await rig.product.registry("trusted", secure.url, { certificate });
    expect(await ended(await start("tls", ["tls/app"], { clusters: [trusted] }))).toMatchObject({ status: "SUCCESS" });
    expect(sorted(await there("tls"))).toEqual(sorted(images));
    await secure.stop();
    rmSync(folder, { recursive: true });
  });

  test("a run from a source that refuses its catalog fails and asks for the packages' names", async () => {
    const closedCatalog = await startProxy(rig.source.url);
    closedCatalog.fault = ({ path }) =>
      path.startsWith("/v2/_catalog")
        ? { kind: "answer", status: 401, body: `{"errors":[{"code":"UNAUTHORIZED"}]}` }
        : null;
    await rig.product.linked(rig.projectId, "uncatalogued", closedCatalog.url);
    const key = await rig.product.run({
      projectId: rig.projectId,
      objects: [{ localRepoName: "uncatalogued", repoType: "OCI" }],
      clusters: [rig.cluster],
    });
    const { status, errorReason } = await ended(key);
    await closedCatalog.stop();
    expect(status).toBe("FAILED");
    expect(errorReason).toMatch(/\/uncatalogued cannot be listed: .*packageConstraints/);
  });
});

/** Changes one byte of a blob in a distribution registry's storage. */
function corrupt(data: string, digest: string): void {
  const hex = digest.slice("sha256:".length);
  const folder = join(data, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex);
  const file = join(folder, readdirSync(folder)[0] ?? "");
  const bytes = readFileSync(file);
  bytes[10] = (bytes[10] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}
