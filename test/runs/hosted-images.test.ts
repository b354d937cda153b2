import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  startHostedImageRig,
  type HostedImageRig,
} from "../rigs/runs/hosted-image-rig.ts";
import { closed } from "../rigs/runs/run-fixture.ts";
import { expectWhole } from "../rigs/runs/run-judge.ts";
import type { Listing } from "../rigs/runs/run-sources.ts";
import {
  makeImage,
  makeIndex,
  makeSignature,
  missingParts,
  pushImage,
  type TestManifest,
} from "../rigs/servers/images.ts";
import type { FaultProxy } from "../rigs/servers/proxy.ts";

let rig: HostedImageRig;
beforeAll(async () => {
  rig = await startHostedImageRig();
});
afterAll(() => rig.end());
afterEach(() => rig.passAll());

const writes = ({ requests }: FaultProxy) =>
  requests.filter(
    ({ method, path }) => !["GET", "HEAD"].includes(method) && path.includes("/v2/"),
  );
const bytesOf = (image: TestManifest): number =>
  image.bytes.length +
  [
    ...image.blobs,
    ...image.children.map((child) => ({ bytes: Buffer.alloc(bytesOf(child)) })),
  ].reduce((sum, { bytes }) => sum + bytes.length, 0);

/**
 * Pushes an index with every kind of attached manifest: of the index, of a child, of an attached manifest, and under
 * cosign's tag.
 */
async function fillAll({ push }: Awaited<ReturnType<HostedImageRig["hosted"]>>) {
  const child = makeImage({ architecture: "arm64" });
  const index = makeIndex([
    makeImage({ architecture: "amd64", layers: [200_000, 1_000] }),
    child,
  ]);
  const docker = makeImage({ format: "docker", layers: [1_000, 3_000_000] });
  const sbom = makeImage({
    subject: index,
    artifactType: "application/vnd.example.sbom",
  });
  const ofChild = makeImage({
    subject: child,
    artifactType: "application/vnd.example.scan",
  });
  const ofSbom = makeImage({
    subject: sbom,
    artifactType: "application/vnd.example.signature",
  });
  const cosign = makeSignature();
  await push("team/multi", "1.0", index);
  for (const attached of [sbom, ofChild, ofSbom])
    await push("team/multi", null, attached);
  await push("team/multi", `sha256-${index.digest.slice(7)}.sig`, cosign);
  await push("docker", "latest", docker);
  const small = makeImage();
  for (const tag of ["1", "2", "3"])
    await push("app", tag, tag === "2" ? makeImage() : small);
  return { index, docker, attached: [sbom, ofChild, ofSbom], cosign, small };
}

