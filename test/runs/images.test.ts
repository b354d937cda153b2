import { Client } from "@temporalio/client";
import { defineSearchAttributeKey } from "@temporalio/common";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { clientConnection } from "../../temporal/connect.ts";
import { ATTRIBUTES } from "../../workflows/contract.ts";
import { closed, createGate, follow, newest, type RecordDetail, type TaskDraft } from "../rigs/runs/run-fixture.ts";
import { contentsOf, readHistories } from "../rigs/runs/run-histories.ts";
import { expectWhole, listImages, listingOf, sorted } from "../rigs/runs/run-judge.ts";
import { startImageRig, type ImageRig } from "../rigs/runs/run-rig.ts";
import { fillRegistry, type Listing } from "../rigs/runs/run-sources.ts";
import { makeImage, makeIndex, pushImage, readManifest, type TestManifest } from "../rigs/servers/images.ts";
import { judge, treeDigests } from "../rigs/servers/oci-clients.ts";

const NAMES = ["library/nginx", "library/redis", "team/app"];
const TAGS = 12;

let rig: ImageRig;
let images: Listing;
let extra: { index: TestManifest; docker: TestManifest; attached: TestManifest };

beforeAll(async () => {
  rig = await startImageRig();
  images = await fillRegistry(rig.source.url, NAMES, TAGS);
  const index = makeIndex([makeImage({ architecture: "amd64" }), makeImage({ architecture: "arm64" })]);
  const docker = makeImage({ format: "docker", layers: [1_000, 200_000] });
  const attached = makeImage({ subject: index, artifactType: "application/vnd.example.sbom" });
  extra = { index, docker, attached };
  await pushImage(rig.source.url, "library/multi", "latest", index);
  await pushImage(rig.source.url, "library/multi", null, attached);
  await pushImage(rig.source.url, "library/docker", "1.0", docker);
  images.set("library/multi:latest", index.digest).set("library/docker:1.0", docker.digest);
}, 180_000);
afterAll(() => rig.end());
afterEach(() => {
  rig.source.proxy.fault = () => null;
  rig.target.proxy.fault = () => null;
});

const run = (
  draft: Partial<TaskDraft> & {
    to?: string;
    packages?: NonNullable<TaskDraft["objects"][number]["packageConstraints"]>;
  },
) => {
  const { to, packages, ...rest } = draft;
  const object = {
    localRepoName: "images",
    repoType: "OCI" as const,
    ...(to !== undefined && { remoteProjectId: to }),
    ...(packages && { packageConstraints: packages }),
  };
  return rig.product.run({ projectId: rig.projectId, objects: [object], clusters: [rig.cluster], ...rest });
};
const failures = (details: RecordDetail[]) =>
  details
    .filter(({ status }) => status === "FAILED")
    .map(({ artifactName, version, errorReason }) => ({ artifactName, version, errorReason }));
const target = () => rig.target.proxy;

