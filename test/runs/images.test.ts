import { Client } from "@temporalio/client";
import { defineSearchAttributeKey } from "@temporalio/common";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { clientConnection } from "../../temporal/connect.ts";
import { ATTRIBUTES } from "../../workflows/contract.ts";
import {
  startFilledImageRig,
  TAGS,
  type FilledImageRig,
} from "../rigs/runs/filled-image-rig.ts";
import { closed, type RecordDetail, unique } from "../rigs/runs/run-fixture.ts";
import { contentsOf, readHistories } from "../rigs/runs/run-histories.ts";
import { expectWhole, listImages, listingOf, sorted } from "../rigs/runs/run-judge.ts";
import { makeImage, pushImage, readManifest } from "../rigs/servers/images.ts";
import { judge, treeDigests } from "../rigs/servers/oci-clients.ts";

let rig: FilledImageRig;
beforeAll(async () => {
  rig = await startFilledImageRig();
});
afterAll(() => rig.end());
afterEach(() => rig.passAll());

const failures = (details: RecordDetail[]) =>
  details
    .filter(({ status }) => status === "FAILED")
    .map(({ artifactName, version, errorReason }) => ({
      artifactName,
      version,
      errorReason,
    }));
const target = () => rig.target.proxy;

describe("a run of images from a linked repository to a registry", () => {
  test("independent clients can read all images that a run copied, and the second run has nothing to do", async () => {
    const app = makeImage({ format: "docker", layers: [1_000, 200_000] });
    const name = unique("library/app-");
    await pushImage(rig.source.url, name, "1.0", app);
    rig.images.set(`${name}:1.0`, app.digest);
    const key = await rig.run({});
    const details = await expectWhole(
      rig.product,
      await closed(rig.product, key),
      rig.images,
    );
    for (const [repository, tag] of [
      ["library/multi", "latest"],
      [name, "1.0"],
      ["team/app", "v3"],
    ] as const)
      await judge(rig.source, rig.target, repository, tag);
    const tree = await treeDigests(rig.target, "library/multi", "latest");
    expect(tree ?? [rig.attached.digest]).toContain(rig.attached.digest);
    expect(
      (await readManifest(rig.target.url, "library/multi", rig.attached.digest))?.bytes,
    ).toEqual(rig.attached.bytes);

    const row = details.find(({ artifactName }) => artifactName === name);
    const size =
      app.bytes.length + app.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(row).toMatchObject({
      version: "1.0",
      size,
      remoteCluster: "target",
      localRepoName: "images",
      repoType: "OCI",
      executeType: "FULL",
    });
    expect(row?.progress).toMatchObject({
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
    await expectWhole(rig.product, again, rig.images);
    expect(again.counts).toMatchObject({ skip: rig.images.size, conflict: 0 });
    expect(
      target().requests.filter(({ method }) => !["GET", "HEAD"].includes(method)),
    ).toEqual([]);
    expect((await rig.product.task(key)).executionTimes).toBe(2);
  });

  test("a run is readable in Temporal by its workflow ids, search attributes and batch summaries", async () => {
    const key = await rig.run({
      type: "PACKAGE",
      packages: [{ packageKey: "docker://library/redis" }],
      to: "legible",
    });
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
    expect([
      attribute(child, ATTRIBUTES.task),
      attribute(child, ATTRIBUTES.cluster),
    ]).toEqual([name, "target"]);
    expect(workflowId).toBe(`repl/${name}/${key}/${id}`);
    expect(await described.staticSummary()).toBe(name);
    const { payloads } = contentsOf({
      events: [...(await readHistories(address, workflowId)).values()].flatMap(
        ({ events }) => events ?? [],
      ),
    });
    expect(payloads).toContain(`"library/redis: ${TAGS} images → target"`);
  });

  test("a run to two clusters sends everything to both, with separate details", async () => {
    const [to, name] = [unique("both-"), unique("second-")];
    const second = await rig.product.registry(name, `${target().url}/mirror/of`);
    const record = await closed(
      rig.product,
      await rig.run({ clusters: [rig.cluster, second], to }),
    );
    expect(record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 2 * rig.images.size, success: 2 * rig.images.size, skip: 0 },
    });
    const details = await rig.product.details(record.id);
    for (const [cluster, namespace] of [
      ["target", to],
      [name, `mirror/of/${to}`],
    ] as const) {
      expect(
        listingOf(details.filter(({ remoteCluster }) => remoteCluster === cluster)),
      ).toEqual(sorted(rig.images));
      expect(sorted(await listImages(rig.target.host, namespace))).toEqual(
        sorted(rig.images),
      );
    }
  });

  test("a PACKAGE run copies the named versions, or all, and fails those that do not exist", async () => {
    const packages = [
      { packageKey: "docker://library/nginx", versions: ["v1", "v2", "gone"] },
      { packageKey: "oci://team/app" },
      { packageKey: "docker://library/nosuch" },
    ];
    const record = await closed(
      rig.product,
      await rig.run({ type: "PACKAGE", packages, to: "chosen" }),
    );
    const wanted = new Map(
      [...rig.images].filter(
        ([image]) => image.startsWith("team/app:") || /nginx:v[12]$/.test(image),
      ),
    );
    expect(sorted(await listImages(rig.target.host, "chosen"))).toEqual(sorted(wanted));
    expect(record).toMatchObject({
      status: "FAILED",
      counts: { planned: wanted.size + 2, success: wanted.size, failed: 2, notDone: 0 },
    });
    expect(record.errorReason).toMatch(/^2 of 16 artifacts failed, first library\/n/);
    expect(
      failures(await rig.product.details(record.id)).toSorted((a, b) =>
        a.artifactName < b.artifactName ? -1 : 1,
      ),
    ).toEqual([
      {
        artifactName: "library/nginx",
        version: "gone",
        errorReason: expect.stringContaining(
          "image library/nginx:gone is not in the registry",
        ),
      },
      {
        artifactName: "library/nosuch",
        version: null,
        errorReason: expect.stringContaining(
          "image library/nosuch is not in the registry",
        ),
      },
    ]);
  });
});

