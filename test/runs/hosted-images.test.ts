import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startInstance, type Instance } from "../rigs/runs/instance.ts";
import { createFiller } from "../rigs/api/packages-fixture.ts";
import {
  closed,
  createCleanup,
  openProduct,
  unique,
  UTC,
  type Product,
  type RecordDetail,
  type TaskDraft,
  type TaskObject,
} from "../rigs/runs/run-fixture.ts";
import { contentsOf, readHistories } from "../rigs/runs/run-histories.ts";
import { expectWhole, listingOf, sorted } from "../rigs/runs/run-judge.ts";
import { oneOf } from "../rigs/runs/run-rig.ts";
import { fillRegistry, type Listing } from "../rigs/runs/run-sources.ts";
import {
  ALL_TYPES,
  makeImage,
  makeIndex,
  makeSignature,
  missingParts,
  pushImage,
  readManifest,
  type TestManifest,
} from "../rigs/servers/images.ts";
import { CRANE, REGCTL } from "../rigs/servers/oci-tools.ts";
import { startProxy, type FaultProxy } from "../rigs/servers/proxy.ts";
import type { TestRegistry } from "../rigs/servers/registries.ts";
import { findTool } from "../rigs/servers/tools.ts";

const run = promisify(execFile);
/** The path below which the proxy serves the second instance. */
const BELOW = "/below/here";

type End = { instance: Instance; product: Product; authorization: string };
type Rig = {
  center: End;
  edge: End;
  edgeProxy: FaultProxy;
  registry: TestRegistry & { proxy: FaultProxy };
  linked: TestRegistry;
  clusters: { edge: string; registry: string };
};
type Clients = { crane: string | null; regctl: string | null; env: NodeJS.ProcessEnv };

const cleanup = createCleanup();
let rig: Rig;
let clients: Clients;

const login = ({ username, password }: Instance) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

async function startEnd(env: Record<string, string>): Promise<End> {
  const instance = await cleanup.keep(startInstance({ env: { ...UTC, LOG_LEVEL: "warn", ...env } }), (each) =>
    each.remove(),
  );
  return { instance, product: openProduct(instance), authorization: login(instance) };
}

beforeAll(async () => {
  const registry = async () => {
    const started = await cleanup.keep(oneOf("docker-registry", "distribution"), (each) => each.stop());
    return { ...started, proxy: await cleanup.keep(startProxy(started.url), (each) => each.stop()) };
  };
  const [center, edge, target, linked] = await Promise.all([
    startEnd({}),
    startEnd({ LOCAL_CLUSTER_NAME: "edge", TRANSFER_WORKERS: "1" }),
    registry(),
    cleanup.keep(oneOf("gcr", "docker-registry"), (each) => each.stop()),
  ]);
  const edgeProxy = await cleanup.keep(startProxy(edge.instance.url, { below: BELOW }), (each) => each.stop());
  const clusters = {
    edge: await center.product.partner("edge", edge.instance, edgeProxy.url + BELOW),
    registry: await center.product.registry("registry", target.proxy.url),
  };
  rig = { center, edge, edgeProxy, registry: target, linked, clusters };
  clients = await openClients([center.instance, edge.instance]);
}, 240_000);
afterAll(cleanup.all);
afterEach(() => {
  rig.edgeProxy.fault = () => null;
  rig.registry.proxy.fault = () => null;
});

/** Finds independent clients and gives them the instances' logins. */
async function openClients(instances: Instance[]): Promise<Clients> {
  const folder = mkdtempSync(join(tmpdir(), "image-clients-"));
  await cleanup.keep(Promise.resolve(folder), async (each) => rmSync(each, { recursive: true, force: true }));
  const auths = Object.fromEntries(
    instances.map((each) => [new URL(each.url).host, { auth: login(each).slice("Basic ".length) }]),
  );
  writeFileSync(join(folder, "config.json"), JSON.stringify({ auths }));
  const env = { ...process.env, DOCKER_CONFIG: folder, HOME: folder };
  return { crane: await findTool(CRANE), regctl: await findTool(REGCTL), env };
}