describe("a run of images from a linked repository to a registry", () => {
  test("a run copies all images, as independent clients see them, and the second run has nothing to do", async () => {
    const key = await run({});
    const details = await expectWhole(rig.product, await closed(rig.product, key), images);
    for (const [name, tag] of [
      ["library/multi", "latest"],
      ["library/docker", "1.0"],
      ["team/app", "v3"],
    ] as const)
      await judge(rig.source, rig.target, name, tag);
    const tree = await treeDigests(rig.target, "library/multi", "latest");
    expect(tree ?? [extra.attached.digest]).toContain(extra.attached.digest);
    expect((await readManifest(rig.target.url, "library/multi", extra.attached.digest))?.bytes).toEqual(
      extra.attached.bytes,
    );

    const docker = details.find(({ artifactName }) => artifactName === "library/docker");
    const size = extra.docker.bytes.length + extra.docker.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(docker).toMatchObject({
      version: "1.0",
      size,
      remoteCluster: "target",
      localRepoName: "images",
      repoType: "OCI",
      executeType: "FULL",
    });
    expect(docker?.progress).toMatchObject({
      success: 4,
      skip: 0,
      failed: 0,
      totalSize: size,
      blob: { success: 3 },
      node: { success: 1 },
      version: { success: 1 },
    });

    target().clear();
    await rig.product.execute(key);
    const again = await closed(rig.product, key);
    await expectWhole(rig.product, again, images);
    expect(again.counts).toMatchObject({ skip: images.size, conflict: 0 });
    expect(target().requests.filter(({ method }) => !["GET", "HEAD"].includes(method))).toEqual([]);
    expect((await rig.product.task(key)).executionTimes).toBe(2);
  });

  test("a run is legible in Temporal by its ids, its attributes and the summary of each batch", async () => {
    const key = await run({ type: "PACKAGE", packages: [{ packageKey: "docker://library/redis" }], to: "legible" });
    const { id, workflowId } = await closed(rig.product, key);
    const { name } = await rig.product.task(key);
    const address = rig.instance.endpoints().temporal;
    const connection = clientConnection({ temporalAddress: address });
    const { workflow } = new Client({ connection });
    const described = await workflow.getHandle(workflowId).describe();
    const child = await workflow.getHandle(`${workflowId}/target/images`).describe();
    await connection.close();
    const attribute = (of: typeof described, attributeName: string) =>
      of.typedSearchAttributes.get(defineSearchAttributeKey(attributeName, "KEYWORD"));
    expect([
      attribute(described, ATTRIBUTES.task),
      attribute(described, ATTRIBUTES.project),
      attribute(described, ATTRIBUTES.status),
    ]).toEqual([name, rig.projectId, "SUCCESS"]);
    expect([attribute(child, ATTRIBUTES.task), attribute(child, ATTRIBUTES.cluster)]).toEqual([name, "target"]);
    expect(workflowId).toBe(`repl/${name}/${key}/${id}`);
    expect(await described.staticSummary()).toBe(name);
    const { payloads } = contentsOf({
      events: [...(await readHistories(address, workflowId)).values()].flatMap(({ events }) => events ?? []),
    });
    expect(payloads).toContain(`"library/redis: ${TAGS} images → target"`);
  });

  test("a run to two clusters sends everything to both, with separate details", async () => {
    const second = await rig.product.registry("second", `${target().url}/mirror/of`);
    const record = await closed(rig.product, await run({ clusters: [rig.cluster, second], to: "both" }));
    expect(record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 2 * images.size, success: 2 * images.size, skip: 0 },
    });
    const details = await rig.product.details(record.id);
    for (const [cluster, namespace] of [
      ["target", "both"],
      ["second", "mirror/of/both"],
    ] as const) {
      expect(listingOf(details.filter(({ remoteCluster }) => remoteCluster === cluster))).toEqual(sorted(images));
      expect(sorted(await listImages(rig.target.host, namespace))).toEqual(sorted(images));
    }
  });

  test("a PACKAGE run copies the named versions, or all, and fails those that do not exist", async () => {
    const packages = [
      { packageKey: "docker://library/nginx", versions: ["v1", "v2", "gone"] },
      { packageKey: "oci://team/app" },
      { packageKey: "docker://library/nosuch" },
    ];
    const record = await closed(rig.product, await run({ type: "PACKAGE", packages, to: "chosen" }));
    const wanted = new Map(
      [...images].filter(([image]) => image.startsWith("team/app:") || /nginx:v[12]$/.test(image)),
    );
    expect(sorted(await listImages(rig.target.host, "chosen"))).toEqual(sorted(wanted));
    expect(record).toMatchObject({
      status: "FAILED",
      counts: { planned: wanted.size + 2, success: wanted.size, failed: 2, notDone: 0 },
    });
    expect(record.errorReason).toMatch(/^2 of 16 artifacts failed, first library\/n/);
    expect(
      failures(await rig.product.details(record.id)).toSorted((a, b) => (a.artifactName < b.artifactName ? -1 : 1)),
    ).toEqual([
      {
        artifactName: "library/nginx",
        version: "gone",
        errorReason: expect.stringContaining("image library/nginx:gone is not in the registry"),
      },
      {
        artifactName: "library/nosuch",
        version: null,
        errorReason: expect.stringContaining("image library/nosuch is not in the registry"),
      },
    ]);
  });
});

