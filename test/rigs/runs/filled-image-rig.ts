import { makeImage, makeIndex, pushImage, type TestManifest } from "../servers/images.ts";
import type { TaskDraft } from "./run-fixture.ts";
import { startImageRig, type ImageRig } from "./run-rig.ts";
import { fillRegistry, type Listing } from "./run-sources.ts";

/** Number of tags of each image in `NAMES`. */
export const TAGS = 12;
const NAMES = ["library/nginx", "library/redis", "team/app"];

type Draft = Partial<TaskDraft> & {
  to?: string;
  packages?: NonNullable<TaskDraft["objects"][number]["packageConstraints"]>;
};

export type FilledImageRig = ImageRig & {
  /** All images of the source, except attached manifests. */
  images: Listing;
  /** A manifest that is attached to library/multi:latest. */
  attached: TestManifest;
  /** Starts a run of the source below the namespace `to` of the target, and returns its task's key. */
  run: (draft: Draft) => Promise<string>;
  passAll: () => void;
};

/** Starts an instance between two registries, and fills the source with images of every kind. */
export async function startFilledImageRig(): Promise<FilledImageRig> {
  const rig = await startImageRig();
  const images = await fillRegistry(rig.source.url, NAMES, TAGS);
  const index = makeIndex([
    makeImage({ architecture: "amd64" }),
    makeImage({ architecture: "arm64" }),
  ]);
  const docker = makeImage({ format: "docker", layers: [1_000, 200_000] });
  const attached = makeImage({
    subject: index,
    artifactType: "application/vnd.example.sbom",
  });
  await pushImage(rig.source.url, "library/multi", "latest", index);
  await pushImage(rig.source.url, "library/multi", null, attached);
  await pushImage(rig.source.url, "library/docker", "1.0", docker);
  images
    .set("library/multi:latest", index.digest)
    .set("library/docker:1.0", docker.digest);
  return {
    ...rig,
    images,
    attached,
    run({ to, packages, ...rest }) {
      const object = {
        localRepoName: "images",
        repoType: "OCI" as const,
        ...(to !== undefined && { remoteProjectId: to }),
        ...(packages && { packageConstraints: packages }),
      };
      return rig.product.run({
        projectId: rig.projectId,
        objects: [object],
        clusters: [rig.cluster],
        ...rest,
      });
    },
    passAll() {
      rig.source.proxy.fault = () => null;
      rig.target.proxy.fault = () => null;
    },
  };
}