/**
 * Reads an image with independent clients: crane's digest, after checking that it can be pulled whole, and the digests
 * in regctl's tree of attached manifests. Null where a client is not available.
 */
async function judged(
  host: string,
  name: string,
  tag: string,
): Promise<{ digest: string | null; tree: string[] | null }> {
  const { crane, regctl, env } = clients;
  const image = `${host}/${name}:${tag}`;
  const output = async (command: string, args: string[]) => (await run(command, args, { env })).stdout.trim();
  const digest = crane && (await output(crane, ["digest", "--insecure", image]));
  if (crane) await output(crane, ["validate", "--insecure", "--fast", "--remote", image]);
  const tree =
    regctl &&
    (await output(regctl, ["artifact", "tree", "--digest-tags", "--host", `reg=${host},tls=disabled`, image]));
  return { digest, tree: tree ? (tree.match(/sha256:[0-9a-f]{64}/g) ?? []) : null };
}

/** Creates a project with the hosted repository `images`. */
async function hosted(type: "OCI" | "DOCKER" = "OCI") {
  const { product, instance, authorization } = rig.center;
  const projectId = unique("p");
  await product.project(projectId);
  await product.hosted(projectId, "images", type);
  const fill = createFiller({ url: instance.url, authorization });
  const object: TaskObject = { localRepoName: "images", repoType: type };
  const start = (draft: Partial<TaskDraft> & { more?: Partial<TaskObject> } = {}) => {
    const { more = {}, ...rest } = draft;
    return product.run({ projectId, objects: [{ ...object, ...more }], clusters: [rig.clusters.edge], ...rest });
  };
  return {
    projectId,
    repo: `${projectId}/images`,
    object,
    start,
    push: (name: string, tag: string | null, image?: TestManifest) =>
      fill.push(`${projectId}/images`, name, tag, image),
  };
}

const atEdge = () => ({ url: rig.edge.instance.url, options: { authorization: rig.edge.authorization } });
const digestAtEdge = async (name: string, tag: string) =>
  (await readManifest(atEdge().url, name, tag, atEdge().options))?.digest ?? null;
/**
 * Holds the first request for a tag at the edge until `change` is done, so that the change happens between plan and
 * copy.
 */
function beforeCopy(tag: string, change: () => Promise<unknown>): void {
  let changed: Promise<void> | null = null;
  rig.edgeProxy.fault = ({ method, path }) => {
    if (changed || method !== "HEAD" || !path.endsWith(`/manifests/${tag}`)) return null;
    changed = change().then(() => undefined);
    return { kind: "hold", until: changed };
  };
}
/** The `leftOut` values in a run's histories: what the run left out of its lists. */
async function leftOut({ workflowId }: { workflowId: string }): Promise<unknown[]> {
  const histories = await readHistories(rig.center.instance.endpoints().temporal, workflowId);
  const { payloads } = contentsOf({ events: [...histories.values()].flatMap(({ events }) => events ?? []) });
  return payloads
    .filter((text) => text.includes('"leftOut"'))
    .map((text) => (JSON.parse(text) as { leftOut: unknown }).leftOut);
}
const deleteVersion = (repo: string, name: string, tag: string) =>
  rig.center.product.call("DELETE", `/repository/api/version/delete/${repo}?packageKey=oci://${name}&version=${tag}`);
const writes = ({ requests }: FaultProxy) =>
  requests.filter(({ method, path }) => !["GET", "HEAD"].includes(method) && path.includes("/v2/"));
const bytesOf = (image: TestManifest): number =>
  image.bytes.length +
  [...image.blobs, ...image.children.map((child) => ({ bytes: Buffer.alloc(bytesOf(child)) }))].reduce(
    (sum, { bytes }) => sum + bytes.length,
    0,
  );

/**
 * Pushes an index with every kind of attached manifest: of the index, of a child, of an attached manifest, and under
 * cosign's tag.
 */