describe("a run of images that finds other content at the target", () => {
  const tags = (namespace: string) => listImages(rig.target.host, namespace);
  const spoil = async (namespace: string) => {
    const other = makeImage();
    for (const tag of ["v2", "v5"]) await pushImage(rig.target.url, `${namespace}/team/app`, tag, other);
    return other.digest;
  };
  const apps = () => new Map([...images].filter(([image]) => image.startsWith("team/app:")));
  const packages = [{ packageKey: "oci://team/app" }];

  test("SKIP leaves other images at the target and reports the conflicts", async () => {
    const other = await spoil("skip");
    const record = await closed(
      rig.product,
      await run({ type: "PACKAGE", packages, to: "skip", setting: { conflictStrategy: "SKIP" } }),
    );
    expect(record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: TAGS, success: TAGS, skip: 2, conflict: 2, failed: 0 },
    });
    expect(sorted(await tags("skip"))).toEqual(sorted(apps().set("team/app:v2", other).set("team/app:v5", other)));
    const conflicts = (await rig.product.details(record.id)).filter(({ progress }) => progress.conflict > 0);
    expect(
      conflicts.map(({ version, conflictStrategy, status }) => [version, conflictStrategy, status]).toSorted(),
    ).toEqual([
      ["v2", "SKIP", "SUCCESS"],
      ["v5", "SKIP", "SUCCESS"],
    ]);
  });

  test("OVERWRITE replaces other images at the target", async () => {
    await spoil("overwrite");
    const record = await closed(
      rig.product,
      await run({ type: "PACKAGE", packages, to: "overwrite", setting: { conflictStrategy: "OVERWRITE" } }),
    );
    expect(record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: TAGS, success: TAGS, skip: 0, conflict: 2, failed: 0 },
    });
    expect(sorted(await tags("overwrite"))).toEqual(sorted(apps()));
  });

  test("FAST_FAIL stops the run at the cluster with the conflict, and at no other", async () => {
    const other = await spoil("stops");
    const second = await rig.product.registry("clean", `${target().url}/clean`);
    const record = await closed(
      rig.product,
      await run({
        type: "PACKAGE",
        packages,
        to: "stops",
        clusters: [rig.cluster, second],
        setting: { conflictStrategy: "FAST_FAIL" },
      }),
    );
    expect(record.status).toBe("FAILED");
    expect(record.errorReason).toMatch(
      /^stopped at the first failure \(FAST_FAIL\): team\/app:v[25]: .* has other content/,
    );
    expect(record.counts.conflict).toBeGreaterThan(0);
    expect((await tags("stops")).get("team/app:v2")).toBe(other);
    expect(sorted(await tags("clean/stops"))).toEqual(sorted(apps()));
    const details = await rig.product.details(record.id);
    expect(
      details.filter(({ remoteCluster, status }) => remoteCluster === "clean" && status === "SUCCESS"),
    ).toHaveLength(TAGS);
    expect(details.filter(({ status }) => status === "RUNNING")).toEqual([]);
    expect(details).toHaveLength(record.counts.success + record.counts.failed);
  });

  test("errorStrategy FAST_FAIL starts no further image after the first failure", async () => {
    target().fault = ({ method, path }) =>
      method === "PUT" && /\/first\/team\/app\/manifests\/v/.test(path) ? { kind: "answer", status: 413 } : null;
    const record = await closed(rig.product, await run({ to: "first", setting: { errorStrategy: "FAST_FAIL" } }));
    expect(record.status).toBe("FAILED");
    expect(record.errorReason).toMatch(/^stopped at the first failure \(FAST_FAIL\): team\/app:v\d+: .*413/);
    expect(record.counts).toMatchObject({ planned: images.size });
    const details = await rig.product.details(record.id);
    expect(details.filter(({ status }) => status === "RUNNING")).toEqual([]);
    expect(details).toHaveLength(record.counts.success + record.counts.failed);
  });
});

