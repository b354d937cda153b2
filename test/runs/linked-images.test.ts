import { afterAll, beforeAll, expect, test } from "vitest";
import {
  startHostedImageRig,
  type HostedImageRig,
} from "../rigs/runs/hosted-image-rig.ts";
import { closed, unique, type TaskObject } from "../rigs/runs/run-fixture.ts";
import { expectWhole } from "../rigs/runs/run-judge.ts";
import { oneOf } from "../rigs/runs/run-rig.ts";
import { fillRegistry } from "../rigs/runs/run-sources.ts";
import {
  ALL_TYPES,
  makeImage,
  makeIndex,
  makeSignature,
  missingParts,
  pushImage,
} from "../rigs/servers/images.ts";
import type { TestRegistry } from "../rigs/servers/registries.ts";

let rig: HostedImageRig;
let linked: TestRegistry;
beforeAll(async () => {
  [rig, linked] = await Promise.all([
    startHostedImageRig(),
    oneOf("gcr", "docker-registry"),
  ]);
});
afterAll(() => Promise.all([rig.end(), linked.stop()]));

test("images of a linked repository arrive whole at another instance", async () => {
  const { product } = rig.center;
  const projectId = unique("p");
  await product.project(projectId);
  await product.linked(projectId, "upstream", linked.url);
  const namespace = unique("team");
  const listing = await fillRegistry(
    linked.url,
    [`${namespace}/one`, `${namespace}/two`],
    4,
  );
  const index = makeIndex([
    makeImage({ architecture: "amd64" }),
    makeImage({ architecture: "arm64" }),
  ]);
  const attached = makeImage({
    subject: index,
    artifactType: "application/vnd.example.sbom",
  });
  await pushImage(linked.url, `${namespace}/one`, "multi", index);
  await pushImage(linked.url, `${namespace}/one`, null, attached);
  const cosign = `sha256-${index.digest.slice(7)}.sig`;
  await pushImage(linked.url, `${namespace}/one`, cosign, makeSignature());
  listing.set(`${namespace}/one:multi`, index.digest);
  const packageConstraints = ["one", "two"].map((name) => ({
    packageKey: `oci://${namespace}/${name}`,
  }));
  const object: TaskObject = {
    localRepoName: "upstream",
    repoType: "OCI",
    remoteProjectId: projectId,
    remoteRepoName: "copies",
    packageConstraints,
  };
  const key = await product.run({
    projectId,
    objects: [object],
    clusters: [rig.clusters.edge],
  });
  const record = await closed(product, key);
  await expectWhole(product, record, listing);
  expect(await rig.leftOut(record)).toEqual([
    { count: 1, first: [`${namespace}/one:${cosign}`] },
  ]);
  const name = `${projectId}/copies/${namespace}/one`;
  for (const image of [index, attached])
    expect(await missingParts(rig.atEdge.url, name, image, rig.atEdge.options)).toEqual(
      [],
    );
  const { tree } = await rig.judged(new URL(rig.atEdge.url).host, name, "multi");
  expect(tree ?? [attached.digest]).toContain(attached.digest);
  const tags = await fetch(`${rig.atEdge.url}/v2/${name}/tags/list`, {
    headers: { authorization: rig.edge.authorization, accept: ALL_TYPES },
  });
  expect(await tags.json()).toMatchObject({
    tags: expect.arrayContaining(["multi", "v1", "v2", "v3", "v4"]) as string[],
  });
});