async function fillAll({ push }: Awaited<ReturnType<typeof hosted>>) {
  const child = makeImage({ architecture: "arm64" });
  const index = makeIndex([makeImage({ architecture: "amd64", layers: [200_000, 1_000] }), child]);
  const docker = makeImage({ format: "docker", layers: [1_000, 3_000_000] });
  const sbom = makeImage({ subject: index, artifactType: "application/vnd.example.sbom" });
  const ofChild = makeImage({ subject: child, artifactType: "application/vnd.example.scan" });
  const ofSbom = makeImage({ subject: sbom, artifactType: "application/vnd.example.signature" });
  const cosign = makeSignature();
  await push("team/multi", "1.0", index);
  for (const attached of [sbom, ofChild, ofSbom]) await push("team/multi", null, attached);
  await push("team/multi", `sha256-${index.digest.slice(7)}.sig`, cosign);
  await push("docker", "latest", docker);
  const small = makeImage();
  for (const tag of ["1", "2", "3"]) await push("app", tag, tag === "2" ? makeImage() : small);
  return { index, docker, attached: [sbom, ofChild, ofSbom], cosign, small };
}

describe("a run of images of a hosted repository", () => {
  test("hosted images arrive whole in a repository that the run creates, and the second run has nothing to do", async () => {
    const source = await hosted();
    const { index, docker, attached, cosign, small } = await fillAll(source);
    const key = await source.start();
    const record = await closed(rig.center.product, key);
    const second = await digestAtEdge(`${source.repo}/app`, "2");
    const listing: Listing = new Map([
      ["team/multi:1.0", index.digest],
      ["docker:latest", docker.digest],
      ["app:1", small.digest],
      ["app:2", second ?? ""],
      ["app:3", small.digest],
    ]);
    const details = await expectWhole(rig.center.product, record, listing);
    expect(details.find(({ artifactName }) => artifactName === "docker")).toMatchObject({
      version: "latest",
      size: bytesOf(docker),
      remoteCluster: "edge",
      repoType: "OCI",
    });
    expect(details.find(({ artifactName }) => artifactName === "team/multi")?.size).toBe(bytesOf(index));
    expect(record).toMatchObject({ replicatedBytes: record.totalBytes });
    expect(await leftOut(record)).toEqual([{ count: 1, first: [`team/multi:sha256-${index.digest.slice(7)}.sig`] }]);

    const { url, options } = atEdge();
    const multi = `${source.repo}/team/multi`;
    for (const image of [index, ...attached, cosign])
      expect(await missingParts(url, multi, image, options)).toEqual([]);
    expect(await digestAtEdge(multi, `sha256-${index.digest.slice(7)}.sig`)).toBe(cosign.digest);
    expect(await missingParts(url, `${source.repo}/docker`, docker, options)).toEqual([]);
    const { host } = new URL(url);
    const { digest, tree } = await judged(host, multi, "1.0");
    expect(digest ?? index.digest).toBe(index.digest);
    expect(tree ?? attached.map((each) => each.digest)).toEqual(
      expect.arrayContaining(attached.map((each) => each.digest)),
    );
    const info = await rig.edge.product.call<{ type: string }>("GET", `/repository/api/repo/info/${source.repo}`);
    expect(info.type).toBe("OCI");

    rig.edgeProxy.clear();
    await rig.center.product.execute(key);
    const again = await closed(rig.center.product, key);
    await expectWhole(rig.center.product, again, listing);
    expect(again.counts).toMatchObject({ skip: 5, conflict: 0 });
    expect(writes(rig.edgeProxy)).toEqual([]);
  });

  test("hosted images arrive whole at a registry under the names of the task", async () => {
    const source = await hosted("DOCKER");
    const { index, attached, docker, cosign } = await fillAll(source);
    const record = await closed(
      rig.center.product,
      await source.start({
        clusters: [rig.clusters.registry],
        more: { remoteProjectId: source.projectId, remoteRepoName: "mirror" },
      }),
    );
    expect(record).toMatchObject({ status: "SUCCESS", counts: { planned: 5, success: 5 } });
    const name = `${source.projectId}/mirror/team/multi`;
    for (const image of [index, ...attached, cosign])
      expect(await missingParts(rig.registry.url, name, image)).toEqual([]);
    expect(await missingParts(rig.registry.url, `${source.projectId}/mirror/docker`, docker)).toEqual([]);
    const { digest, tree } = await judged(rig.registry.host, name, "1.0");
    expect(digest ?? index.digest).toBe(index.digest);
    expect(tree ?? attached.map((each) => each.digest)).toEqual(
      expect.arrayContaining(attached.map((each) => each.digest)),
    );
  });

  test("a PACKAGE run sends hosted images by version, also under other tags, and fails missing packages", async () => {
    const { start, push, repo } = await hosted();
    const [one, two] = [await push("app", "1"), await push("app", "2")];
    const db = await push("db", "15");
    const packageConstraints = [
      { packageKey: "docker://app", versions: ["2"], targetVersions: ["stable", "2.0"] },
      { packageKey: "oci://db" },
      { packageKey: "oci://nosuch" },
    ];
    const record = await closed(rig.center.product, await start({ type: "PACKAGE", more: { packageConstraints } }));
    expect(record).toMatchObject({ status: "FAILED", counts: { planned: 3, success: 2, failed: 1 } });
    const failed = (await rig.center.product.details(record.id)).filter(({ status }) => status === "FAILED");
    expect(failed).toMatchObject([
      { artifactName: "nosuch", errorReason: `package oci://nosuch is not in ${repo}: check its name` },
    ]);
    const at = (tag: string) => digestAtEdge(`${repo}/app`, tag);
    expect([await at("stable"), await at("2.0"), await at("2"), await at("1")]).toEqual([
      two.digest,
      two.digest,
      null,
      null,
    ]);
    expect([await digestAtEdge(`${repo}/db`, "15"), one.digest === two.digest]).toEqual([db.digest, false]);
  });

  test.each([
    ["SKIP", "SUCCESS", { success: 2, skip: 1, conflict: 1, failed: 0 }, "theirs"],
    ["OVERWRITE", "SUCCESS", { success: 2, skip: 0, conflict: 1, failed: 0 }, "ours"],
    // Images that were already being sent fail, too.
    ["FAST_FAIL", "FAILED", { conflict: 1 }, "theirs"],
  ] as const)(
    "hosted images that differ at the instance count as conflicts under %s",
    async (conflictStrategy, status, counts, winner) => {
      const { start, push, repo, projectId } = await hosted();
      const images = { ours: await push("app", "1"), theirs: makeImage() };
      await push("app", "2");
      await rig.edge.product.project(projectId);
      await rig.edge.product.hosted(projectId, "images", "OCI");
      await pushImage(atEdge().url, `${repo}/app`, "1", images.theirs, atEdge().options);
      const record = await closed(rig.center.product, await start({ setting: { conflictStrategy } }));
      expect(record).toMatchObject({ status, counts });
      expect(await digestAtEdge(`${repo}/app`, "1")).toBe(images[winner].digest);
    },
  );

  test("hosted images fail with a clear reason where the instance has another type of repository", async () => {
    const { start, push, projectId } = await hosted();
    await push("app", "1");
    await rig.edge.product.project(projectId);
    await rig.edge.product.hosted(projectId, "images");
    const record = await closed(rig.center.product, await start());
    expect(record).toMatchObject({
      status: "FAILED",
      counts: { failed: 1 },
      errorReason: expect.stringMatching(
        /app:1: .*hosted GENERIC repository; a hosted OCI repository is needed/,
      ) as string,
    });
  });

  test("a tag that moves during its run is sent with its new content, and one that is deleted fails", async () => {
    const { start, push, repo } = await hosted();
    for (const tag of ["deleted", "moved"]) await push("app", tag);
    let moved: TestManifest | undefined;
    beforeCopy("moved", async () => {
      for (const tag of ["deleted", "moved"]) await deleteVersion(repo, "app", tag);
      moved = await push("app", "moved");
    });
    const record = await closed(rig.center.product, await start());
    expect(record).toMatchObject({
      status: "FAILED",
      counts: { success: 1, failed: 1 },
      errorReason: expect.stringMatching(
        /image app:deleted is no longer in .*: it was deleted after the run was planned/,
      ) as string,
    });
    expect(await digestAtEdge(`${repo}/app`, "moved")).toBe(moved?.digest);
  });

  test("a hosted image whose large blob is cut off arrives whole once the instance is back", async () => {
    const { start, push, repo } = await hosted();
    const image = await push("big", "1", makeImage({ layers: [70 * 1024 ** 2, 1_000] }));
    let cuts = 0;
    rig.edgeProxy.fault = ({ method, path }) => {
      if (method !== "PATCH" || !path.includes("/v2/") || cuts > 1) return null;
      cuts += 1;
      return cuts === 2 ? { kind: "cutRequest", afterBytes: 1024 ** 2 } : null;
    };
    const record = await closed(rig.center.product, await start());
    expect(record).toMatchObject({ status: "SUCCESS", counts: { success: 1 } });
    expect(await missingParts(atEdge().url, `${repo}/big`, image, atEdge().options)).toEqual([]);
  });
});

