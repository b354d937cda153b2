import { randomBytes } from "node:crypto";
import { integrity } from "../rigs/servers/npm-publication.ts";
import { createFiller, mavenPath, pom } from "../rigs/api/packages-fixture.ts";
import { authorizationOf } from "../rigs/runs/instance.ts";
import { sha256, type Product, type TaskObject } from "../rigs/runs/run-fixture.ts";
import {
  each,
  fillRegistry,
  fillRepository,
  type Listing,
} from "../rigs/runs/run-sources.ts";
import { makeImage } from "../rigs/servers/images.ts";
import { npmTarball } from "../rigs/api/tarball.ts";
import { crowdTargets, type RoundRun } from "./load-crowd.ts";
import { PROJECT, type World } from "./world.ts";

export type Round = {
  name: string;
  runs: RoundRun[];
  files: Listing;
  maven: Listing;
  npm: Listing;
  images: Listing;
  hostedImages: Listing;
  /** Hosted repositories of the round, deleted at its end. */
  repositories: string[];
};

/** Rate limits make runs last about this long on any machine. */
const LASTING_S = 45;
const COUNTS = { files: 250, maven: 40, npm: 40, images: 30, hostedImages: 20 };
const range = (count: number) => Array.from({ length: count }, (_, at) => at);

/** Fills the repositories of a round and starts a run of each kind: files, packages, and images between registries. */
export async function startRound(world: World, name: string): Promise<Round> {
  const { product, source, clusters } = world;
  const [files, packages, { images, imageBytes }] = await Promise.all([
    fillFiles(world, `${name}-files`),
    fillPackages(world, name),
    fillRegistry(
      source.url,
      range(6).map((at) => `${name}/app-${at}`),
      COUNTS.images / 6,
    ).then((listing) => ({ images: listing as Listing, imageBytes: listing.bytes })),
  ]);
  await product.linked(PROJECT, `${name}-images`, world.ways.source.url);
  const run = async (
    what: string,
    objects: TaskObject[],
    cluster: string,
    { details, bytes }: { details: number; bytes: number },
  ): Promise<RoundRun> => {
    const type = objects[0]?.packageConstraints ? "PACKAGE" : "REPOSITORY";
    const setting = { rateLimit: Math.ceil(bytes / LASTING_S) };
    return {
      name: what,
      task: await product.run({
        projectId: PROJECT,
        objects,
        clusters: [cluster],
        type,
        setting,
      }),
      details,
    };
  };
  const packageConstraints = range(6).map((at) => ({
    packageKey: `oci://${name}/app-${at}`,
  }));
  const hosted = (["OCI", "MAVEN", "NPM"] as const).map((repoType) => ({
    localRepoName: `${name}-${repoType.toLowerCase()}`,
    repoType,
  }));
  const runs = [
    await run(
      "files",
      [{ localRepoName: `${name}-files`, repoType: "GENERIC" }],
      clusters.edge,
      {
        details: files.size,
        bytes: files.bytes,
      },
    ),
    await run("packages", hosted, clusters.edge, {
      details: COUNTS.maven + COUNTS.npm + COUNTS.hostedImages,
      bytes: packages.bytes,
    }),
    await run(
      "images",
      [{ localRepoName: `${name}-images`, repoType: "OCI", packageConstraints }],
      clusters.registry,
      {
        details: images.size,
        bytes: imageBytes,
      },
    ),
  ];
  return {
    name,
    runs,
    files,
    images,
    ...packages,
    repositories: [`${name}-files`, ...hosted.map(({ localRepoName }) => localRepoName)],
  };
}

async function fillFiles({ product }: World, repository: string) {
  await product.hosted(PROJECT, repository);
  const sizes = [
    ...range(COUNTS.files - 3).map((at) => 500 + (at % 9) * 700),
    1_200_000,
    1_200_000,
    5_000_000,
  ];
  return fillRepository(product, PROJECT, repository, sizes);
}

type Packages = Pick<Round, "maven" | "npm" | "hostedImages"> & { bytes: number };

async function fillPackages({ product, ends }: World, name: string): Promise<Packages> {
  for (const type of ["OCI", "MAVEN", "NPM"])
    await product.hosted(PROJECT, `${name}-${type.toLowerCase()}`, type);
  const { instance } = ends.first;
  const filler = createFiller({
    url: instance.url,
    authorization: authorizationOf(instance),
  });
  const filled: Packages = {
    maven: new Map(),
    npm: new Map(),
    hostedImages: new Map(),
    bytes: 0,
  };
  await each(range(COUNTS.maven), 4, async (at) => {
    const [artifact, version] = [`org.soak:lib-${at % 8}`, `1.${at}`];
    const files = { ".jar": randomBytes(4_000), ".pom": pom(artifact, version) };
    await filler.deploy(`${PROJECT}/${name}-maven`, artifact, version, files);
    for (const [end, content] of Object.entries(files))
      filled.maven.set(mavenPath(artifact, version, end), sha256(Buffer.from(content)));
    filled.bytes += 4_200;
  });
  await each(range(COUNTS.npm), 4, async (at) => {
    const [pkg, version] = [
      at % 2 ? `@team/pkg-${at % 8}` : `pkg-${at % 8}`,
      `1.${at}.0`,
    ];
    const tarball = npmTarball({
      "package.json": JSON.stringify({ name: pkg, version }),
      "index.js": `module.exports = "${randomBytes(1_500).toString("hex")}";\n`,
    });
    await filler.publish(`${PROJECT}/${name}-npm`, pkg, version, { tarball });
    filled.npm.set(`${pkg}@${version}`, integrity(tarball));
    filled.bytes += tarball.length;
  });
  await each(range(COUNTS.hostedImages), 4, async (at) => {
    const image = await filler.push(
      `${PROJECT}/${name}-oci`,
      `team/app-${at % 5}`,
      `v${at}`,
      makeImage({ layers: [3_000] }),
    );
    filled.hostedImages.set(`team/app-${at % 5}:v${at}`, image.digest);
    filled.bytes += 3_500;
  });
  return filled;
}

/** Deletes what the round and its crowd created, at both instances; small images stay in the registries. */
export async function endRound(
  { product, partner, journal }: World,
  round: Round,
  crowd: readonly RoundRun[],
): Promise<void> {
  const { name, repositories } = round;
  for (const { task } of [...round.runs, ...crowd]) await product.remove(task);
  const remove = (from: Product, repository: string) =>
    from
      .call("DELETE", `/repository/api/repo/delete/${PROJECT}/${repository}?forced=true`)
      .catch((error: unknown) => journal.note(`${repository} stays: ${String(error)}`));
  for (const repository of [...repositories, `${name}-images`])
    await remove(product, repository);
  for (const repository of [
    ...repositories,
    ...crowdTargets(name).map(([target]) => target),
  ])
    await remove(partner, repository);
}