describe("a run of images of a hosted repository", () => {
  test("hosted images arrive whole in a new repository, and the second run has nothing to do", async () => {
    const source = await rig.hosted();
    const { index, docker, attached, cosign, small } = await fillAll(source);
    const key = await source.start();
    const record = await closed(rig.center.product, key);
    const second = await rig.digestAtEdge(`${source.repo}/app`, "2");
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
    expect(details.find(({ artifactName }) => artifactName === "team/multi")?.size).toBe(
      bytesOf(index),
    );
    expect(record).toMatchObject({ replicatedBytes: record.totalBytes });
    expect(await rig.leftOut(record)).toEqual([
      { count: 1, first: [`team/multi:sha256-${index.digest.slice(7)}.sig`] },
    ]);

    const { url, options } = rig.atEdge;
    const multi = `${source.repo}/team/multi`;
    for (const image of [index, ...attached, cosign])
      expect(await missingParts(url, multi, image, options)).toEqual([]);
    expect(await rig.digestAtEdge(multi, `sha256-${index.digest.slice(7)}.sig`)).toBe(
      cosign.digest,
    );
    expect(await missingParts(url, `${source.repo}/docker`, docker, options)).toEqual([]);
    const { host } = new URL(url);
    const { digest, tree } = await rig.judged(host, multi, "1.0");
    expect(digest ?? index.digest).toBe(index.digest);
    expect(tree ?? attached.map((each) => each.digest)).toEqual(
      expect.arrayContaining(attached.map((each) => each.digest)),
    );
    const info = await rig.edge.product.call<{ type: string }>(
      "GET",
      `/repository/api/repo/info/${source.repo}`,
    );
    expect(info.type).toBe("OCI");

    rig.edgeProxy.clear();
    await rig.center.product.execute(key);
    const again = await closed(rig.center.product, key);
    await expectWhole(rig.center.product, again, listing);
    expect(again.counts).toMatchObject({ skip: 5, conflict: 0 });
    expect(writes(rig.edgeProxy)).toEqual([]);
  });

  test("hosted images arrive whole at a registry under the names of the task", async () => {
    const source = await rig.hosted("DOCKER");
    const { index, attached, docker, cosign } = await fillAll(source);
    const record = await closed(
      rig.center.product,
      await source.start({
        clusters: [rig.clusters.registry],
        more: { remoteProjectId: source.projectId, remoteRepoName: "mirror" },
      }),
    );
    expect(record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 5, success: 5 },
    });
    const name = `${source.projectId}/mirror/team/multi`;
    for (const image of [index, ...attached, cosign])
      expect(await missingParts(rig.registry.url, name, image)).toEqual([]);
    expect(
      await missingParts(rig.registry.url, `${source.projectId}/mirror/docker`, docker),
    ).toEqual([]);
    const { digest, tree } = await rig.judged(rig.registry.host, name, "1.0");
    expect(digest ?? index.digest).toBe(index.digest);
    expect(tree ?? attached.map((each) => each.digest)).toEqual(
      expect.arrayContaining(attached.map((each) => each.digest)),
    );
  });

  test("a PACKAGE run sends hosted images by version, also under other tags, and fails missing packages", async () => {
    const { start, push, repo } = await rig.hosted();
    const [one, two] = [await push("app", "1"), await push("app", "2")];
    const db = await push("db", "15");
    const packageConstraints = [
      { packageKey: "docker://app", versions: ["2"], targetVersions: ["stable", "2.0"] },
      { packageKey: "oci://db" },
      { packageKey: "oci://nosuch" },
    ];
    const record = await closed(
      rig.center.product,
      await start({ type: "PACKAGE", more: { packageConstraints } }),
    );
    expect(record).toMatchObject({
      status: "FAILED",
      counts: { planned: 3, success: 2, failed: 1 },
    });
    const failed = (await rig.center.product.details(record.id)).filter(
      ({ status }) => status === "FAILED",
    );
    expect(failed).toMatchObject([
      {
        artifactName: "nosuch",
        errorReason: `package oci://nosuch is not in ${repo}: check its name`,
      },
    ]);
    const at = (tag: string) => rig.digestAtEdge(`${repo}/app`, tag);
    expect([await at("stable"), await at("2.0"), await at("2"), await at("1")]).toEqual([
      two.digest,
      two.digest,
      null,
      null,
    ]);
    expect([
      await rig.digestAtEdge(`${repo}/db`, "15"),
      one.digest === two.digest,
    ]).toEqual([db.digest, false]);
  });

  test.each([
    ["SKIP", "SUCCESS", { success: 2, skip: 1, conflict: 1, failed: 0 }, "theirs"],
    ["OVERWRITE", "SUCCESS", { success: 2, skip: 0, conflict: 1, failed: 0 }, "ours"],
    // Images that were already being sent fail, too.
    ["FAST_FAIL", "FAILED", { conflict: 1 }, "theirs"],
  ] as const)(
    "hosted images that differ at the instance count as conflicts under %s",
    async (conflictStrategy, status, counts, winner) => {
      const { start, push, repo, projectId } = await rig.hosted();
      const images = { ours: await push("app", "1"), theirs: makeImage() };
      await push("app", "2");
      await rig.edge.product.project(projectId);
      await rig.edge.product.hosted(projectId, "images", "OCI");
      await pushImage(
        rig.atEdge.url,
        `${repo}/app`,
        "1",
        images.theirs,
        rig.atEdge.options,
      );
      const record = await closed(
        rig.center.product,
        await start({ setting: { conflictStrategy } }),
      );
      expect(record).toMatchObject({ status, counts });
      expect(await rig.digestAtEdge(`${repo}/app`, "1")).toBe(images[winner].digest);
    },
  );

  test("hosted images fail with a clear reason if the instance's repository has another type", async () => {
    const { start, push, projectId } = await rig.hosted();
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
});

describe("a run of hosted images that is disturbed", () => {
  test("a tag that moves during its run is sent with its new content, and one that is deleted fails", async () => {
    const { start, push, repo } = await rig.hosted();
    for (const tag of ["deleted", "moved"]) await push("app", tag);
    let moved: TestManifest | undefined;
    rig.beforeCopy(["deleted", "moved"], async () => {
      for (const tag of ["deleted", "moved"]) await rig.deleteVersion(repo, "app", tag);
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
    expect(await rig.digestAtEdge(`${repo}/app`, "moved")).toBe(moved?.digest);
  });

  test("a hosted image whose large blob is cut off arrives whole once the instance is back", async () => {
    const { start, push, repo } = await rig.hosted();
    const image = await push("big", "1", makeImage({ layers: [70 * 1024 ** 2, 1_000] }));
    let cuts = 0;
    rig.edgeProxy.fault = ({ method, path }) => {
      if (method !== "PATCH" || !path.includes("/v2/") || cuts > 1) return null;
      cuts += 1;
      return cuts === 2 ? { kind: "cutRequest", afterBytes: 1024 ** 2 } : null;
    };
    const record = await closed(rig.center.product, await start());
    expect(record).toMatchObject({ status: "SUCCESS", counts: { success: 1 } });
    expect(
      await missingParts(rig.atEdge.url, `${repo}/big`, image, rig.atEdge.options),
    ).toEqual([]);
  });
});