test("images of a linked repository arrive whole at another instance", async () => {
  const { product } = rig.center;
  const projectId = unique("p");
  await product.project(projectId);
  await product.linked(projectId, "upstream", rig.linked.url);
  const namespace = unique("team");
  const listing = await fillRegistry(rig.linked.url, [`${namespace}/one`, `${namespace}/two`], 4);
  const index = makeIndex([makeImage({ architecture: "amd64" }), makeImage({ architecture: "arm64" })]);
  const attached = makeImage({ subject: index, artifactType: "application/vnd.example.sbom" });
  await pushImage(rig.linked.url, `${namespace}/one`, "multi", index);
  await pushImage(rig.linked.url, `${namespace}/one`, null, attached);
  const cosign = `sha256-${index.digest.slice(7)}.sig`;
  await pushImage(rig.linked.url, `${namespace}/one`, cosign, makeSignature());
  listing.set(`${namespace}/one:multi`, index.digest);
  const packageConstraints = ["one", "two"].map((name) => ({ packageKey: `oci://${namespace}/${name}` }));
  const object: TaskObject = {
    localRepoName: "upstream",
    repoType: "OCI",
    remoteProjectId: projectId,
    remoteRepoName: "copies",
    packageConstraints,
  };
  const key = await product.run({ projectId, objects: [object], clusters: [rig.clusters.edge] });
  const record = await closed(product, key);
  await expectWhole(product, record, listing);
  expect(await leftOut(record)).toEqual([{ count: 1, first: [`${namespace}/one:${cosign}`] }]);
  const name = `${projectId}/copies/${namespace}/one`;
  for (const image of [index, attached])
    expect(await missingParts(atEdge().url, name, image, atEdge().options)).toEqual([]);
  const { tree } = await judged(new URL(atEdge().url).host, name, "multi");
  expect(tree ?? [attached.digest]).toContain(attached.digest);
  const tags = await fetch(`${atEdge().url}/v2/${name}/tags/list`, {
    headers: { authorization: rig.edge.authorization, accept: ALL_TYPES },
  });
  expect(await tags.json()).toMatchObject({
    tags: expect.arrayContaining(["multi", "v1", "v2", "v3", "v4"]) as string[],
  });
});