describe("a run of images that finds other content at the target", () => {
  const tags = (namespace: string) => listImages(rig.target.host, namespace);
  /** Pushes another image under two of the tags, below a new namespace `to` of the target. */
  const spoil = async () => {
    const [to, other] = [unique("spoilt-"), makeImage()];
    for (const tag of ["v2", "v5"])
      await pushImage(rig.target.url, `${to}/team/app`, tag, other);
    return { to, other: other.digest };
  };
  const apps = () =>
    new Map([...rig.images].filter(([image]) => image.startsWith("team/app:")));
  const packages = [{ packageKey: "oci://team/app" }];

  test("SKIP keeps different images at the target and reports them as conflicts", async () => {
    const { to, other } = await spoil();
    const record = await closed(
      rig.product,
      await rig.run({
        type: "PACKAGE",
        packages,
        to,
        setting: { conflictStrategy: "SKIP" },
      }),
    );
    expect(record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: TAGS, success: TAGS, skip: 2, conflict: 2, failed: 0 },
    });
    expect(sorted(await tags(to))).toEqual(
      sorted(apps().set("team/app:v2", other).set("team/app:v5", other)),
    );
    const conflicts = (await rig.product.details(record.id)).filter(
      ({ progress }) => progress.conflict > 0,
    );
    expect(
      conflicts
        .map(({ version, conflictStrategy, status }) => [
          version,
          conflictStrategy,
          status,
        ])
        .toSorted(),
    ).toEqual([
      ["v2", "SKIP", "SUCCESS"],
      ["v5", "SKIP", "SUCCESS"],
    ]);
  });

  test("OVERWRITE replaces different images at the target", async () => {
    const { to } = await spoil();
    const record = await closed(
      rig.product,
      await rig.run({
        type: "PACKAGE",
        packages,
        to,
        setting: { conflictStrategy: "OVERWRITE" },
      }),
    );
    expect(record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: TAGS, success: TAGS, skip: 0, conflict: 2, failed: 0 },
    });
    expect(sorted(await tags(to))).toEqual(sorted(apps()));
  });

  test("FAST_FAIL stops the run at the cluster with the conflict, and at no other", async () => {
    const { to, other } = await spoil();
    const clean = unique("clean-");
    const second = await rig.product.registry(clean, `${target().url}/clean`);
    const record = await closed(
      rig.product,
      await rig.run({
        type: "PACKAGE",
        packages,
        to,
        clusters: [rig.cluster, second],
        setting: { conflictStrategy: "FAST_FAIL" },
      }),
    );
    expect(record.status).toBe("FAILED");
    expect(record.errorReason).toMatch(
      /^stopped at the first failure \(FAST_FAIL\): team\/app:v[25]: .* has other content/,
    );
    expect(record.counts.conflict).toBeGreaterThan(0);
    expect((await tags(to)).get("team/app:v2")).toBe(other);
    expect(sorted(await tags(`clean/${to}`))).toEqual(sorted(apps()));
    const details = await rig.product.details(record.id);
    expect(
      details.filter(
        ({ remoteCluster, status }) => remoteCluster === clean && status === "SUCCESS",
      ),
    ).toHaveLength(TAGS);
    expect(details.filter(({ status }) => status === "RUNNING")).toEqual([]);
    expect(details).toHaveLength(record.counts.success + record.counts.failed);
  });

  test("errorStrategy FAST_FAIL starts no further image after the first failure", async () => {
    target().fault = ({ method, path }) =>
      method === "PUT" && /\/first\/team\/app\/manifests\/v/.test(path)
        ? { kind: "answer", status: 413 }
        : null;
    const record = await closed(
      rig.product,
      await rig.run({ to: "first", setting: { errorStrategy: "FAST_FAIL" } }),
    );
    expect(record.status).toBe("FAILED");
    expect(record.errorReason).toMatch(
      /^stopped at the first failure \(FAST_FAIL\): team\/app:v\d+: .*413/,
    );
    expect(record.counts).toMatchObject({ planned: rig.images.size });
    const details = await rig.product.details(record.id);
    expect(details.filter(({ status }) => status === "RUNNING")).toEqual([]);
    expect(details).toHaveLength(record.counts.success + record.counts.failed);
  });
});