describe("a run of images that is going on", () => {
  /** Holds every image's manifest at the target, so that the run goes on until it is released. */
  const hold = (namespace: string) => {
    const { until, letGo } = createGate();
    const isHeld = ({ method, path }: { method: string; path: string }) =>
      method === "PUT" && path.startsWith(`/v2/${namespace}/`) && path.includes("/manifests/v");
    target().fault = (request) => (isHeld(request) ? { kind: "hold", until } : null);
    return { held: () => target().requests.filter(isHeld), letGo };
  };

  test("a stop closes every connection of the run within 5 s, and the record says who stopped it", async () => {
    const { held } = hold("stopped");
    const key = await run({ to: "stopped" });
    await follow(rig.product, key, () => held().length >= 10);
    const asked = Date.now();
    expect(await rig.product.stop(key)).toEqual({ stopped: true });
    const record = await closed(rig.product, key);
    const late = held().filter(({ closed }) => closed === null || closed > asked + 5_000);
    expect(late).toEqual([]);
    expect(record).toMatchObject({ status: "FAILED", errorReason: `stopped by ${rig.instance.username}` });
    expect(record.counts.notDone + record.counts.failed + record.counts.success).toBe(images.size);
    const details = await rig.product.details(record.id);
    const begun = details.filter(({ status }) => status === "FAILED");
    expect(begun.length).toBeGreaterThanOrEqual(10);
    expect(
      begun.every(({ errorReason, endTime }) => errorReason?.startsWith("stopped by admin") && endTime !== null),
    ).toBe(true);
    expect(details.filter(({ status }) => status === "RUNNING")).toEqual([]);
    expect([...(await listImages(rig.target.host, "stopped")).keys()].filter((image) => /:v\d+$/.test(image))).toEqual(
      [],
    );
    expect(await rig.product.stop(key)).toEqual({ stopped: false });
    target().fault = () => null;
    await rig.product.execute(key);
    await expectWhole(rig.product, await closed(rig.product, key), images);
  });

  test("a running task refuses a second execute, and updating or disabling it does not change its run", async () => {
    const { held, letGo } = hold("edited");
    const key = await run({ to: "edited" });
    await follow(rig.product, key, () => held().length > 0);
    await expect(rig.product.execute(key)).rejects.toThrow(/250303/);
    const { task, objects } = await rig.product.call<{ task: { name: string }; objects: object[] }>(
      "GET",
      `/replication/api/task/detail/${key}`,
    );
    await rig.product.call("POST", "/replication/api/task/update", {
      key,
      name: task.name,
      localProjectId: rig.projectId,
      replicaObjectType: "REPOSITORY",
      replicaTaskObjects: objects.map((object) => ({ ...object, remoteProjectId: "elsewhere" })),
      remoteClusterIds: [rig.cluster],
    });
    await rig.product.toggle(key);
    await rig.product.toggle(key);
    letGo();
    const record = await closed(rig.product, key);
    await expectWhole(rig.product, record, images);
    expect(sorted(await listImages(rig.target.host, "edited"))).toEqual(sorted(images));
    expect((await listImages(rig.target.host, "elsewhere")).size).toBe(0);
    expect(await rig.product.records(key)).toHaveLength(1);
  });

  test("deleting a task ends its run, closes the connections and deletes the records", async () => {
    const { held } = hold("deleted");
    const key = await run({ to: "deleted" });
    await follow(rig.product, key, () => held().length > 0);
    const { id } = await newest(rig.product, key);
    const asked = Date.now();
    await rig.product.remove(key);
    await expect(rig.product.task(key)).rejects.toThrow(/250310/);
    expect(await rig.product.records(key)).toEqual([]);
    expect(await rig.product.details(id)).toEqual([]);
    expect(held().filter(({ closed }) => closed === null || closed > asked + 5_000)).toEqual([]);
    await rig.product.remove(key);
  });
});