describe("a REAL_TIME task over a hosted image repository", () => {
  async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
    for (const end = Date.now() + 60_000; !(await condition()); await sleep(50))
      if (Date.now() > end) throw new Error(`${what}: not within 60 s`);
  }

  test("a REAL_TIME task sends tags that are pushed, moved and signed later, to an instance and a registry", async () => {
    const { start, push, repo, projectId } = await hosted();
    const key = await start({
      replicaType: "REAL_TIME",
      clusters: [rig.clusters.edge, rig.clusters.registry],
      setting: { conflictStrategy: "OVERWRITE" },
      more: { remoteProjectId: projectId, remoteRepoName: "images" },
    });
    const ends = [{ url: rig.registry.url, options: {} }, atEdge()];
    const everywhere = async (has: (url: string, options: { authorization?: string }) => Promise<boolean>) =>
      (await Promise.all(ends.map(({ url, options }) => has(url, options)))).every(Boolean);
    const hasTag = (tag: string, image: TestManifest) =>
      everywhere(
        async (url, options) =>
          (await readManifest(url, `${repo}/app`, tag, options))?.digest === image.digest &&
          (await missingParts(url, `${repo}/app`, image, options)).length === 0,
      );

    const first = await push("app", "latest");
    await until(() => hasTag("latest", first), "the tag arrives");
    const moved = await push("app", "latest");
    await until(() => hasTag("latest", moved), "the moved tag arrives");
    const signature = await push(
      "app",
      null,
      makeImage({ subject: moved, artifactType: "application/vnd.example.signature" }),
    );
    await until(() => hasTag(signature.digest, signature), "the signature arrives");
    const cosign = `sha256-${moved.digest.slice(7)}.sig`;
    const tagged = await push("app", cosign, makeSignature());
    await until(() => hasTag(cosign, tagged), "cosign's tag arrives");

    await until(
      async () => (await rig.center.product.records(key)).every(({ status }) => status === "SUCCESS"),
      "every drain ends well",
    );
    const records = await rig.center.product.records(key);
    const details = (await Promise.all(records.map(({ id }) => rig.center.product.details(id)))).flat();
    const rows = new Set(details.map(({ artifactName, version }: RecordDetail) => `${artifactName}:${version}`));
    expect([...rows]).toEqual(["app:latest"]);
  });

  test("a tag that is deleted while a REAL_TIME task sends it does not fail its drain", async () => {
    const { start, push, repo } = await hosted();
    const key = await start({ replicaType: "REAL_TIME" });
    await push("app", "kept");
    await until(async () => (await digestAtEdge(`${repo}/app`, "kept")) !== null, "the first tag arrives");
    beforeCopy("brief", () => deleteVersion(repo, "app", "brief"));
    await push("app", "brief");
    const records = () => rig.center.product.records(key);
    await until(
      async () => (await records()).length > 1 && (await records()).every(({ status }) => status !== "RUNNING"),
      "the drain ends",
    );
    expect((await records()).map(({ status, errorReason }) => ({ status, errorReason }))).toEqual(
      (await records()).map(() => ({ status: "SUCCESS", errorReason: null })),
    );
    expect(await digestAtEdge(`${repo}/app`, "brief")).toBeNull();
  });

  test("a REAL_TIME task sends all of many tags pushed at once, and its records name each once", async () => {
    const { start, push, repo } = await hosted();
    const key = await start({ replicaType: "REAL_TIME" });
    const listing: Listing = new Map();
    await Promise.all(
      Array.from({ length: 40 }, async (_, at) => {
        const image = await push("many", `v${at}`);
        listing.set(`many:v${at}`, image.digest);
      }),
    );
    const has = async ([tag, digest]: [string, string]) =>
      (await digestAtEdge(`${repo}/many`, tag.slice(5))) === digest;
    await until(async () => (await Promise.all([...listing].map(has))).every(Boolean), "all tags arrive");
    await until(
      async () => (await rig.center.product.records(key)).every(({ status }) => status === "SUCCESS"),
      "every drain ends well",
    );
    const records = await rig.center.product.records(key);
    const details = await Promise.all(records.map(({ id }) => rig.center.product.details(id)));
    expect([...new Map(details.flatMap((rows) => listingOf(rows)))].length).toBe(sorted(listing).length);
  });
});
