import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  startHostedImageRig,
  type HostedImageRig,
} from "../rigs/runs/hosted-image-rig.ts";
import { until, type RecordDetail } from "../rigs/runs/run-fixture.ts";
import { listingOf, sorted } from "../rigs/runs/run-judge.ts";
import type { Listing } from "../rigs/runs/run-sources.ts";
import {
  makeImage,
  makeSignature,
  missingParts,
  readManifest,
  type TestManifest,
} from "../rigs/servers/images.ts";

let rig: HostedImageRig;
beforeAll(async () => {
  rig = await startHostedImageRig();
});
afterAll(() => rig.end());
afterEach(() => rig.passAll());

describe("a REAL_TIME task over a hosted image repository", () => {
  test("a REAL_TIME task sends tags that are pushed, moved and signed, to instances and registries", async () => {
    const { start, push, repo, projectId } = await rig.hosted();
    const key = await start({
      replicaType: "REAL_TIME",
      clusters: [rig.clusters.edge, rig.clusters.registry],
      setting: { conflictStrategy: "OVERWRITE" },
      more: { remoteProjectId: projectId, remoteRepoName: "images" },
    });
    const ends = [{ url: rig.registry.url, options: {} }, rig.atEdge];
    const everywhere = async (
      has: (url: string, options: { authorization?: string }) => Promise<boolean>,
    ) =>
      (await Promise.all(ends.map(({ url, options }) => has(url, options)))).every(
        Boolean,
      );
    const hasTag = (tag: string, image: TestManifest) =>
      everywhere(
        async (url, options) =>
          (await readManifest(url, `${repo}/app`, tag, options))?.digest ===
            image.digest &&
          (await missingParts(url, `${repo}/app`, image, options)).length === 0,
      );

    const first = await push("app", "latest");
    await until("the tag arrives", () => hasTag("latest", first));
    const moved = await push("app", "latest");
    await until("the moved tag arrives", () => hasTag("latest", moved));
    const signature = await push(
      "app",
      null,
      makeImage({ subject: moved, artifactType: "application/vnd.example.signature" }),
    );
    await until("the signature arrives", () => hasTag(signature.digest, signature));
    const cosign = `sha256-${moved.digest.slice(7)}.sig`;
    const tagged = await push("app", cosign, makeSignature());
    await until("cosign's tag arrives", () => hasTag(cosign, tagged));

    await until("every drain ends well", async () =>
      (await rig.center.product.records(key)).every(({ status }) => status === "SUCCESS"),
    );
    const records = await rig.center.product.records(key);
    const details = (
      await Promise.all(records.map(({ id }) => rig.center.product.details(id)))
    ).flat();
    const rows = new Set(
      details.map(
        ({ artifactName, version }: RecordDetail) => `${artifactName}:${version}`,
      ),
    );
    expect([...rows]).toEqual(["app:latest"]);
  });

  test("a tag that is deleted while a REAL_TIME task sends it does not fail its drain", async () => {
    const { start, push, repo } = await rig.hosted();
    const key = await start({ replicaType: "REAL_TIME" });
    await push("app", "kept");
    const records = () => rig.center.product.records(key);
    await until("the drain of the first tag ends", async () =>
      (await records()).some(({ status }) => status === "SUCCESS"),
    );
    expect(await rig.digestAtEdge(`${repo}/app`, "kept")).not.toBeNull();
    rig.beforeCopy(["brief"], () => rig.deleteVersion(repo, "app", "brief"));
    await push("app", "brief");
    await until(
      "the drain ends",
      async () =>
        (await records()).length > 1 &&
        (await records()).every(({ status }) => status !== "RUNNING"),
    );
    expect(
      (await records()).map(({ status, errorReason }) => ({ status, errorReason })),
    ).toEqual((await records()).map(() => ({ status: "SUCCESS", errorReason: null })));
    expect(await rig.digestAtEdge(`${repo}/app`, "brief")).toBeNull();
  });

  test("a REAL_TIME task sends all of many tags pushed at once, and its records name each once", async () => {
    const { start, push, repo } = await rig.hosted();
    const key = await start({ replicaType: "REAL_TIME" });
    const listing: Listing = new Map();
    await Promise.all(
      Array.from({ length: 40 }, async (_, at) => {
        const image = await push("many", `v${at}`);
        listing.set(`many:v${at}`, image.digest);
      }),
    );
    const has = async ([tag, digest]: [string, string]) =>
      (await rig.digestAtEdge(`${repo}/many`, tag.slice(5))) === digest;
    await until("all tags arrive", async () =>
      (await Promise.all([...listing].map(has))).every(Boolean),
    );
    await until("every drain ends well", async () =>
      (await rig.center.product.records(key)).every(({ status }) => status === "SUCCESS"),
    );
    const records = await rig.center.product.records(key);
    const details = await Promise.all(
      records.map(({ id }) => rig.center.product.details(id)),
    );
    expect([...new Map(details.flatMap((rows) => listingOf(rows)))].length).toBe(
      sorted(listing).length,
    );
  });
});
